import { isDeepStrictEqual } from "node:util";
import { type BlobStore, KEEPING, type StagedBlob } from "#lib/blobs/store.ts";
import type { Ctx } from "#lib/ctx.ts";
import { locksInTransaction, shareLocksInTransaction, type Tx } from "#lib/db/client.ts";
import { publishEvent } from "#lib/db/events.ts";
import { AppError } from "#lib/errors/app-error.ts";
import type { TargetFormat } from "#lib/uptane/roles.ts";
import { recordByMachine } from "#services/audit/service.ts";
import { countAssigned } from "#services/fleet/service.ts";
import { currentRoot, type StoredRoot } from "#services/keyserver/service.ts";
import { lockRepo, publishImages, type RoleDocument, readRole } from "./roles.ts";
import * as store from "./store.ts";
import { insertAdded } from "./store-added.ts";
import { buryImages } from "./store-listed.ts";

/** What the image repository needs: the usual, and where bytes are. */
export type ImageRepoCtx = Ctx & { readonly blobs: BlobStore };

export type NewImage = { filename: string; name: string; version: string; hardwareIds: string[] };

/** An image whose bytes are elsewhere: at `uri`, or in an OSTree repository. */
export type UnmanagedImage = {
  filename: string;
  name: string | null;
  version: string | null;
  hardwareIds: string[];
  format: TargetFormat | null;
  uri: string | null;
  sha256: string;
  length: number;
};

const SWEEP_BATCH = 500;
/** Removed at once: storage may be far away, and a transaction waits for it. */
const REMOVE_BATCH = 50;

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
    const { sha256, length } = staged;
    const listed = { ...image, format: "BINARY" as const, uri: null, sha256, length };
    return await list(ctx, repoId, { image: listed, staged });
  } finally {
    await staged.discard();
  }
}

/**
 * Lists an image whose bytes are not here. What this repository keeps under the name already stays, if it is the same.
 *
 * @returns the targets metadata in force
 * @throws AppError `image.exists` | `image.invalid` (length and format contradict each other) | `uptane.too_large` |
 *   `uptane.not_canonical`
 */
export async function addUnmanagedImage(
  ctx: ImageRepoCtx,
  repoId: string,
  image: UnmanagedImage,
): Promise<RoleDocument> {
  if ((image.format === "OSTREE") !== (image.length === 0)) {
    throw new AppError("image.invalid", "An OSTree commit has the length 0, and any other image more.");
  }
  return list(ctx, repoId, { image, staged: null });
}

async function list(ctx: ImageRepoCtx, repoId: string, what: Pick<Listing, "image" | "staged">): Promise<RoleDocument> {
  const root = await currentRoot(ctx, repoId);
  const published = await ctx.db.$transaction((tx) => listImage(tx, { ctx, repoId, root, ...what }), KEEPING);
  return published ?? (await readRole(ctx, repoId, "targets"));
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
    await lockImages(tx, ctx.namespaceId, [filename]);
    const image = await store.findImage(tx, ctx.namespaceId, filename);
    if (image === null) throw new AppError("ota.target_not_found", "There is no such image.");
    const assigned = await countAssigned(tx, ctx.namespaceId, filename);
    if (assigned > 0) {
      throw new AppError(
        "image.in_use",
        `The image is assigned to ${assigned} ${assigned === 1 ? "device" : "devices"}. Cancel the update first.`,
      );
    }
    await buryImages(tx, ctx.namespaceId, [image], ctx.clock());
    await publishImages(tx, { ctx, repoId, root });
    await publishEvent(tx, ctx.namespaceId, { topic: "image", subjectId: filename });
    const target = { kind: "image", id: filename } as const;
    await recordByMachine(tx, ctx, { action: "image.delete", target, before: bytesOf(image) });
    return image;
  });
  if (deleted.blobKey !== null) await removeUnlisted(ctx, [deleted.blobKey]);
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

/** Before images are deleted: keeps everybody from assigning them until `tx` ends. */
export async function lockImages(tx: Tx, namespaceId: string, filenames: readonly string[]): Promise<void> {
  await locksInTransaction(
    tx,
    filenames.map((filename) => lockOf(namespaceId, filename)),
  );
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
    removed += await removeUnlisted(
      ctx,
      batch.filter((key) => !inUse.has(key)),
    );
    batch = [];
  };
  for await (const key of ctx.blobs.keysOlderThan(olderThan)) {
    batch.push(key);
    if (batch.length >= SWEEP_BATCH) await sweepBatch();
  }
  await sweepBatch();
  return removed;
}

