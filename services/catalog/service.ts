import type { Readable } from "node:stream";
import { type Actor, requirePermission } from "#lib/authz/actor.ts";
import type { BackendCtx } from "#lib/backends/backends.ts";
import type { Page } from "#lib/contracts/console/common.ts";
import type { Image, ListImages } from "#lib/contracts/console/images.ts";
import { publishEvent } from "#lib/db/events.ts";
import { AppError, isAppError } from "#lib/errors/app-error.ts";
import { auditBackendChange } from "#services/audit/service.ts";
import { countImageUses } from "#services/fleet/service.ts";
import { getVerified, verifyUploadedImage, withVerification } from "#services/verification/service.ts";
import { openUploadForm, type UploadForm } from "./upload-form.ts";

const UNUSED = { installedOn: 0, assignedTo: 0 };

/** @throws AppError `auth.forbidden` | `request.invalid` (cursor) | `backend.*` */
export async function listImages(ctx: BackendCtx, actor: Actor, query: ListImages): Promise<Page<Image>> {
  requirePermission(actor, "image.read");
  const page = await ctx.backends.reposerver.listImages(ctx, query);
  const filenames = page.data.map(({ filename }) => filename);
  const [images, uses] = await Promise.all([
    withVerification(ctx, page.data),
    countImageUses(ctx.db, ctx.namespaceId, filenames),
  ]);
  return { ...page, data: images.map((image) => ({ ...image, ...(uses.get(image.filename) ?? UNUSED) })) };
}

/** @throws AppError `auth.forbidden` | `image.not_found` | `backend.*` */
export async function getImage(ctx: BackendCtx, actor: Actor, filename: string): Promise<Image> {
  requirePermission(actor, "image.read");
  const listed = await ctx.backends.reposerver.getImage(ctx, filename);
  const [image, uses] = await Promise.all([
    getVerified(ctx, listed),
    countImageUses(ctx.db, ctx.namespaceId, [filename]),
  ]);
  return { ...image, ...(uses.get(filename) ?? UNUSED) };
}

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
  await auditBackendChange(ctx, { actor, entry }, async (finish) => {
    await ctx.backends.reposerver.deleteImage(ctx, filename);
    await ctx.db.$transaction(async (tx) => {
      await publishEvent(tx, ctx.namespaceId, { topic: "image", subjectId: filename });
      await finish(tx, {});
    });
  });
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

/** The repository takes the same bytes again without a word; here a name is given once. */
async function assertNew(ctx: BackendCtx, filename: string): Promise<void> {
  try {
    await ctx.backends.reposerver.getImage(ctx, filename);
  } catch (error) {
    if (isAppError(error, "image.not_found")) return;
    throw error;
  }
  throw new AppError("image.exists", `There is an image ${filename} already. Give the new one another version.`);
}
