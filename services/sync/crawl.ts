import type { BackendCtx } from "#lib/backends/backends.ts";
import type { ListedDevice } from "#lib/backends/device-registry.ts";
import { upsertDevices } from "#services/fleet/service.ts";
import * as store from "./store.ts";

const PAGE = 500;
const LEASE_MS = 60_000;
const PAUSE_MS = 300_000;

/**
 * Reads pages of all devices until the crawl ends, the time is up or the process stops; the next turn goes on where this one stopped, in
 * whatever process. After the last page, a pause of five minutes.
 *
 * @param limits.pages how many this turn reads at most
 * @returns whether it is at an end for now
 * @throws AppError `backend.*`: what was read stays
 */
export async function crawl(ctx: BackendCtx, limits: { pages: number }): Promise<boolean> {
  const now = ctx.clock();
  const lease = () => new Date(ctx.clock().getTime() + LEASE_MS);
  const restartBefore = new Date(now.getTime() - PAUSE_MS);
  const taken = await store.takeCrawl(ctx.db, ctx.namespaceId, { now, until: lease(), restartBefore });
  if (taken === null) return true;
  let { offset } = taken;
  let finishedAt: Date | null = null;
  try {
    for (let page = 0; page < limits.pages && finishedAt === null; page += 1) {
      const listed = await readPage(ctx, { offset, crawl: taken.crawl });
      offset += listed;
      if (listed < PAGE) finishedAt = ctx.clock();
      else await store.moveCrawl(ctx.db, ctx.namespaceId, { offset, finishedAt, leaseUntil: lease() });
    }
    if (finishedAt !== null) await endCrawl(ctx, taken.crawl);
  } finally {
    await store.moveCrawl(ctx.db, ctx.namespaceId, { offset, finishedAt, leaseUntil: null });
  }
  return finishedAt !== null;
}

/** @returns how many devices the page has */
async function readPage(ctx: BackendCtx, { offset, crawl }: { offset: number; crawl: number }): Promise<number> {
  const window = { offset, limit: PAGE };
  const { registry, director } = ctx.backends;
  if (ctx.config.DEVICE_REGISTRY_URL === undefined) {
    const { uuids } = await director.listDevices(ctx, window);
    const known = uuids.filter(isUuid);
    const digests = known.length === 0 ? null : await director.digestDevices(ctx, known);
    // A director that does not say what has changed: each device is read once a crawl.
    const devices = known.map((uuid) => ({ uuid, digest: digests?.get(uuid) ?? String(crawl) }));
    await ctx.db.$transaction((tx) => store.noteListed(tx, ctx.namespaceId, { crawl, at: ctx.clock(), devices }));
    return uuids.length;
  }
  const { devices } = await registry.listDevices(ctx, window);
  await ctx.db.$transaction(async (tx) => {
    await upsertDevices(tx, ctx.namespaceId, distinct(devices).map(toFleet));
    const listed = distinct(devices).map((device) => ({ uuid: device.uuid, digest: digestOf(device) }));
    await store.noteListed(tx, ctx.namespaceId, { crawl, at: ctx.clock(), devices: listed });
  });
  return devices.length;
}

/** Devices are gone only when the registry owns them. */
async function endCrawl(ctx: BackendCtx, crawl: number): Promise<void> {
  if (ctx.config.DEVICE_REGISTRY_URL === undefined) return;
  const at = ctx.clock();
  await ctx.db.$transaction((tx) => store.markUnlisted(tx, ctx.namespaceId, { crawl, at }));
}

export function toFleet({ uuid, deviceName, deviceId, createdAt }: ListedDevice) {
  return { uuid, name: deviceName, deviceId, createdAt };
}

/** A page that shifted while it was made may list a device twice, and one statement can't write a row twice. */
function distinct(devices: readonly ListedDevice[]): ListedDevice[] {
  return [...new Map(devices.map((device) => [device.uuid, device])).values()];
}

function digestOf({ deviceStatus, lastSeen }: ListedDevice): string {
  return `${deviceStatus} ${lastSeen?.getTime() ?? ""}`.slice(0, 200);
}

function isUuid(text: string): boolean {
  return /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text);
}
