import type { DbOrTx } from "#lib/db/client.ts";

export type SbomRow = { filename: string; uri: string };

export async function pageOfSboms(
  db: DbOrTx,
  namespaceId: string,
  { offset, limit }: { offset: number; limit: number },
): Promise<{ values: SbomRow[]; total: number }> {
  const where = { namespaceId };
  const select = { filename: true, uri: true };
  const [values, total] = await Promise.all([
    db.imageSbom.findMany({ where, orderBy: { filename: "asc" }, skip: offset, take: limit, select }),
    db.imageSbom.count({ where }),
  ]);
  return { values, total };
}

export async function findSbom(db: DbOrTx, namespaceId: string, filename: string): Promise<string | null> {
  const where = { namespaceId_filename: { namespaceId, filename } };
  const row = await db.imageSbom.findUnique({ where, select: { uri: true } });
  return row?.uri ?? null;
}

export async function putSbom(db: DbOrTx, namespaceId: string, sbom: SbomRow & { updatedAt: Date }): Promise<void> {
  const { filename, ...content } = sbom;
  await db.imageSbom.upsert({
    where: { namespaceId_filename: { namespaceId, filename } },
    create: { namespaceId, ...sbom },
    update: content,
    select: { filename: true },
  });
}

/** @returns whether there was one */
export async function deleteSbom(db: DbOrTx, namespaceId: string, filename: string): Promise<boolean> {
  const { count } = await db.imageSbom.deleteMany({ where: { namespaceId, filename } });
  return count > 0;
}
