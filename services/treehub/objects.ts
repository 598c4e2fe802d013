import { createHash } from "node:crypto";
import type { IncomingMessage } from "node:http";
import type { FastifyReply, FastifyRequest } from "fastify";
import type { BlobStore } from "#lib/blobs/store.ts";
import type { Ctx } from "#lib/ctx.ts";
import { AppError } from "#lib/errors/app-error.ts";
import { parseRange } from "#lib/http/range.ts";
import { receiveUpload } from "#lib/http/receive-upload.ts";
import { formatObjectName, type ObjectName } from "#lib/ostree/names.ts";
import { verifiedObject } from "#lib/ostree/verify.ts";
import { findObject, listObject, lockBlob } from "./keeping.ts";
import * as store from "./store.ts";

/** What TreeHub needs: the usual, and where bytes are. */
export type TreehubCtx = Ctx & { readonly blobs: BlobStore };

/** The first part of the names of all that is kept here. */
export const BLOBS_BELOW = "treehub";
/** The contract's limit of a request. */
export const OBJECT_MAX_BYTES = 3_000_000_000;

/**
 * Receives an object, checks its bytes against its name as they come, and lists it once they are durable: there is no moment at
 * which it exists and is not whole. Of pushes of one object at the same time exactly one is told that it made it.
 *
 * @returns whether it came as a form, which has another answer
 * @throws AppError `ota.object_exists` (also before its bytes are read) | `ostree.*` (other bytes than the name says) |
 *   `request.too_large` | `ota.invalid_entity` (no body or no length) | `ota.request_canceled_by_upstream`; nothing is left then
 * @see contracts/treehub.md sections 1 and 3
 */
export async function storeObject(
  ctx: TreehubCtx,
  name: ObjectName,
  req: IncomingMessage,
): Promise<{ isForm: boolean }> {
  const blobKey = objectKey(ctx.namespaceId, name);
  if ((await findObject(ctx, blobKey)) !== null) {
    // What is left of the body is read and dropped; else the reply would never reach a client that still sends.
    req.resume();
    throw objectExists();
  }
  const isMultipart = /^multipart\/form-data/i.test(req.headers["content-type"] ?? "");
  if (!isMultipart && !(Number(req.headers["content-length"]) > 0)) {
    req.resume();
    throw new AppError("ota.invalid_entity", "An object comes with its Content-Length.");
  }
  const checked: Pick<BlobStore, "stage"> = {
    stage: (source, limits) => ctx.blobs.stage(verifiedObject(name, source), limits),
  };
  const { isForm, staged } = await receiveUpload(req, checked, { maxBytes: OBJECT_MAX_BYTES });
  try {
    const { namespaceId } = ctx;
    const facts = { name: formatObjectName(name), length: staged.length, createdAt: ctx.clock() };
    if (!(await listObject(ctx, { object: { namespaceId, blobKey, ...facts }, staged }))) throw objectExists();
    return { isForm };
  } finally {
    await staged.discard();
  }
}

/** The length of an object that can be had: listed, and its bytes are there. @returns null of any other */
export async function findLength(ctx: TreehubCtx, name: ObjectName): Promise<number | null> {
  const row = await findObject(ctx, objectKey(ctx.namespaceId, name));
  return row === null ? null : ((await ctx.blobs.stat(row.blobKey))?.length ?? null);
}

/**
 * Sends the bytes of an object, or the one range that was asked for.
 *
 * @throws AppError `ota.object_missing` | `ota.blob_missing` | `ota.range_not_satisfiable`
 */
export async function sendObject(
  ctx: TreehubCtx,
  name: ObjectName,
  req: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const row = await findObject(ctx, objectKey(ctx.namespaceId, name));
  if (row === null) throw objectMissing();
  return sendBlob(ctx, row, { req, reply, etag: `"${name.checksum}-${row.createdAt.getTime()}"` });
}

/** @throws AppError `ota.blob_missing` | `ota.range_not_satisfiable` */
export async function sendBlob(
  ctx: TreehubCtx,
  { blobKey, length }: { blobKey: string; length: number },
  { req, reply, etag }: { req: FastifyRequest; reply: FastifyReply; etag: string },
): Promise<FastifyReply> {
  const ifRange = req.headers["if-range"];
  const range = ifRange === undefined || ifRange === etag ? parseRange(req.headers.range, length) : null;
  if (range === "unsatisfiable") {
    reply.header("content-range", `bytes */${length}`);
    throw new AppError("ota.range_not_satisfiable", `There are ${length} bytes.`);
  }
  const opened = await ctx.blobs.open(blobKey, range ?? undefined);
  if (opened === null) {
    ctx.log.error({ blobKey }, "the bytes of a listed object are gone");
    throw new AppError("ota.blob_missing", "The bytes are gone.");
  }
  if (range !== null) reply.code(206).header("content-range", `bytes ${range.start}-${range.end}/${length}`);
  return reply
    .type("application/octet-stream")
    .header("accept-ranges", "bytes")
    .header("etag", etag)
    .header("content-length", opened.length)
    .send(opened.stream);
}

/** @throws AppError `ota.object_missing` */
export async function deleteObject(ctx: TreehubCtx, name: ObjectName): Promise<void> {
  if (!(await store.dropObject(ctx.db, ctx.namespaceId, formatObjectName(name)))) throw objectMissing();
  await removeUnlisted(ctx, objectKey(ctx.namespaceId, name));
}

/**
 * The bytes of a stored commit, for who wants to read it. They were checked when they came.
 *
 * @returns null when it is not here
 */
export async function readCommit(ctx: TreehubCtx, checksum: string): Promise<Buffer | null> {
  const row = await findObject(ctx, objectKey(ctx.namespaceId, { checksum, kind: "commit" }));
  const opened = row === null ? null : await ctx.blobs.open(row.blobKey);
  if (opened === null) return null;
  const chunks: Uint8Array[] = [];
  for await (const chunk of verifiedObject({ checksum, kind: "commit" }, opened.stream)) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** Removes bytes that nothing lists, unless something does by now. @returns whether it did */
export async function removeUnlisted(ctx: TreehubCtx, blobKey: string): Promise<boolean> {
  return ctx.db.$transaction(async (tx) => {
    await lockBlob(tx, blobKey);
    if ((await store.keysInUse(tx, [blobKey])).has(blobKey)) return false;
    await ctx.blobs.remove(blobKey);
    return true;
  });
}

/** Namespaces may have any characters, so their digest stands for them. */
export function keyOfNamespace(namespaceId: string): string {
  return `${BLOBS_BELOW}/${createHash("sha256").update(namespaceId).digest("hex")}`;
}

/** Where the bytes of an object are, when it is listed. */
export function objectKey(namespaceId: string, { checksum, kind }: ObjectName): string {
  return `${keyOfNamespace(namespaceId)}/objects/${checksum.slice(0, 2)}/${checksum.slice(2)}.${kind}`;
}

function objectExists(): AppError {
  return new AppError("ota.object_exists", "This object is here already.");
}

function objectMissing(): AppError {
  return new AppError("ota.object_missing", "There is no such object.");
}
