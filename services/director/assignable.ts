import type { MtuTargets } from "#lib/contracts/ota/director.ts";
import type { Ctx } from "#lib/ctx.ts";
import type { Tx } from "#lib/db/client.ts";
import { AppError } from "#lib/errors/app-error.ts";
import { holdImages } from "#services/image-repo/service.ts";
import { findRepo, offlineRoles } from "#services/keyserver/service.ts";
import type { CheckImages } from "#services/verification/service.ts";

/** What assigning needs: the usual, and who looks at images first. */
export type AssigningCtx = Ctx & { readonly checkImages: CheckImages };

/** Called every second, for several updates: what takes longer is ready at a later turn. */
export const TURN_WAITS_MS = 500;

/**
 * Has the images looked at; outside of any transaction, since one may have gigabytes.
 *
 * @throws AppError `ota.image_being_checked` | `backend.*`
 */
export async function checkTargets(ctx: AssigningCtx, targets: MtuTargets, withinMs?: number): Promise<void> {
  await ctx.checkImages(ctx, filenamesOf(targets), withinMs);
}

/**
 * Refuses what no device could ever carry out. Call it first in the transaction that assigns: from then on none of the images is deleted
 * until it ends.
 *
 * @throws AppError `ota.invalid_mtu` (an image was deleted) | `ota.role_key_not_found` (no device could be told)
 */
export async function assertAssignable(tx: Tx, ctx: Ctx, targets: MtuTargets): Promise<void> {
  const [deleted] = await holdImages(tx, ctx.namespaceId, filenamesOf(targets));
  if (deleted !== undefined) {
    throw new AppError("ota.invalid_mtu", `The image ${deleted} was deleted. Upload it again, or choose another.`);
  }
  const offline = await listOffline(tx, ctx);
  if (offline.length === 0) return;
  throw new AppError(
    "ota.role_key_not_found",
    `The director can't sign: a private key of ${offline.join(", ")} is offline, so no device would hear of the assignment. Rotate the director's root, or give it a root with keys that are here.`,
  );
}

/** Which of the roles that a device must get with every assignment can't be signed here; none where no device can have registered. */
export async function listOffline(tx: Tx, ctx: Ctx): Promise<string[]> {
  const repo = await findRepo(tx, ctx.namespaceId, "director");
  return repo === null
    ? []
    : offlineRoles({ keys: ctx.keys, db: tx }, repo.repoId, ["targets", "snapshot", "timestamp"]);
}

export function filenamesOf(targets: MtuTargets): string[] {
  return [...new Set(Object.values(targets).map(({ to }) => to.target))];
}
