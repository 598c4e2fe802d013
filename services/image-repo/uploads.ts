import { createHash, randomUUID } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { isDeepStrictEqual } from "node:util";
import { KEEPING, type StagedBlob } from "#lib/blobs/store.ts";
import { TOOL_PART_BYTES, UPLOAD_MAX_BYTES, UPLOAD_PART_BYTES } from "#lib/contracts/ota/image-uploads.ts";
import { lockInTransaction, type Tx } from "#lib/db/client.ts";
import { AppError, isAppError } from "#lib/errors/app-error.ts";
import { receiveUpload } from "#lib/http/receive-upload.ts";
import { addImage, type ImageRepoCtx, keepBytes, otherBytes, removeUnlisted } from "./images.ts";
import { findImage, findTombstone } from "./store.ts";
import * as store from "./store-uploads.ts";

export type NewUpload = {
  filename: string;
  length: number;
  /** Of the whole; compared at the end. */
  sha256?: string | undefined;
  /** Of an image that is listed at the end; a signing tool lists its uploads itself. */
  fields: store.UploadFields | null;
};

const MAX_OPEN_UPLOADS = 200;
/** An upload that nobody went on with for so long is given up; one that is whole waits longer for being listed. */
const OPEN_KEPT_MS = 48 * 3_600_000;
const RECEIVED_KEPT_MS = 30 * 24 * 3_600_000;

/**
 * Begins an upload by parts. Nothing is reserved but a row; the name is judged again at the end.
 *
 * @throws AppError `ota.conflicting_entity` (the name is listed) | `image.exists` (it belongs to other bytes) |
 *   `ota.payload_too_large` | `request.rate_limited` (too many are open)
 */
export async function openUpload(ctx: ImageRepoCtx, upload: NewUpload): Promise<store.UploadRow> {
  assertLength(upload.length);
  await assertNameFree(ctx, upload);
  if ((await store.countOpenUploads(ctx.db, ctx.namespaceId)) >= MAX_OPEN_UPLOADS) {
    throw new AppError("request.rate_limited", `${MAX_OPEN_UPLOADS} uploads are open. End or delete some first.`);
  }
  const row: Omit<store.UploadRow, "parts"> = {
    id: randomUUID(),
    filename: upload.filename,
    kind: upload.fields === null ? "cli" : "image",
    state: "open",
    length: upload.length,
    partSize: upload.fields === null ? TOOL_PART_BYTES : UPLOAD_PART_BYTES,
    expectSha256: upload.sha256 ?? null,
    fields: upload.fields,
  };
  await store.insertUpload(ctx.db, ctx.namespaceId, { ...row, at: ctx.clock() });
  return { ...row, parts: [] };
}

/** @throws AppError `ota.missing_entity` */
export async function getUpload(ctx: ImageRepoCtx, uploadId: string): Promise<store.UploadRow> {
  const upload = await store.findUpload(ctx.db, ctx.namespaceId, uploadId);
  if (upload === null) throw new AppError("ota.missing_entity", "Missing entity: Upload");
  return upload;
}

/** How many bytes part `number` must have. @throws AppError `ota.invalid_entity` when there is no such part */
export function partLength(upload: store.UploadRow, number: number): number {
  const last = partCount(upload);
  if (number > last) throw new AppError("ota.invalid_entity", `The upload has ${last} parts.`);
  return number < last ? upload.partSize : upload.length - (last - 1) * upload.partSize;
}

export function partCount(upload: Pick<store.UploadRow, "length" | "partSize">): number {
  return Math.ceil(upload.length / upload.partSize);
}

export type ExpectedPart = {
  uploadId: string;
  number: number;
  sha256?: string | undefined;
  /** In base64, as Content-MD5. */
  md5: string | null;
};

/**
 * Receives one part, durable before this returns. A part may come again, also with other bytes, until the upload is whole.
 *
 * @returns what arrived; the MD5 in hex is the part's ETag
 * @throws AppError `ota.missing_entity` | `ota.invalid_entity` (not the part's length) | `uptane.hash_mismatch` |
 *   `ota.conflicting_entity` (the upload is whole) | `ota.request_canceled_by_upstream`; nothing is left then
 */
export async function receivePart(
  ctx: ImageRepoCtx,
  req: IncomingMessage,
  expected: ExpectedPart,
): Promise<store.PartRow> {
  const upload = await getUpload(ctx, expected.uploadId);
  const length = partLength(upload, expected.number);
  const { staged, md5 } = await receiveBytes(ctx, req, { length, sha256: expected.sha256, md5: expected.md5 });
  const part = { number: expected.number, sha256: staged.sha256, md5, length };
  try {
    await ctx.db.$transaction(async (tx) => {
      const { state } = await lockUpload(tx, ctx, upload.id);
      if (state !== "open") throw new AppError("ota.conflicting_entity", "The upload is whole already.");
      await store.putPart(tx, upload.id, part, ctx.clock());
      await keepBytes(tx, staged);
    }, KEEPING);
  } finally {
    await staged.discard();
  }
  const before = upload.parts.find(({ number }) => number === part.number);
  if (before !== undefined && before.sha256 !== part.sha256) await removeUnlisted(ctx, [before.sha256]);
  return part;
}

