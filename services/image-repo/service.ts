import type { Ctx } from "#lib/ctx.ts";
import { isAppError } from "#lib/errors/app-error.ts";
import { refreshRoles } from "./roles.ts";
import * as store from "./store.ts";
import { LEFT_FOR_WORKER_MS, ORDER } from "./terms.ts";

export type { ImageRepoCtx } from "./images.ts";
export { holdImages, sweepBlobs } from "./images.ts";
export { type AddedImage, settleAdded, takeAdded } from "./store-added.ts";
export { dropStaleUploads } from "./uploads.ts";
export { ownRepository } from "./verification.ts";

const REFRESH_BATCH = 200;

/**
 * Renews image metadata well before devices would find it expired, in all namespaces: timestamps with less than eight
 * hours left, the others with less than three days. Targets whose keys are offline run out, unless somebody signs new ones.
 * The worker's job; run it at least hourly.
 *
 * @returns how many repositories were renewed
 */
export async function refreshImageRoles(ctx: Ctx): Promise<number> {
  const due = ORDER.map((role) => ({ role, before: new Date(ctx.clock().getTime() + LEFT_FOR_WORKER_MS[role]) }));
  let renewed = 0;
  for (let after: string | null = null; ; ) {
    const page = await store.reposWithRolesExpiring(ctx.db, due, { after, limit: REFRESH_BATCH });
    for (const { repoId, namespaceId } of page) {
      if (await renew({ ...ctx, namespaceId }, repoId)) renewed += 1;
    }
    if (page.length < REFRESH_BATCH) return renewed;
    after = page.at(-1)?.repoId ?? null;
  }
}

async function renew(ctx: Ctx, repoId: string): Promise<boolean> {
  try {
    return await refreshRoles(ctx, repoId, LEFT_FOR_WORKER_MS);
  } catch (error) {
    // One repository's lost or offline key must not let the others expire.
    if (!isAppError(error, "keys.unsealable") && !isAppError(error, "ota.role_key_not_found")) throw error;
    ctx.log.error({ err: error, repoId }, "image metadata can't be re-signed and will expire");
    return false;
  }
}
