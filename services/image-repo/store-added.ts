import type { Tx } from "#lib/db/client.ts";

/** An image that came onto the list. @see contracts/README.md section 7, `TufTargetAdded` */
export type AddedImage = {
  readonly id: bigint;
  readonly namespaceId: string;
  readonly name: string;
  readonly filename: string;
  readonly sha256: string;
  readonly length: number;
  readonly uri: string | null;
  /** The last device that was seen to; null at the start. */
  readonly doneThrough: string | null;
};

/** In the transaction that lists the images, so that whoever waits for a name hears of it, whatever dies. Nobody waits for one without a name. */
export async function insertAdded(
  tx: Tx,
  namespaceId: string,
  images: readonly { name: string | null; filename: string; sha256: string; length: number; uri?: string | null }[],
): Promise<void> {
  await tx.imageAdded.createMany({
    data: images.flatMap(({ name, filename, sha256, length, uri = null }) =>
      name === null ? [] : [{ namespaceId, name, filename, sha256, length: BigInt(length), uri }],
    ),
  });
}

/** The oldest that nobody else is at, of any namespace; it is the caller's until `tx` ends. */
export async function takeAdded(tx: Tx): Promise<AddedImage | null> {
  const [row] = await tx.$queryRaw<(Omit<AddedImage, "length"> & { length: bigint })[]>`
    SELECT id, "namespaceId", name, filename, sha256, length, uri, "doneThrough" FROM image_added
    ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED`;
  return row === undefined ? null : { ...row, length: Number(row.length) };
}

/** @param doneThrough the last device seen to; null when that was all */
export async function settleAdded(tx: Tx, id: bigint, doneThrough: string | null): Promise<void> {
  if (doneThrough === null) await tx.imageAdded.delete({ where: { id }, select: { id: true } });
  else await tx.imageAdded.update({ where: { id }, data: { doneThrough }, select: { id: true } });
}
