import type { DbOrTx, Tx } from "#lib/db/client.ts";
import type { Prisma } from "#lib/db/generated/client.ts";
import { escapeLike } from "#lib/db/like.ts";
import { buildDelegations, type Delegations, parseDelegations } from "#lib/uptane/delegations.ts";
import type { Json, JsonObject } from "#lib/uptane/json.ts";
import type { MetaInput } from "#lib/uptane/metadata.ts";

const INSERT_BATCH = 2_000;

export async function findDelegations(db: DbOrTx, namespaceId: string): Promise<Delegations | null> {
  const row = await db.imageDelegations.findUnique({ where: { namespaceId }, select: { keys: true, roles: true } });
  return row === null ? null : parseDelegations({ keys: row.keys as Json, roles: row.roles as Json });
}

export async function putDelegations(tx: Tx, namespaceId: string, delegations: Delegations): Promise<void> {
  const { keys = {}, roles = [] } = buildDelegations(delegations);
  const content = { keys: keys as Prisma.InputJsonObject, roles: roles as Prisma.InputJsonArray };
  await tx.imageDelegations.upsert({
    where: { namespaceId },
    create: { namespaceId, ...content },
    update: content,
    select: { namespaceId: true },
  });
}

/** For a list without such a block. */
export async function dropDelegations(tx: Tx, namespaceId: string): Promise<void> {
  await tx.imageDelegations.deleteMany({ where: { namespaceId } });
}

/** What the snapshot says of the delegated documents, also of those that nobody is trusted with any more: none may vanish. */
export async function delegatedMeta(db: DbOrTx, namespaceId: string): Promise<Record<string, MetaInput>> {
  const rows = await db.$queryRaw<{ name: string; checksum: string; version: number; length: number }[]>`
    SELECT name, checksum, version, length(bytes)::int AS length FROM image_delegation
    WHERE "namespaceId" = ${namespaceId} AND bytes IS NOT NULL`;
  return Object.fromEntries(rows.map(({ name, ...meta }) => [`${name}.json`, meta]));
}

export type DelegationRow = {
  name: string;
  version: number | null;
  expiresAt: Date | null;
  friendlyName: string | null;
  remoteUri: string | null;
  sealedHeaders: Uint8Array | null;
  lastFetchedAt: Date | null;
};

const DELEGATION = {
  name: true,
  version: true,
  expiresAt: true,
  friendlyName: true,
  remoteUri: true,
  sealedHeaders: true,
  lastFetchedAt: true,
} satisfies Prisma.ImageDelegationSelect;

export async function listDelegations(db: DbOrTx, namespaceId: string, names: string[]): Promise<DelegationRow[]> {
  return db.imageDelegation.findMany({ where: { namespaceId, name: { in: names } }, select: DELEGATION });
}

export async function findDelegation(db: DbOrTx, namespaceId: string, name: string): Promise<DelegationRow | null> {
  const where = { namespaceId_name: { namespaceId, name } };
  return db.imageDelegation.findUnique({ where, select: DELEGATION });
}

/** The document as it is served. */
export async function findDocument(
  db: DbOrTx,
  namespaceId: string,
  name: string,
): Promise<{ bytes: Buffer; lastFetchedAt: Date | null } | null> {
  const where = { namespaceId_name: { namespaceId, name } };
  const row = await db.imageDelegation.findUnique({ where, select: { bytes: true, lastFetchedAt: true } });
  return row === null || row.bytes === null ? null : { ...row, bytes: Buffer.from(row.bytes) };
}

export async function putDelegation(
  tx: Tx,
  namespaceId: string,
  name: string,
  content: Omit<Prisma.ImageDelegationUncheckedUpdateInput, "namespaceId" | "name" | "targets"> & { updatedAt: Date },
): Promise<void> {
  const where = { namespaceId_name: { namespaceId, name } };
  const update = await tx.imageDelegation.updateMany({ where: { namespaceId, name }, data: content });
  if (update.count > 0) return;
  await tx.imageDelegation.create({
    data: { namespaceId, name, updatedAt: content.updatedAt },
    select: { name: true },
  });
  await tx.imageDelegation.update({ where, data: content, select: { name: true } });
}

export type DelegatedTarget = {
  filename: string;
  role: string;
  sha256: string;
  length: number;
  custom: JsonObject | null;
  name: string | null;
  version: string | null;
  hardwareIds: string[];
  uri: string | null;
  createdAt: Date;
};

/** Replaces what a role lists. */
export async function putDelegatedTargets(
  tx: Tx,
  namespaceId: string,
  role: string,
  targets: readonly DelegatedTarget[],
): Promise<void> {
  await tx.imageDelegatedTarget.deleteMany({ where: { namespaceId, role } });
  for (let at = 0; at < targets.length; at += INSERT_BATCH) {
    await tx.imageDelegatedTarget.createMany({
      data: targets.slice(at, at + INSERT_BATCH).map(({ length, custom, ...target }) => ({
        ...target,
        namespaceId,
        length: BigInt(length),
        ...(custom === null ? {} : { custom: custom as Prisma.InputJsonObject }),
      })),
    });
  }
}

/** Of roles that are not trusted any more. */
export async function dropDelegatedTargets(tx: Tx, namespaceId: string, trusted: readonly string[]): Promise<void> {
  await tx.imageDelegatedTarget.deleteMany({ where: { namespaceId, role: { notIn: [...trusted] } } });
}

export type DelegatedItem = { filename: string; role: string; sha256: string; length: number; custom: Json };

export async function pageOfDelegated(
  db: DbOrTx,
  namespaceId: string,
  query: { nameContains?: string | undefined; exactly?: string; offset: number; limit: number },
): Promise<{ values: DelegatedItem[]; total: number }> {
  const where: Prisma.ImageDelegatedTargetWhereInput = {
    namespaceId,
    ...(query.nameContains === undefined ? {} : { filename: { contains: escapeLike(query.nameContains) } }),
    ...(query.exactly === undefined ? {} : { filename: query.exactly }),
  };
  const [rows, total] = await Promise.all([
    db.imageDelegatedTarget.findMany({
      where,
      orderBy: [{ filename: "asc" }, { role: "asc" }],
      skip: query.offset,
      take: query.limit,
      select: { filename: true, role: true, sha256: true, length: true, custom: true },
    }),
    db.imageDelegatedTarget.count({ where }),
  ]);
  return { values: rows.map((row) => ({ ...row, length: Number(row.length), custom: row.custom as Json })), total };
}
