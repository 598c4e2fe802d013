import type { BlobStore, StagedBlob } from "#lib/blobs/store.ts";
import type { Ctx } from "#lib/ctx.ts";
import { lockInTransaction, shareLocksInTransaction, type Tx } from "#lib/db/client.ts";
import { publishEvent } from "#lib/db/events.ts";
import { AppError } from "#lib/errors/app-error.ts";
import { countAssigned } from "#services/fleet/service.ts";
import { currentRoot, type StoredRoot } from "#services/keyserver/service.ts";
import { lockRepo, publishImages, type RoleDocument, readRole } from "./roles.ts";
import * as store from "./store.ts";

/** What the image repository needs: the usual, and where bytes are. */
export type ImageRepoCtx = Ctx & { readonly blobs: BlobStore };

export type NewImage = { filename: string; name: string; version: string; hardwareIds: string[] };

const SWEEP_BATCH = 500;

/**
 * Lists an image whose bytes have been received, and publishes the list.
 *
 * The bytes get their final name before the transaction commits, so a listed image always has them; a crash in between
 * leaves bytes that nobody lists, which the sweep removes. Repeating an upload changes nothing.
 *
 * @param staged is consumed: kept, or discarded when the image is refused
 * @returns the targets metadata in force
 * @throws AppError `image.exists` (the name belongs or belonged to other bytes) | `image.invalid` (no bytes) |
 *   `uptane.too_large` (no room in the metadata) | `uptane.not_canonical`
 */
export async function addImage(
  ctx: ImageRepoCtx,
  repoId: string,
  image: NewImage,
  staged: StagedBlob,
): Promise<RoleDocument> {
  try {
    if (staged.length === 0) {
      throw new AppError("image.invalid", "The image has no bytes. Devices would take it for an OSTree commit.");
    }
    const root = await currentRoot(ctx, repoId);
    const published = await ctx.db.$transaction((tx) => listImage(tx, { ctx, repoId, root, image, staged }));
    return published ?? (await readRole(ctx, repoId, "targets"));
  } finally {
    await staged.discard();
  }
}

/**
 * Takes an image off the list, publishes the list, then removes the bytes. The name stays taken, for these bytes alone.
 *
 * @throws AppError `ota.target_not_found` | `image.in_use` (assigned to a device)
 */
export async function deleteImage(ctx: ImageRepoCtx, repoId: string, filename: string): Promise<void> {
  const root = await currentRoot(ctx, repoId);
  const deleted = await ctx.db.$transaction(async (tx) => {
    await lockRepo(tx, repoId);
    await lockInTransaction(tx, lockOf(ctx.namespaceId, filename));
    const image = await store.findImage(tx, ctx.namespaceId, filename);
    if (image === null) throw new AppError("ota.target_not_found", "There is no such image.");
    const assigned = await countAssigned(tx, ctx.namespaceId, filename);
    if (assigned > 0) {
      throw new AppError(
        "image.in_use",
        `The image is assigned to ${assigned} ${assigned === 1 ? "device" : "devices"}. Cancel the update first.`,
      );
    }
    await store.buryImage(tx, ctx.namespaceId, image, ctx.clock());
    await publishImages(tx, { ctx, repoId, root });
    await publishEvent(tx, ctx.namespaceId, { topic: "image", subjectId: filename });
    return image;
  });
  if (deleted.blobKey !== null) await removeUnlisted(ctx, deleted.blobKey);
}

/**
 * Keeps these images from being deleted until `tx` ends: whoever makes devices want images calls it, before it locks anything else.
 *
 * @returns those that were deleted before; names that never were here are none of ours to judge
 */
export async function holdImages(tx: Tx, namespaceId: string, filenames: readonly string[]): Promise<string[]> {
  await shareLocksInTransaction(
    tx,
    filenames.map((filename) => lockOf(namespaceId, filename)),
  );
  return store.findDeleted(tx, namespaceId, filenames);
}

function lockOf(namespaceId: string, filename: string): string {
  return `image:${namespaceId}:${filename}`;
}

/**
 * Removes bytes older than `olderThan` that no image lists, and uploads that never ended: what a crash left behind.
 * The worker's job.
 *
 * @returns how many
 */
export async function sweepBlobs(ctx: ImageRepoCtx, olderThan: Date): Promise<number> {
  let removed = await ctx.blobs.sweepStaged(olderThan);
  let batch: string[] = [];
  const sweepBatch = async () => {
    const inUse = await store.keysInUse(ctx.db, batch);
    for (const key of batch) if (!inUse.has(key) && (await removeUnlisted(ctx, key))) removed += 1;
    batch = [];
  };
  for await (const key of ctx.blobs.keysOlderThan(olderThan)) {
    batch.push(key);
    if (batch.length >= SWEEP_BATCH) await sweepBatch();
  }
  await sweepBatch();
  return removed;
}

type Listing = { ctx: ImageRepoCtx; repoId: string; root: StoredRoot; image: NewImage; staged: StagedBlob };

/** @returns null when nothing changed */
async function listImage(tx: Tx, { ctx, repoId, root, image, staged }: Listing): Promise<RoleDocument | null> {
  await lockRepo(tx, repoId);
  const before = await store.findImage(tx, ctx.namespaceId, image.filename);
  const buried = before ?? (await store.findTombstone(tx, ctx.namespaceId, image.filename));
  if (buried !== null && buried.sha256 !== staged.sha256) throw otherBytes(before === null);
  if (before !== null && isSame(before, image)) {
    await keepBytes(tx, staged);
    return null;
  }
  const now = ctx.clock();
  await store.putImage(tx, ctx.namespaceId, {
    ...image,
    sha256: staged.sha256,
    length: staged.length,
    blobKey: staged.sha256,
    createdAt: before?.createdAt ?? now,
    updatedAt: now,
  });
  await store.dropVerification(tx, ctx.namespaceId, image.filename);
  const targets = await publishImages(tx, { ctx, repoId, root });
  await publishEvent(tx, ctx.namespaceId, { topic: "image", subjectId: image.filename });
  await keepBytes(tx, staged);
  return targets;
}

/**
 * Last before the commit, when nothing can be refused any more. The lock is held until the image that needs the bytes is
 * committed, so that no sweep comes in between. Bytes that were there already are replaced: that mends damaged ones.
 */
async function keepBytes(tx: Tx, staged: StagedBlob): Promise<void> {
  await lockBlob(tx, staged.sha256);
  await staged.keep();
}

/** NOTE: removing a file inside the transaction keeps it under the lock; nothing else waits for this transaction. */
async function removeUnlisted(ctx: ImageRepoCtx, key: string): Promise<boolean> {
  return ctx.db.$transaction(async (tx) => {
    await lockBlob(tx, key);
    const inUse = await store.keysInUse(tx, [key]);
    if (inUse.has(key)) return false;
    await ctx.blobs.remove(key);
    return true;
  });
}

/** Blobs are shared by all namespaces, hence no namespace in the name. */
async function lockBlob(tx: Tx, key: string): Promise<void> {
  await lockInTransaction(tx, `blob:${key}`);
}

function isSame(before: store.ImageRow, image: NewImage): boolean {
  return (
    before.name === image.name &&
    before.version === image.version &&
    before.hardwareIds.join(",") === image.hardwareIds.join(",")
  );
}

function otherBytes(deleted: boolean): AppError {
  return new AppError(
    "image.exists",
    `${deleted ? "An image of this name existed" : "An image of this name exists"} with other bytes. Devices that have it would refuse all updates, so a name keeps its bytes for ever: use another version.`,
  );
}
