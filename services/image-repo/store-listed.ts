import type { DbOrTx, Tx } from "#lib/db/client.ts";
import { Prisma } from "#lib/db/generated/client.ts";
import type { ImageRow } from "./store.ts";

const BATCH = 2_000;

/** Puts these images, new or not, in the place of what is there under their names. */
export async function putImages(tx: Tx, namespaceId: string, images: readonly ImageRow[]): Promise<void> {
  for (const batch of batches(images)) {
    const where = { namespaceId, filename: { in: batch.map(({ filename }) => filename) } };
    await tx.imageTarget.deleteMany({ where });
    await tx.imageTombstone.deleteMany({ where });
    await tx.imageTarget.createMany({
      data: batch.map(({ length, proprietary, ...image }) => ({
        ...image,
        namespaceId,
        length: BigInt(length),
        proprietary: proprietary ?? Prisma.DbNull,
      })),
    });
  }
}

/** Leaves tombstones: each name may come back only with these bytes. */
export async function buryImages(
  tx: Tx,
  namespaceId: string,
  images: readonly ImageRow[],
  deletedAt: Date,
): Promise<void> {
  for (const batch of batches(images)) {
    const where = { namespaceId, filename: { in: batch.map(({ filename }) => filename) } };
    await tx.imageTarget.deleteMany({ where });
    await tx.imageComment.deleteMany({ where });
    await tx.imageVerification.deleteMany({ where });
    await tx.imageSignature.deleteMany({ where });
    await tx.imageTombstone.createMany({
      data: batch.map(({ filename, sha256, length }) => ({
        namespaceId,
        filename,
        sha256,
        length: BigInt(length),
        deletedAt,
      })),
    });
  }
}

export type BuriedImage = { filename: string; sha256: string; length: number };

/** Of these names, those that once were images and are none now. */
export async function findTombstones(
  db: DbOrTx,
  namespaceId: string,
  filenames: readonly string[],
): Promise<Map<string, BuriedImage>> {
  const rows = await db.$queryRaw<(Omit<BuriedImage, "length"> & { length: bigint })[]>`
    SELECT filename, sha256, length FROM image_tombstone
    WHERE "namespaceId" = ${namespaceId} AND filename = ANY(${filenames}::text[])`;
  return new Map(rows.map((row) => [row.filename, { ...row, length: Number(row.length) }]));
}

function batches<T>(items: readonly T[]): T[][] {
  return Array.from({ length: Math.ceil(items.length / BATCH) }, (_, index) =>
    items.slice(index * BATCH, (index + 1) * BATCH),
  );
}
