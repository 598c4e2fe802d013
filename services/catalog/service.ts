import type { Readable } from "node:stream";
import { type Actor, requirePermission } from "#lib/authz/actor.ts";
import type { BackendCtx } from "#lib/backends/backends.ts";
import type { Image } from "#lib/contracts/console/images.ts";
import { publishEvent } from "#lib/db/events.ts";
import { AppError } from "#lib/errors/app-error.ts";
import { auditBackendChange } from "#services/audit/service.ts";
import { countAssigned } from "#services/fleet/service.ts";
import { verifyUploadedImage } from "#services/verification/service.ts";
import { getImage } from "./images.ts";
import { assertNew } from "./names.ts";
import { openUploadForm, type UploadForm } from "./upload-form.ts";

export { getImage, listImages } from "./images.ts";
export { completeUpload, deleteUpload, getUpload, openUpload, putUploadPart } from "./uploads.ts";

/**
 * Takes an image from a multipart form into the repository.
 *
 * @param upload.body the form as it comes from the caller; read on in any case, so that a refusal can be read
 * @throws AppError `auth.forbidden` | `request.invalid` | `request.unsupported_media_type` | `request.too_large` | `image.exists` |
 *   `image.invalid` | `backend.*`
 */
export async function uploadImage(
  ctx: BackendCtx,
  actor: Actor,
  upload: { contentType: string; body: Readable },
): Promise<Image> {
  requirePermission(actor, "image.upload");
  const form = await openUploadForm(upload.body, upload.contentType);
  form.file.on("error", () => undefined); // told by whoever reads it; before that, nobody does
  try {
    await assertNew(ctx, form.fields.filename);
    await send(ctx, actor, form);
  } catch (error) {
    form.abandon();
    throw error;
  }
  const image = await getImage(ctx, actor, form.fields.filename);
  if (image.verification.state !== "not_checked") return image;
  await verifyUploadedImage(ctx, image); // an external repository does not look for itself
  return getImage(ctx, actor, form.fields.filename);
}

/** @throws AppError `auth.forbidden` | `image.not_found` | `image.in_use` | `backend.*` */
export async function deleteImage(ctx: BackendCtx, actor: Actor, filename: string): Promise<void> {
  requirePermission(actor, "image.delete");
  const { sha256, length } = await ctx.backends.reposerver.getImage(ctx, filename);
  const entry = {
    action: "image.delete" as const,
    target: { kind: "image" as const, id: filename, name: filename },
    before: { sha256, length },
  };
  await assertUnused(ctx, filename);
  await auditBackendChange(ctx, { actor, entry }, async (finish) => {
    await ctx.backends.reposerver.deleteImage(ctx, filename);
    await ctx.db.$transaction(async (tx) => {
      await publishEvent(tx, ctx.namespaceId, { topic: "image", subjectId: filename });
      await finish(tx, {});
    });
  });
}

/** The embedded repository looks for itself, under its own lock; an external one knows nothing of what this install has assigned. */
async function assertUnused(ctx: BackendCtx, filename: string): Promise<void> {
  if (ctx.config.REPOSERVER_URL === undefined) return;
  const assigned = await countAssigned(ctx.db, ctx.namespaceId, filename);
  if (assigned === 0) return;
  const devices = assigned === 1 ? "device" : "devices";
  throw new AppError("image.in_use", `The image is assigned to ${assigned} ${devices}. Cancel the update first.`);
}

async function send(ctx: BackendCtx, actor: Actor, { fields, file, measured }: UploadForm): Promise<void> {
  const { filename, name, version, hardwareIds } = fields;
  const entry = {
    action: "image.upload" as const,
    target: { kind: "image" as const, id: filename, name: filename },
    after: { name, version, hardwareIds },
  };
  await auditBackendChange(ctx, { actor, entry }, async (finish) => {
    await ctx.backends.reposerver.uploadImage(ctx, { filename, name, version, hardwareIds, body: file });
    await ctx.db.$transaction(async (tx) => {
      await publishEvent(tx, ctx.namespaceId, { topic: "image", subjectId: filename });
      await finish(tx, measured());
    });
  });
}