/**
 * Puts the parts of a tool's upload together. The bytes then wait for a signed list that names them.
 *
 * @param eTags of every part, as they were answered
 * @throws AppError `ota.missing_entity` | `ota.invalid_entity` (parts are missing, or others than named) | `image.exists`
 */
export async function completeToolUpload(
  ctx: ImageRepoCtx,
  { uploadId, filename, eTags }: { uploadId: string; filename: string; eTags: ReadonlyMap<number, string> },
): Promise<void> {
  const upload = await getUpload(ctx, uploadId);
  if (upload.kind !== "cli" || upload.filename !== filename) {
    throw new AppError("ota.missing_entity", "Missing entity: Upload");
  }
  if (upload.state === "received") return;
  for (const { number, md5 } of upload.parts) {
    if (eTags.get(number)?.replaceAll('"', "") === md5) continue;
    throw new AppError("ota.invalid_entity", `Part ${number} is not the one that its ETag names.`);
  }
  const staged = await assemble(ctx, upload);
  if (staged === null) return;
  try {
    await ctx.db.$transaction(async (tx) => {
      const now = await lockUpload(tx, ctx, uploadId);
      if (now.state === "received") return;
      if (!isDeepStrictEqual(now.parts, upload.parts)) {
        throw new AppError("ota.conflicting_entity", "A part arrived anew meanwhile.");
      }
      await assertBytesFit(tx, ctx, { filename, ...staged });
      await store.dropReceived(tx, ctx.namespaceId, filename);
      await store.endUpload(tx, uploadId, staged.sha256, ctx.clock());
      await keepBytes(tx, staged);
    }, KEEPING);
  } finally {
    await staged.discard();
  }
  await removeUnlisted(ctx, keysOf(upload));
}

/**
 * Receives a tool's file in one piece.
 *
 * @throws AppError as {@link receivePart} and {@link completeToolUpload}
 */
export async function receiveToolFile(
  ctx: ImageRepoCtx,
  req: IncomingMessage,
  file: { filename: string; length: number; md5: string | null },
): Promise<{ md5: string }> {
  const { filename, length } = file;
  const { staged, md5 } = await receiveBytes(ctx, req, { length, md5: file.md5 });
  try {
    await ctx.db.$transaction(async (tx) => {
      await assertBytesFit(tx, ctx, { filename, ...staged });
      await store.dropReceived(tx, ctx.namespaceId, filename);
      await store.insertUpload(tx, ctx.namespaceId, {
        ...{ id: randomUUID(), filename, kind: "cli", state: "received", length, partSize: 0, expectSha256: null },
        ...{ fields: null, sha256: staged.sha256, at: ctx.clock() },
      });
      await keepBytes(tx, staged);
    }, KEEPING);
  } finally {
    await staged.discard();
  }
  return { md5 };
}

/**
 * Puts the parts of an image together, compares the digest that was announced, and lists the image. May be repeated.
 *
 * @returns the name it is listed under
 * @throws AppError `ota.missing_entity` | `ota.invalid_entity` (parts are missing) | `uptane.hash_mismatch`, and those of `addImage`
 */
export async function completeImageUpload(ctx: ImageRepoCtx, repoId: string, uploadId: string): Promise<string> {
  const upload = await getUpload(ctx, uploadId);
  if (upload.fields === null) throw new AppError("ota.missing_entity", "Missing entity: Upload");
  if (upload.state === "received") return upload.filename;
  const staged = await assemble(ctx, upload);
  if (staged === null) return upload.filename;
  await addImage(ctx, repoId, { filename: upload.filename, ...upload.fields }, staged);
  await ctx.db.$transaction(async (tx) => {
    await lockUpload(tx, ctx, uploadId);
    await store.endUpload(tx, uploadId, null, ctx.clock());
  });
  await removeUnlisted(ctx, keysOf(upload));
  return upload.filename;
}

/** Gives an upload up; what it left goes at once. @throws AppError `ota.missing_entity` */
export async function abortUpload(ctx: ImageRepoCtx, uploadId: string): Promise<void> {
  const upload = await getUpload(ctx, uploadId);
  await store.deleteUpload(ctx.db, ctx.namespaceId, uploadId);
  await removeUnlisted(ctx, keysOf(upload));
}

