import type { Ctx } from "#lib/ctx.ts";
import { isAppError } from "#lib/errors/app-error.ts";
import { LEFT_FOR_WORKER_MS, type RoleName, refreshRoles } from "./roles.ts";
import * as store from "./store.ts";

export type { ImageRepoCtx } from "./images.ts";
export { holdImages, sweepBlobs } from "./images.ts";
export { type AddedImage, settleAdded, takeAdded } from "./store-added.ts";
export { dropStaleUploads } from "./uploads.ts";

const REFRESH_BATCH = 200;

/**
 * Renews image metadata well before devices would find it expired, in all namespaces: timestamps with less than eight
 * hours left, the others with less than three days. The worker's job; run it at least hourly.
 *
 * @returns how many repositories were renewed; at most 200 a call
 */
export async function refreshImageRoles(ctx: Ctx): Promise<number> {
  const roles: RoleName[] = ["targets", "snapshot", "timestamp"];
  const due = roles.map((role) => ({ role, before: new Date(ctx.clock().getTime() + LEFT_FOR_WORKER_MS[role]) }));
  let renewed = 0;
  for (const { repoId, namespaceId } of await store.reposWithRolesExpiring(ctx.db, due, REFRESH_BATCH)) {
    try {
      if (await refreshRoles({ ...ctx, namespaceId }, repoId, LEFT_FOR_WORKER_MS)) renewed += 1;
    } catch (error) {
      // One repository's lost key must not let the others expire.
      if (!isAppError(error, "keys.unsealable")) throw error;
      ctx.log.error({ err: error, repoId }, "image metadata can't be re-signed and will expire");
    }
  }
  return renewed;
}
