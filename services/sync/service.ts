import type { Config } from "#lib/config/load.ts";
import type { Ctx } from "#lib/ctx.ts";
import * as store from "./store.ts";

export { crawl } from "./crawl.ts";
export { refreshDirty } from "./refresh.ts";

/** Whether a back end that owns devices is somebody else's: the embedded ones write the fleet index themselves. */
export function isSyncNeeded(config: Pick<Config, "DEVICE_REGISTRY_URL" | "DIRECTOR_URL">): boolean {
  return config.DEVICE_REGISTRY_URL !== undefined || config.DIRECTOR_URL !== undefined;
}

/** Something of these devices has gone to an external back end: the worker reads them before all others, within seconds. */
export async function noteTraffic(ctx: Ctx, uuids: readonly string[]): Promise<void> {
  if (uuids.length === 0) return;
  await store.markDirty(ctx.db, ctx.namespaceId, { uuids, at: ctx.clock(), urgent: true });
}
