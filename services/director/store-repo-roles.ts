import type { DbOrTx, Tx } from "#lib/db/client.ts";

export type RepoRoleName = "offline-updates" | "offline-snapshot" | "remote-sessions";

/** Names one role of the repository; `name` is empty for all but offline updates. */
export type RepoRoleKey = { readonly repoId: string; readonly role: RepoRoleName; readonly name: string };

export type RepoRoleRow = {
  readonly version: number;
  readonly bytes: Buffer;
  readonly checksum: string;
  readonly expiresAt: Date;
};

const DOCUMENT = { version: true, bytes: true, checksum: true, expiresAt: true } as const;

/** The version asked for, else the latest; a deleted role has none. */
export async function findRepoRole(db: DbOrTx, of: RepoRoleKey, version?: number): Promise<RepoRoleRow | null> {
  const row = await db.directorRepoRole.findFirst({
    where: { ...of, deletedAt: null, ...(version === undefined ? {} : { version }) },
    orderBy: { version: "desc" },
    select: DOCUMENT,
  });
  return row === null ? null : { ...row, bytes: Buffer.from(row.bytes) };
}

/** The highest version there ever was, of a deleted role too: versions only rise. */
export async function latestVersion(tx: Tx, of: RepoRoleKey): Promise<number> {
  const { _max } = await tx.directorRepoRole.aggregate({ where: of, _max: { version: true } });
  return _max.version ?? 0;
}

export async function insertRepoRole(tx: Tx, of: RepoRoleKey, row: RepoRoleRow & { createdAt: Date }): Promise<void> {
  await tx.directorRepoRole.create({
    data: { ...of, ...row, bytes: Uint8Array.from(row.bytes) },
    select: { version: true },
  });
}

/** @returns false when there is no such role */
export async function deleteRepoRole(tx: Tx, of: RepoRoleKey, at: Date): Promise<boolean> {
  const { count } = await tx.directorRepoRole.updateMany({
    where: { ...of, deletedAt: null },
    data: { deletedAt: at },
  });
  return count > 0;
}

export type NamedVersion = {
  readonly name: string;
  readonly version: number;
  readonly checksum: string;
  readonly length: number;
  readonly expiresAt: Date;
};

/** The offline updates in force, by name. */
export async function listOfflineUpdates(db: DbOrTx, repoId: string): Promise<NamedVersion[]> {
  return db.$queryRaw<NamedVersion[]>`
    SELECT DISTINCT ON (name) name, version, checksum, octet_length(bytes) AS length, "expiresAt" FROM director_repo_role
    WHERE "repoId" = ${repoId}::uuid AND role = 'offline-updates' AND "deletedAt" IS NULL
    ORDER BY name, version DESC`;
}
