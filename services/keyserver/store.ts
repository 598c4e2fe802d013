import type { DbOrTx, Tx } from "#lib/db/client.ts";
import type { KeyType } from "#lib/uptane/keys.ts";
import type { KeyRole, RepoKind, StoredRoot } from "./service.ts";

export async function findRepo(db: DbOrTx, namespaceId: string, kind: RepoKind): Promise<{ repoId: string } | null> {
  const row = await db.tufRepo.findUnique({ where: { namespaceId_kind: { namespaceId, kind } }, select: { id: true } });
  return row === null ? null : { repoId: row.id };
}

export async function insertRepo(tx: Tx, repo: { repoId: string; namespaceId: string; kind: RepoKind }): Promise<void> {
  const { repoId: id, namespaceId, kind } = repo;
  await tx.tufRepo.create({ data: { id, namespaceId, kind }, select: { id: true } });
}

type KeyRow = {
  repoId: string;
  role: KeyRole;
  keyId: string;
  keyType: KeyType;
  publicValue: string;
  sealedPrivate: Uint8Array<ArrayBuffer>;
};

export async function insertKeys(tx: Tx, keys: KeyRow[]): Promise<void> {
  await tx.tufKey.createMany({ data: keys });
}

/** Keys in use whose private part is here. */
export async function repoWithKeys(
  db: DbOrTx,
  repoId: string,
): Promise<{
  kind: RepoKind;
  keys: { role: string; keyId: string; keyType: KeyType; sealedPrivate: Uint8Array }[];
} | null> {
  const row = await db.tufRepo.findUnique({
    where: { id: repoId },
    select: {
      kind: true,
      keys: {
        where: { retiredAt: null, sealedPrivate: { not: null } },
        orderBy: { keyId: "asc" },
        select: { role: true, keyId: true, keyType: true, sealedPrivate: true },
      },
    },
  });
  if (row === null) return null;
  const keys = row.keys.flatMap(({ role, keyId, keyType, sealedPrivate }) =>
    sealedPrivate === null
      ? []
      : [{ role, keyId, keyType: keyType === "RSA" ? ("RSA" as const) : ("ED25519" as const), sealedPrivate }],
  );
  return { kind: row.kind === "director" ? "director" : "image", keys };
}

export async function insertRoot(tx: Tx, repoId: string, root: StoredRoot): Promise<void> {
  const { version, checksum, expiresAt } = root;
  await tx.tufRoot.create({
    data: { repoId, version, checksum, expiresAt, bytes: Uint8Array.from(root.bytes) },
    select: { version: true },
  });
}

export async function findRoot(db: DbOrTx, repoId: string, version: number): Promise<Buffer | null> {
  const row = await db.tufRoot.findUnique({ where: { repoId_version: { repoId, version } }, select: { bytes: true } });
  return row === null ? null : Buffer.from(row.bytes);
}

export async function latestRoot(db: DbOrTx, repoId: string): Promise<StoredRoot | null> {
  const row = await db.tufRoot.findFirst({
    where: { repoId },
    orderBy: { version: "desc" },
    select: { version: true, bytes: true, checksum: true, expiresAt: true },
  });
  return row === null ? null : { ...row, bytes: Buffer.from(row.bytes) };
}

/** Soonest first. */
export async function reposWithRootExpiring(db: DbOrTx, before: Date, limit: number): Promise<string[]> {
  const rows = await db.$queryRaw<{ repoId: string }[]>`
    SELECT "repoId"::text AS "repoId" FROM (
      SELECT DISTINCT ON ("repoId") "repoId", "expiresAt" FROM tuf_root ORDER BY "repoId", version DESC
    ) AS latest
    WHERE "expiresAt" < ${before} ORDER BY "expiresAt" LIMIT ${limit}`;
  return rows.map(({ repoId }) => repoId);
}
