import { type Readable, Transform } from "node:stream";
import { type Actor, requirePermission } from "#lib/authz/actor.ts";
import type { BackendCtx } from "#lib/backends/backends.ts";
import type { Image } from "#lib/contracts/console/images.ts";
import { type OpenUpload, UPLOAD_PART_MAX_BYTES, type Upload } from "#lib/contracts/console/uploads.ts";
import type { UploadState } from "#lib/contracts/ota/image-uploads.ts";
import { publishEvent } from "#lib/db/events.ts";
import { AppError } from "#lib/errors/app-error.ts";
import { auditBackendChange } from "#services/audit/service.ts";
import { getImage } from "./images.ts";
import { assertNew } from "./names.ts";

/**
 * Begins an upload that comes in parts, in any order, over as many connections and days as it takes.
 *
 * @throws AppError `auth.forbidden` | `image.exists` | `image.invalid` | `upload.unsupported` | `backend.*`
 */
export async function openUpload(ctx: BackendCtx, actor: Actor, input: OpenUpload): Promise<Upload> {
  requirePermission(actor, "image.upload");
  const filename = `${input.name}_${input.version}`;
  await assertNew(ctx, filename);
  return toUpload(await ctx.backends.reposerver.uploads.open(ctx, { ...input, filename }));
}

/** @throws AppError `auth.forbidden` | `upload.not_found` | `backend.*` */
export async function getUpload(ctx: BackendCtx, actor: Actor, id: string): Promise<Upload> {
  requirePermission(actor, "image.upload");
  return toUpload(await ctx.backends.reposerver.uploads.get(ctx, id));
}

/**
 * Takes one part, durable before this returns; the same part may come again.
 *
 * @throws AppError `auth.forbidden` | `upload.not_found` | `image.invalid` (not its length, or not its digest) | `request.too_large` | `backend.*`
 */
export async function putUploadPart(
  ctx: BackendCtx,
  actor: Actor,
  part: { id: string; number: number; sha256: string | undefined; body: Readable },
): Promise<void> {
  requirePermission(actor, "image.upload");
  const { id, number, sha256 } = part;
  const body = bounded(part.body);
  await ctx.backends.reposerver.uploads.putPart(ctx, { id, number, body, ...(sha256 === undefined ? {} : { sha256 }) });
}

/**
 * Makes an image of an upload whose parts are all here, when the whole has the digest that was announced. Asking again is safe.
 *
 * @throws AppError `auth.forbidden` | `upload.not_found` | `image.exists` | `image.invalid` | `backend.*`
 */
export async function completeUpload(ctx: BackendCtx, actor: Actor, id: string): Promise<Image> {
  requirePermission(actor, "image.upload");
  const { uploads } = ctx.backends.reposerver;
  const { filename, length } = await uploads.get(ctx, id);
  const entry = {
    action: "image.upload" as const,
    target: { kind: "image" as const, id: filename, name: filename },
    after: { length },
  };
  await auditBackendChange(ctx, { actor, entry }, async (finish) => {
    await uploads.complete(ctx, id);
    const { sha256, name, version, hardwareIds } = await ctx.backends.reposerver.getImage(ctx, filename);
    await ctx.db.$transaction(async (tx) => {
      await publishEvent(tx, ctx.namespaceId, { topic: "image", subjectId: filename });
      await finish(tx, { sha256, name, version, hardwareIds });
    });
  });
  return getImage(ctx, actor, filename);
}

/** @throws AppError `auth.forbidden` | `upload.not_found` | `backend.*` */
export async function deleteUpload(ctx: BackendCtx, actor: Actor, id: string): Promise<void> {
  requirePermission(actor, "image.upload");
  await ctx.backends.reposerver.uploads.abort(ctx, id);
}

function toUpload({ uploadId, filename, length, partSize, partCount, parts }: UploadState): Upload {
  return { id: uploadId, filename, length, partSize, partCount, parts };
}

/** The repository judges the length itself; this keeps a body without an end from reaching it. */
function bounded(source: Readable): Readable {
  let length = 0;
  const bound = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      length += chunk.length;
      if (length <= UPLOAD_PART_MAX_BYTES) done(null, chunk);
      else done(new AppError("request.too_large", `A part may have at most ${UPLOAD_PART_MAX_BYTES} bytes.`));
    },
  });
  source.on("error", (cause) => bound.destroy(new AppError("request.invalid", "The part broke off.", { cause })));
  // Refused or broken: read on, so that the caller who still sends gets to read why.
  bound.on("close", () => source.unpipe(bound).resume());
  return source.pipe(bound);
}