/** Gives up what nobody went on with, in all namespaces; the sweep of bytes takes the rest. The worker's job. @returns how many */
export async function dropStaleUploads(ctx: Pick<ImageRepoCtx, "db" | "clock">): Promise<number> {
  const now = ctx.clock().getTime();
  const before = { open: new Date(now - OPEN_KEPT_MS), received: new Date(now - RECEIVED_KEPT_MS) };
  return store.deleteStaleUploads(ctx.db, before);
}

function assertLength(length: number): void {
  if (length <= UPLOAD_MAX_BYTES) return;
  throw new AppError("ota.payload_too_large", `At most ${UPLOAD_MAX_BYTES} bytes are accepted.`);
}

/** A listed name takes no upload, except for the very bytes it has. */
export async function assertNameFree(
  ctx: ImageRepoCtx,
  { filename, length, sha256 }: Pick<NewUpload, "filename" | "length" | "sha256">,
): Promise<void> {
  assertLength(length);
  const listed = await findImage(ctx.db, ctx.namespaceId, filename);
  if (listed === null || (listed.sha256 === sha256 && listed.length === length)) return;
  throw new AppError("ota.conflicting_entity", "Entity already exists: TargetItem");
}

/** @see docs/decisions/008-immutable-image-names.md */
async function assertBytesFit(
  tx: Tx,
  ctx: ImageRepoCtx,
  { filename, sha256 }: { filename: string; sha256: string },
): Promise<void> {
  const known =
    (await findImage(tx, ctx.namespaceId, filename)) ?? (await findTombstone(tx, ctx.namespaceId, filename));
  if (known !== null && known.sha256 !== sha256) throw otherBytes(false);
}

async function lockUpload(tx: Tx, ctx: ImageRepoCtx, uploadId: string): Promise<store.UploadRow> {
  await lockInTransaction(tx, `image-upload:${uploadId}`);
  const upload = await store.findUpload(tx, ctx.namespaceId, uploadId);
  if (upload === null) throw new AppError("ota.missing_entity", "Missing entity: Upload");
  return upload;
}

async function receiveBytes(
  ctx: ImageRepoCtx,
  req: IncomingMessage,
  expected: { length: number; sha256?: string | undefined; md5: string | null },
): Promise<{ staged: StagedBlob; md5: string }> {
  const hash = createHash("md5");
  const tap = async function* (source: AsyncIterable<Uint8Array>) {
    for await (const chunk of source) {
      hash.update(chunk);
      yield chunk;
    }
  };
  const blobs: Parameters<typeof receiveUpload>[1] = {
    stage: (source, limits) => ctx.blobs.stage(tap(source), limits),
  };
  const { staged } = await receiveUpload(req, blobs, { maxBytes: expected.length, expectSha256: expected.sha256 });
  const md5 = hash.digest();
  try {
    if (staged.length !== expected.length) {
      throw new AppError("ota.invalid_entity", `${staged.length} bytes arrived, ${expected.length} were announced.`);
    }
    if (expected.md5 !== null && expected.md5 !== md5.toString("base64")) {
      throw new AppError("uptane.hash_mismatch", "The bytes that arrived do not have the MD5 that was announced.");
    }
  } catch (error) {
    await staged.discard();
    throw error;
  }
  return { staged, md5: md5.toString("hex") };
}

/**
 * @returns null when another call has ended the upload meanwhile, and removed its parts
 * @throws AppError `ota.invalid_entity` | `uptane.hash_mismatch` | `image.storage_mismatch`
 */
async function assemble(ctx: ImageRepoCtx, upload: store.UploadRow): Promise<StagedBlob | null> {
  const missing = partCount(upload) - upload.parts.length;
  if (missing > 0) throw new AppError("ota.invalid_entity", `${missing} parts are missing.`);
  const { length, expectSha256 } = upload;
  const limits = { maxBytes: length, expectSha256: expectSha256 ?? undefined };
  try {
    return await ctx.blobs.stage(bytesOf(ctx, upload), limits);
  } catch (error) {
    if (!isAppError(error, "image.storage_mismatch")) throw error;
    if ((await getUpload(ctx, upload.id)).state === "received") return null;
    throw error;
  }
}

async function* bytesOf(ctx: ImageRepoCtx, upload: store.UploadRow): AsyncIterable<Uint8Array> {
  for (const { sha256, number } of upload.parts) {
    const opened = await ctx.blobs.open(sha256);
    if (opened === null) throw new AppError("image.storage_mismatch", `The bytes of part ${number} are gone.`);
    yield* opened.stream;
  }
}

function keysOf(upload: store.UploadRow): string[] {
  return upload.parts.map(({ sha256 }) => sha256);
}
