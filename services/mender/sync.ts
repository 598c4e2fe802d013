import { createHash } from "node:crypto";
import type { MenderDevice } from "#lib/contracts/mender.ts";
import { forgetMenderDevices, listUnlistedMender, type MenderRow, showMenderDevices } from "#services/fleet/service.ts";
import type { MenderCtx } from "./ctx.ts";
import { digestOfSet, identityDigest } from "./keys.ts";
import { addBindings, type Bound, findBound, listRevokedKeys, type NewBinding, noteManyIds } from "./store-bindings.ts";
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
      if (keySha256 === null) return [];
      return [
        { keySha256, menderDeviceId: device.id, authSetId: set.id, identity: device.identity_data, status: set.status },
      ];
    }),
  );
  const bound = await findBound(ctx.db, ctx.namespaceId, [...new Set(sets.map(({ keySha256 }) => keySha256))]);
  const owners = new Map<string, Bound>();
  for (const { menderDeviceId, keySha256 } of sets) {
    const owner = bound.get(keySha256);
    if (owner !== undefined) owners.set(menderDeviceId, owner);
  }
  const unbound = sets.filter(({ keySha256, status }) => !bound.has(keySha256) && status !== "rejected");
  const adopted = await revokedAmong(ctx, unbound);
  await ctx.db.$transaction(async (tx) => {
    await addBindings(tx, ctx.namespaceId, adopted);
    await noteManyIds(
      tx,
      ctx.namespaceId,
      sets
        .filter(({ keySha256 }) => bound.has(keySha256))
        .map(({ keySha256, menderDeviceId, authSetId }) => ({ keySha256, menderDeviceId, authSetId })),
    );
    const rows = listed.map((device) => toRow(device, owners.get(device.id)));
    await showMenderDevices(tx, ctx.namespaceId, { rows: distinct(rows), crawl, now: ctx.clock() });
  });
}

type ListedSet = { keySha256: string; menderDeviceId: string; authSetId: string; identity: unknown };

/**
 * Keys of revoked certificates that never came through the door, or whose binding was lost with a process that ended: bound now, so that
 * the revocation reaches the server, too. They came before everybody else: an identity that somebody uses stays theirs.
 */
async function revokedAmong(ctx: MenderCtx, sets: readonly ListedSet[]): Promise<NewBinding[]> {
  if (sets.length === 0) return [];
  const keys = [...new Set(sets.map(({ keySha256 }) => keySha256))];
  const revoked = await listRevokedKeys(ctx.db, ctx.namespaceId, { keys, now: ctx.clock() });
  const byKey = new Map(revoked.map((row) => [row.keySha256, row]));
  return sets.flatMap(({ keySha256, menderDeviceId, authSetId, identity }) => {
    const row = byKey.get(keySha256);
    if (row === undefined) return [];
    return [{ ...row, menderDeviceId, authSetId, identitySha256: identityDigest(identity ?? {}), at: new Date(0) }];
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
