import { randomUUID } from "node:crypto";
import type { DbOrTx, Tx } from "#lib/db/client.ts";
import type { KeyType } from "#lib/uptane/keys.ts";
import type { RootRoleName } from "#lib/uptane/next-root.ts";
import type { OwnKind, RepoKind, StoredRoot } from "./service.ts";

/** A namespace has as many of these as it wants; the other kinds are one each. */
const STANDALONE = "standalone:";

export async function findRepo(db: DbOrTx, namespaceId: string, kind: OwnKind): Promise<{ repoId: string } | null> {
  const row = await db.tufRepo.findUnique({ where: { namespaceId_kind: { namespaceId, kind } }, select: { id: true } });
  return row === null ? null : { repoId: row.id };
}

export async function insertRepo(tx: Tx, repo: { repoId: string; namespaceId: string; kind: RepoKind }): Promise<void> {
  const { repoId: id, namespaceId, kind } = repo;
  const name = kind === "standalone" ? `${STANDALONE}${id}` : kind;
  await tx.tufRepo.create({ data: { id, namespaceId, kind: name }, select: { id: true } });
}

export type KeyRow = {
  repoId: string;
  role: RootRoleName;
  keyId: string;
  keyType: KeyType;
  publicValue: string;
  /** Null for a key that was never here. */
  sealedPrivate: Uint8Array<ArrayBuffer> | null;
};

export async function insertKeys(tx: Tx, keys: KeyRow[]): Promise<void> {
  await tx.tufKey.createMany({ data: keys, skipDuplicates: true });
}

export type RepoFacts = {
  repoId: string;
  namespaceId: string;
  kind: RepoKind;
  /** Another one with each change of keys. */
  stamp: string;
  expireNotBefore: Date | null;
};

export async function repoFacts(db: DbOrTx, repoId: string): Promise<RepoFacts | null> {
  const row = await db.tufRepo.findUnique({
    where: { id: repoId },
    select: { namespaceId: true, kind: true, keysStamp: true, expireNotBefore: true },
  });
  if (row === null) return null;
  const { namespaceId, keysStamp: stamp, expireNotBefore } = row;
  return { repoId, namespaceId, kind: kindOf(row.kind), stamp, expireNotBefore };
}

/** The same for who names a repository: one of another namespace is not there. */
export async function findOwnRepo(db: DbOrTx, namespaceId: string, repoId: string): Promise<RepoFacts | null> {
  const repo = await repoFacts(db, repoId);
  return repo?.namespaceId === namespaceId ? repo : null;
}

export async function setExpireNotBefore(tx: Tx, repoId: string, expireNotBefore: Date): Promise<void> {
  await tx.tufRepo.updateMany({ where: { id: repoId }, data: { expireNotBefore } });
}

/** Belongs into every transaction that changes keys or which of them the root lists. */
export async function renewStamp(tx: Tx, repoId: string): Promise<void> {
  await tx.tufRepo.updateMany({ where: { id: repoId }, data: { keysStamp: randomUUID() } });
}

export type PrivateKeyRow = {
  role: string;
  keyId: string;
  keyType: KeyType;
  publicValue: string;
  sealedPrivate: Uint8Array;
};

/** Keys whose private part is here. */
export async function privateKeys(db: DbOrTx, repoId: string, keyId?: string): Promise<PrivateKeyRow[]> {
  const rows = await db.tufKey.findMany({
    where: { repoId, retiredAt: null, sealedPrivate: { not: null }, ...(keyId === undefined ? {} : { keyId }) },
    orderBy: { keyId: "asc" },
    select: { role: true, keyId: true, keyType: true, publicValue: true, sealedPrivate: true },
  });
  return rows.flatMap(({ sealedPrivate, keyType, ...row }) =>
    sealedPrivate === null
      ? []
      : [{ ...row, keyType: keyType === "RSA" ? ("RSA" as const) : ("ED25519" as const), sealedPrivate }],
  );
}

/** The public part stays; the private one is gone for good. @returns how many */
export async function dropPrivateKeys(
  tx: Tx,
  repoId: string,
  which: { keyIds: readonly string[] } | { notIn: readonly string[] },
): Promise<number> {
  const keyId = "keyIds" in which ? { in: [...which.keyIds] } : { notIn: [...which.notIn] };
  const { count } = await tx.tufKey.updateMany({
    where: { repoId, keyId, sealedPrivate: { not: null } },
    data: { sealedPrivate: null },
  });
  return count;
}

/** Keys that no root lists any more. */
export async function retireKeys(tx: Tx, repoId: string, of: { listed: readonly string[]; at: Date }): Promise<void> {
  await tx.tufKey.updateMany({
    where: { repoId, retiredAt: null, keyId: { notIn: [...of.listed] } },
    data: { retiredAt: of.at },
  });
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

function kindOf(kind: string): RepoKind {
  if (kind.startsWith(STANDALONE)) return "standalone";
  return kind === "director" ? "director" : "image";
}
