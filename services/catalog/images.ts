import { type Actor, requirePermission } from "#lib/authz/actor.ts";
import type { BackendCtx } from "#lib/backends/backends.ts";
import type { Page } from "#lib/contracts/console/common.ts";
import type { Image, ListImages } from "#lib/contracts/console/images.ts";
import { countImageUses } from "#services/fleet/service.ts";
import { getVerified, withVerification } from "#services/verification/service.ts";

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