type Listing = {
  ctx: ImageRepoCtx;
  repoId: string;
  root: StoredRoot;
  image: UnmanagedImage;
  /** The bytes, of an image that is to be kept here. */
  staged: StagedBlob | null;
};

/** @returns null when nothing changed */
async function listImage(tx: Tx, { ctx, repoId, root, image, staged }: Listing): Promise<RoleDocument | null> {
  await lockRepo(tx, repoId);
  const before = await store.findImage(tx, ctx.namespaceId, image.filename);
  const buried = before ?? (await store.findTombstone(tx, ctx.namespaceId, image.filename));
  if (buried !== null && (buried.sha256 !== image.sha256 || buried.length !== image.length)) {
    throw otherBytes(before === null);
  }
  const next = successor(before, image, { isStored: staged !== null, now: ctx.clock() });
  if (before !== null && isSame(before, next)) {
    await keepBytes(tx, staged);
    return null;
  }
  await store.putImage(tx, ctx.namespaceId, next);
  if (before === null) await insertAdded(tx, ctx.namespaceId, [next]);
  await store.dropVerification(tx, ctx.namespaceId, image.filename);
  const targets = await publishImages(tx, { ctx, repoId, root });
  await publishEvent(tx, ctx.namespaceId, { topic: "image", subjectId: image.filename });
  await keepBytes(tx, staged);
  const target = { kind: "image", id: image.filename } as const;
  await recordByMachine(tx, ctx, { action: "image.upload", target, after: bytesOf(image) });
  return targets;
}

function bytesOf({ sha256, length }: { sha256: string; length: number }): { sha256: string; length: number } {
  return { sha256, length };
}

/** What nobody said anything about stays: bytes that are here already, the publisher's own part, the age. */
function successor(
  before: store.ImageRow | null,
  image: UnmanagedImage,
  { isStored, now }: { isStored: boolean; now: Date },
): store.ImageRow {
  const kept = before ?? { proprietary: null, cliUploaded: null, storage: "unmanaged", blobKey: null, createdAt: now };
  const { proprietary, cliUploaded, createdAt } = kept;
  return {
    ...image,
    proprietary,
    cliUploaded,
    createdAt,
    storage: isStored ? "managed" : kept.storage,
    blobKey: isStored ? image.sha256 : kept.blobKey,
    updatedAt: now,
  };
}

/**
 * Last before the commit, when nothing can be refused any more. The lock is held until the image that needs the bytes is
 * committed, so that no sweep comes in between. Bytes that were there already are replaced: that mends damaged ones.
 */
export async function keepBytes(tx: Tx, staged: StagedBlob | null): Promise<void> {
  if (staged === null) return;
  await locksInTransaction(tx, [lockOfBlob(staged.sha256)]);
  await staged.keep();
}

/**
 * Removes those of these bytes that no image and no upload needs.
 *
 * NOTE: removing a file inside the transaction keeps it under the lock; nothing else waits for this transaction.
 *
 * @returns how many
 */
export async function removeUnlisted(ctx: ImageRepoCtx, keys: readonly string[]): Promise<number> {
  const left = [...new Set(keys)];
  let removed = 0;
  while (left.length > 0) {
    const batch = left.splice(0, REMOVE_BATCH);
    removed += await ctx.db.$transaction(async (tx) => {
      await locksInTransaction(tx, batch.map(lockOfBlob));
      const inUse = await store.keysInUse(tx, batch);
      const unused = batch.filter((key) => !inUse.has(key));
      await Promise.all(unused.map((key) => ctx.blobs.remove(key)));
      return unused.length;
    });
  }
  return removed;
}

/** Blobs are shared by all namespaces, hence no namespace in the name. */
function lockOfBlob(key: string): string {
  return `blob:${key}`;
}

/** Apart from the moment of the change. */
function isSame(before: store.ImageRow, next: store.ImageRow): boolean {
  return isDeepStrictEqual({ ...before, updatedAt: next.updatedAt }, next);
}

/** @param deleted whether the name is only remembered */
export function otherBytes(deleted: boolean): AppError {
  return new AppError(
    "image.exists",
    `${deleted ? "An image of this name existed" : "An image of this name exists"} with other bytes. Devices that have it would refuse all updates, so a name keeps its bytes for ever: use another version.`,
  );
}
