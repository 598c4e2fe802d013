import type { DbOrTx, Tx } from "#lib/db/client.ts";

export type ObjectRow = { blobKey: string; length: number; createdAt: Date };

const OBJECT = { blobKey: true, length: true, createdAt: true } as const;

export type NewObject = ObjectRow & { namespaceId: string; name: string };
type ByKey = { namespaceId: string; blobKey: string };

/** By their keys, of which each names its namespace. */
export async function findObjects(db: DbOrTx, keys: readonly ByKey[]): Promise<Map<string, ObjectRow>> {
  const rows = await db.treehubObject.findMany({ where: keyed(keys), select: OBJECT });
  return new Map(rows.map((row) => [row.blobKey, { ...row, length: Number(row.length) }]));
}

export async function findObjectNames(db: DbOrTx, namespaceId: string, names: readonly string[]): Promise<Set<string>> {
  const rows = await db.treehubObject.findMany({
    where: { namespaceId, name: { in: [...names] } },
    select: { name: true },
  });
  return new Set(rows.map(({ name }) => name));
}

/** @returns the keys of those that were not there already */
export async function addObjects(tx: Tx, objects: readonly NewObject[]): Promise<Set<string>> {
  const added = await tx.treehubObject.createManyAndReturn({
    data: objects.map((object) => ({ ...object, length: BigInt(object.length) })),
    skipDuplicates: true,
    select: { blobKey: true },
  });
  return new Set(added.map(({ blobKey }) => blobKey));
}

export async function dropObjects(tx: Tx, keys: readonly ByKey[]): Promise<void> {
  await tx.treehubObject.deleteMany({ where: keyed(keys) });
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

function keyed(keys: readonly ByKey[]) {
  const namespaces = [...new Set(keys.map(({ namespaceId }) => namespaceId))];
  return { namespaceId: { in: namespaces }, blobKey: { in: keys.map(({ blobKey }) => blobKey) } };
}
