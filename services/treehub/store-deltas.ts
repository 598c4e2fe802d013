import type { DbOrTx, Tx } from "#lib/db/client.ts";

export type DeltaState = "uploading" | "available" | "deleted";
export type DeltaRow = { id: string; fromCommit: string; toCommit: string; superblockSha256: string; state: string };
export type DeltaSize = { from: string; to: string; size: number };

const DELTA = { id: true, fromCommit: true, toCommit: true, superblockSha256: true, state: true } as const;

export async function findDelta(db: DbOrTx, namespaceId: string, id: string): Promise<DeltaRow | null> {
  return db.treehubDelta.findUnique({ where: { namespaceId_id: { namespaceId, id } }, select: DELTA });
}

export async function addDelta(tx: Tx, namespaceId: string, delta: Omit<DeltaRow, "state">, now: Date): Promise<void> {
  await tx.treehubDelta.create({
    data: { ...delta, namespaceId, state: "uploading", createdAt: now, updatedAt: now },
    select: { id: true },
  });
}

export async function dropDelta(tx: Tx, namespaceId: string, id: string): Promise<void> {
  await tx.treehubDelta.deleteMany({ where: { namespaceId, id } });
}

export async function setDeltaState(
  db: DbOrTx,
  namespaceId: string,
  { id, state, now }: { id: string; state: DeltaState; now: Date },
): Promise<void> {
  await db.treehubDelta.updateMany({ where: { namespaceId, id }, data: { state, updatedAt: now } });
}

export async function findDeltaFile(
  db: DbOrTx,
  namespaceId: string,
  { deltaId, file }: { deltaId: string; file: string },
): Promise<{ blobKey: string; length: number } | null> {
  const row = await db.treehubDeltaFile.findUnique({
    where: { namespaceId_deltaId_file: { namespaceId, deltaId, file } },
    select: { blobKey: true, length: true },
  });
  return row === null ? null : { ...row, length: Number(row.length) };
}

export async function putDeltaFile(
  tx: Tx,
  namespaceId: string,
  { deltaId, file, blobKey, length }: { deltaId: string; file: string; blobKey: string; length: number },
): Promise<void> {
  await tx.treehubDeltaFile.upsert({
    where: { namespaceId_deltaId_file: { namespaceId, deltaId, file } },
    create: { namespaceId, deltaId, file, blobKey, length: BigInt(length) },
    update: { blobKey, length: BigInt(length) },
    select: { file: true },
  });
}

/** Deltas that lead to a commit and can be had. An index names at most so many. */
export async function deltasTo(db: DbOrTx, namespaceId: string, toCommit: string): Promise<DeltaRow[]> {
  return db.treehubDelta.findMany({
    where: { namespaceId, toCommit, state: "available" },
    orderBy: { id: "asc" },
    take: 1_000,
    select: DELTA,
  });
}

export async function pageOfDeltas(
  db: DbOrTx,
  namespaceId: string,
  { offset, limit }: { offset: number; limit: number },
): Promise<{ values: DeltaSize[]; total: number }> {
  const [values, total] = await Promise.all([
    db.$queryRaw<DeltaSize[]>`
      SELECT d."fromCommit" AS from, d."toCommit" AS to, coalesce(sum(f.length), 0)::float8 AS size
      FROM treehub_delta d LEFT JOIN treehub_delta_file f ON f."namespaceId" = d."namespaceId" AND f."deltaId" = d.id
      WHERE d."namespaceId" = ${namespaceId} AND d.state = 'available'
      GROUP BY d."namespaceId", d.id ORDER BY d.id LIMIT ${limit} OFFSET ${offset}`,
    db.treehubDelta.count({ where: { namespaceId, state: "available" } }),
  ]);
  return { values, total };
}

/** Those that lead from or to one of these commits and can be had. */
export async function deltasOf(db: DbOrTx, namespaceId: string, commits: readonly string[]): Promise<DeltaSize[]> {
  const wanted = [...commits];
  return db.$queryRaw<DeltaSize[]>`
    SELECT d."fromCommit" AS from, d."toCommit" AS to, coalesce(sum(f.length), 0)::float8 AS size
    FROM treehub_delta d LEFT JOIN treehub_delta_file f ON f."namespaceId" = d."namespaceId" AND f."deltaId" = d.id
    WHERE d."namespaceId" = ${namespaceId} AND d.state = 'available'
      AND (d."fromCommit" = ANY(${wanted}) OR d."toCommit" = ANY(${wanted}))
    GROUP BY d."namespaceId", d.id ORDER BY d.id LIMIT 10000`;
}

/** Drops the rows of deltas that were deleted, of all namespaces: the worker's job. @returns the keys of their files */
export async function dropDeleted(tx: Tx, limit: number): Promise<string[]> {
  const rows = await tx.$queryRaw<{ namespaceId: string; id: string }[]>`
    SELECT "namespaceId", id FROM treehub_delta WHERE state = 'deleted' ORDER BY "updatedAt" LIMIT ${limit} FOR UPDATE SKIP LOCKED`;
  const either = { OR: rows.map(({ namespaceId, id }) => ({ namespaceId, deltaId: id })) };
  if (rows.length === 0) return [];
  const files = await tx.treehubDeltaFile.findMany({ where: either, select: { blobKey: true } });
  await tx.treehubDelta.deleteMany({ where: { OR: rows, state: "deleted" } });
  return files.map(({ blobKey }) => blobKey);
}
