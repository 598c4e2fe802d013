import type { DbOrTx, Tx } from "#lib/db/client.ts";

export type ObjectRow = { blobKey: string; length: number; createdAt: Date };

const OBJECT = { blobKey: true, length: true, createdAt: true } as const;

export async function findObject(db: DbOrTx, namespaceId: string, name: string): Promise<ObjectRow | null> {
  const row = await db.treehubObject.findUnique({
    where: { namespaceId_name: { namespaceId, name } },
    select: OBJECT,
  });
  return row === null ? null : { ...row, length: Number(row.length) };
}

export async function findObjectNames(db: DbOrTx, namespaceId: string, names: readonly string[]): Promise<Set<string>> {
  const rows = await db.treehubObject.findMany({
    where: { namespaceId, name: { in: [...names] } },
    select: { name: true },
  });
  return new Set(rows.map(({ name }) => name));
}

/** @returns false when it was there already */
export async function addObject(
  tx: Tx,
  namespaceId: string,
  object: { name: string; blobKey: string; length: number; createdAt: Date },
): Promise<boolean> {
  const { count } = await tx.treehubObject.createMany({
    data: [{ ...object, namespaceId, length: BigInt(object.length) }],
    skipDuplicates: true,
  });
  return count === 1;
}

/** @returns false when there was none */
export async function dropObject(db: DbOrTx, namespaceId: string, name: string): Promise<boolean> {
  const { count } = await db.treehubObject.deleteMany({ where: { namespaceId, name } });
  return count === 1;
}

/** Of all namespaces: a key names its own. */
export async function keysInUse(db: DbOrTx, keys: readonly string[]): Promise<Set<string>> {
  const where = { blobKey: { in: [...keys] } };
  const [objects, files] = await Promise.all([
    db.treehubObject.findMany({ where, select: { blobKey: true } }),
    db.treehubDeltaFile.findMany({ where, select: { blobKey: true } }),
  ]);
  return new Set([...objects, ...files].map(({ blobKey }) => blobKey));
}

export type Usage = { objects: number; objectBytes: number; deltaFiles: number; deltaBytes: number };

export async function sumUsage(db: DbOrTx, namespaceId: string): Promise<Usage> {
  const where = { namespaceId };
  const [objects, files] = await Promise.all([
    db.treehubObject.aggregate({ where, _count: true, _sum: { length: true } }),
    db.treehubDeltaFile.aggregate({ where, _count: true, _sum: { length: true } }),
  ]);
  return {
    objects: objects._count,
    objectBytes: Number(objects._sum.length ?? 0),
    deltaFiles: files._count,
    deltaBytes: Number(files._sum.length ?? 0),
  };
}

export async function findRef(db: DbOrTx, namespaceId: string, name: string): Promise<string | null> {
  const row = await db.treehubRef.findUnique({
    where: { namespaceId_name: { namespaceId, name } },
    select: { commit: true },
  });
  return row?.commit ?? null;
}

export async function putRef(
  tx: Tx,
  namespaceId: string,
  { name, commit, updatedAt }: { name: string; commit: string; updatedAt: Date },
): Promise<void> {
  await tx.treehubRef.upsert({
    where: { namespaceId_name: { namespaceId, name } },
    create: { namespaceId, name, commit, updatedAt },
    update: { commit, updatedAt },
    select: { name: true },
  });
}

export async function putManifest(
  db: DbOrTx,
  namespaceId: string,
  { commit, bytes, receivedAt }: { commit: string; bytes: Buffer; receivedAt: Date },
): Promise<void> {
  const content = { bytes: Uint8Array.from(bytes), receivedAt };
  await db.treehubManifest.upsert({
    where: { namespaceId_commit: { namespaceId, commit } },
    create: { namespaceId, commit, ...content },
    update: content,
    select: { commit: true },
  });
}
