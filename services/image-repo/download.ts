import type { FastifyReply, FastifyRequest } from "fastify";
import { AppError } from "#lib/errors/app-error.ts";
import { parseRange } from "#lib/http/range.ts";
import type { ImageRepoCtx } from "./images.ts";
import * as store from "./store.ts";

/**
 * Sends the bytes of an image, or the one range that was asked for: a device resumes a broken download so. For one that is
 * kept elsewhere it says where.
 *
 * @throws AppError `ota.target_not_found` | `ota.range_not_satisfiable` | `ota.no_uri_for_unmanaged_target` |
 *   `image.storage_mismatch` (listed, but the bytes are gone)
 * @see contracts/aktualizr-client.md section 6; RFC 9110 section 14
 */
export async function sendImage(
  ctx: ImageRepoCtx,
  filename: string,
  req: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const image = await describeImage(ctx, filename, reply);
  if (image.blobKey === null) {
    if (image.uri !== null) return reply.removeHeader("accept-ranges").redirect(image.uri, 302);
    throw new AppError("ota.no_uri_for_unmanaged_target", "The bytes of this image are not kept here.");
  }
  const range = isCurrent(req, image) ? parseRange(req.headers.range, image.length) : null;
  if (range === "unsatisfiable") {
    reply.header("content-range", `bytes */${image.length}`);
    throw new AppError("ota.range_not_satisfiable", `The image has ${image.length} bytes.`);
  }
  const opened = await ctx.blobs.open(image.blobKey, range ?? undefined);
  if (opened === null) {
    ctx.log.error({ filename, key: image.blobKey }, "the bytes of a listed image are gone");
    throw new AppError("image.storage_mismatch", "The bytes of this image are gone.");
  }
  if (range !== null) reply.code(206).header("content-range", `bytes ${range.start}-${range.end}/${image.length}`);
  return reply.header("content-length", opened.length).send(opened.stream);
}

/** The headers of an image without its bytes. @throws AppError `ota.target_not_found` */
export async function describeImage(ctx: ImageRepoCtx, filename: string, reply: FastifyReply): Promise<store.ImageRow> {
  const image = await store.findImage(ctx.db, ctx.namespaceId, filename);
  if (image === null) throw new AppError("ota.target_not_found", "There is no such image.");
  reply.type("application/octet-stream").header("accept-ranges", "bytes").header("etag", etagOf(image));
  return image;
}

/** A range of other bytes than the client already has would make a mixed file. */
function isCurrent(req: FastifyRequest, image: store.ImageRow): boolean {
  const given = req.headers["if-range"];
  return given === undefined || given === etagOf(image);
}

function etagOf(image: store.ImageRow): string {
  return `"${image.sha256}"`;
}
