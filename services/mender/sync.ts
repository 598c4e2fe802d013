import { createHash } from "node:crypto";
import type { MenderDevice } from "#lib/contracts/mender.ts";
import { forgetMenderDevices, listUnlistedMender, type MenderRow, showMenderDevices } from "#services/fleet/service.ts";
import type { MenderCtx } from "./ctx.ts";
import { digestOfSet } from "./keys.ts";
import { type Bound, findBound, noteManyIds } from "./store-bindings.ts";
import * as store from "./store-sync.ts";
import { withToken } from "./token.ts";

const PER_PAGE = 500;
/** A million devices. */
const MOST_PAGES = 2_000;
const PAUSE_MS = 60_000;
const LEASE_MS = 120_000;

/**
 * Reads the Mender server's list into the fleet index, at most once a minute and by one worker. Pages shift while they are read, so
 * a device that a complete reading did not list is asked for by its id before it is forgotten; a reading that breaks off forgets nothing.
 *
 * @returns whether it was this worker's turn
 * @throws AppError `mender.*` | `backend.*`
 */
export async function syncMender(ctx: MenderCtx): Promise<boolean> {
  if (ctx.backends.mender === null) return false;
  const crawl = await store.takeTurn(ctx.db, ctx.namespaceId, {
    now: ctx.clock(),
    pauseMs: PAUSE_MS,
    leaseMs: LEASE_MS,
  });
  if (crawl === null) return false;
  let devices = 0;
  for (let page = 1; page <= MOST_PAGES; page++) {
    const listed = await withToken(ctx, (mender, token) => mender.listDevices(ctx, token, { page, perPage: PER_PAGE }));
    await showPage(ctx, listed, crawl);
    devices += listed.length;
    if (listed.length < PER_PAGE) break;
    await store.prolong(ctx.db, ctx.namespaceId, { crawl, until: new Date(ctx.clock().getTime() + LEASE_MS) });
  }
  await forgetGone(ctx, crawl);
  await store.finish(ctx.db, ctx.namespaceId, { crawl, devices, now: ctx.clock() });
  return true;
}

async function showPage(ctx: MenderCtx, listed: readonly MenderDevice[], crawl: number): Promise<void> {
  const sets = listed.flatMap((device) =>
    (device.auth_sets ?? []).flatMap((set) => {
      const keySha256 = digestOfSet(set);
      return keySha256 === null ? [] : [{ keySha256, menderDeviceId: device.id, authSetId: set.id }];
    }),
  );
  const bound = await findBound(ctx.db, ctx.namespaceId, [...new Set(sets.map(({ keySha256 }) => keySha256))]);
  const owners = new Map<string, Bound>();
  for (const { menderDeviceId, keySha256 } of sets) {
    const owner = bound.get(keySha256);
    if (owner !== undefined) owners.set(menderDeviceId, owner);
  }
  await ctx.db.$transaction(async (tx) => {
    await noteManyIds(
      tx,
      ctx.namespaceId,
      sets.filter(({ keySha256 }) => bound.has(keySha256)),
    );
    const rows = listed.map((device) => toRow(device, owners.get(device.id)));
    await showMenderDevices(tx, ctx.namespaceId, { rows: distinct(rows), crawl, now: ctx.clock() });
  });
}

async function forgetGone(ctx: MenderCtx, crawl: number): Promise<void> {
  let after = "";
  for (let page = 0; page < MOST_PAGES; page++) {
    const unlisted = await listUnlistedMender(ctx.db, ctx.namespaceId, { crawl, after, limit: PER_PAGE });
    if (unlisted.length === 0) return;
    const ids = unlisted.map(({ menderId }) => menderId);
    const found = await withToken(ctx, (mender, token) => mender.searchDevices(ctx, token, ids));
    const still = new Set(found.map(({ id }) => id));
    const gone = unlisted.filter(({ menderId }) => !still.has(menderId));
    await ctx.db.$transaction((tx) =>
      forgetMenderDevices(
        tx,
        ctx.namespaceId,
        gone.map(({ uuid }) => uuid),
      ),
    );
    after = ids.at(-1) ?? after;
  }
}

function toRow(device: MenderDevice, owner: Bound | undefined): MenderRow {
  return {
    uuid: owner?.deviceUuid ?? uuidOf(device.id),
    menderId: device.id,
    status: device.status,
    name: nameOf(device),
    checkedInAt: instant(device.check_in_time),
    createdAt: instant(device.created_ts),
    isOurs: owner !== undefined,
  };
}

/** One row a device of ours, also when two of Mender's have keys that came with it: the last one listed. */
function distinct(rows: readonly MenderRow[]): MenderRow[] {
  return [...new Map(rows.map((row) => [row.uuid, row])).values()];
}

/** What a person would know it by: the first field of its identity. */
function nameOf({ id, identity_data: identity }: MenderDevice): string {
  const [first] = Object.entries(identity ?? {}).sort(([a], [b]) => (a < b ? -1 : 1));
  if (first === undefined) return id;
  const [field, value] = first;
  return `${field} ${typeof value === "string" ? value : JSON.stringify(value)}`;
}

/** Ids are UUIDs; old servers gave others, which get one of their own. */
function uuidOf(id: string): string {
  if (/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(id)) return id;
  const hex = createHash("sha256").update(`mender device ${id}`).digest("hex");
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}

function instant(text: string | undefined): string | null {
  const at = new Date(text ?? "");
  return Number.isNaN(at.getTime()) ? null : at.toISOString();
}
