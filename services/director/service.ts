import type { Ctx } from "#lib/ctx.ts";
import type { Tx } from "#lib/db/client.ts";
import { isAppError } from "#lib/errors/app-error.ts";
import { refreshRoles } from "./metadata.ts";
import { clearDevice } from "./store-admin.ts";
import { lockDevices } from "./store-devices.ts";
import { listExpiring } from "./store-roles.ts";
import { cancelAllOf } from "./store-updates.ts";

export { assignAddedImages } from "./auto-updates.ts";
export { startDueUpdates } from "./schedule.ts";

const DAY_MS = 86_400_000;
const REFRESH_BATCH = 100;
const NO_DEVICE = "00000000-0000-0000-0000-000000000000";

/**
 * Forgets a deleted device: its ECUs, assignments and manifests go; its metadata stays, so that versions keep rising if it ever comes back.
 * Manifests that are an update's evidence stay too. A device that is not known is fine.
 */
export async function deleteDevice(tx: Tx, ctx: Ctx, uuid: string): Promise<void> {
  const [device] = await lockDevices(tx, ctx.namespaceId, [uuid]);
  if (device === undefined) return;
  await clearDevice(tx, uuid, ctx.clock());
  await cancelAllOf(tx, uuid, ctx.clock());
}

/**
 * Re-signs metadata that runs out within a day, a batch of devices at a time, in all namespaces. For the worker; a device that asks
 * earlier gets it re-signed then.
 *
 * @returns how many devices were looked at, at most `maxDevices`
 */
export async function refreshDeviceRoles(ctx: Ctx, maxDevices = 1_000): Promise<number> {
  const before = new Date(ctx.clock().getTime() + DAY_MS);
  let after = NO_DEVICE;
  let seen = 0;
  while (seen < maxDevices) {
    const due = await listExpiring(ctx.db, before, { after, take: Math.min(REFRESH_BATCH, maxDevices - seen) });
    for (const { namespaceId, uuid } of due) await refreshOne({ ...ctx, namespaceId }, uuid);
    seen += due.length;
    const last = due.at(-1);
    if (last === undefined) break;
    after = last.uuid;
  }
  return seen;
}

/** One device whose keys can't be opened, or that was deleted meanwhile, must not let the others expire. */
async function refreshOne(ctx: Ctx, uuid: string): Promise<void> {
  try {
    await refreshRoles(ctx, uuid, DAY_MS);
  } catch (error) {
    if (!isAppError(error)) throw error;
    ctx.log.warn({ err: error, deviceUuid: uuid }, "a device's metadata can't be re-signed");
  }
}
