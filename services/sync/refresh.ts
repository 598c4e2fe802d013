import { randomUUID } from "node:crypto";
import type { BackendCtx } from "#lib/backends/backends.ts";
import { isAppError } from "#lib/errors/app-error.ts";
import {
  findForSync,
  recordContact,
  removeDevice,
  type SyncedRow,
  setEcus,
  upsertDevices,
} from "#services/fleet/service.ts";
import { showCertificates } from "#services/identity/service.ts";
import {
  findTargets,
  recordDeviceDeleted,
  recordProgressEverywhere,
  type TrackedProgress,
} from "#services/rollouts/service.ts";
import { toFleet } from "./crawl.ts";
import { type Facts, readFacts } from "./facts.ts";
import { findProof } from "./proof.ts";
import { type Decided, decideSteps } from "./steps.ts";
import * as store from "./store.ts";

const AT_ONCE = 8;
const BATCH = 64;
const CLAIM_MS = 120_000;
const AFTER_TROUBLE_MS = 3_000;
const AFTER_RUBBISH_MS = 300_000;
const AGAIN_MS = 3_000;
const UNHEARD_MS = 60_000;

/**
 * Reads the devices that something was heard of, those of the gateway first.
 *
 * @returns how many it has read
 */
export async function refreshDirty(ctx: BackendCtx): Promise<number> {
  const now = ctx.clock();
  if (ctx.config.DIRECTOR_URL !== undefined) {
    const unheardSince = new Date(now.getTime() - UNHEARD_MS);
    await store.markUnderWay(ctx.db, ctx.namespaceId, { at: now, unheardSince });
  }
  const until = new Date(now.getTime() + CLAIM_MS);
  const claimed = await store.claimDirty(ctx.db, ctx.namespaceId, { now, until, take: BATCH });
  const waiting = [...claimed];
  const work = async () => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) await refreshOrPostpone(ctx, next);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return claimed.length;
}

/** One device in trouble holds up no other, and a back end that is away costs little: its breaker knows. */
async function refreshOrPostpone(ctx: BackendCtx, claimed: store.Claimed): Promise<void> {
  try {
    await refreshDevice({ ...ctx, requestId: randomUUID() }, claimed);
  } catch (err) {
    const isAway = isAppError(err, "backend.unreachable") || isAppError(err, "backend.timeout");
    if (isAway) ctx.log.debug({ err, deviceUuid: claimed.uuid }, "a device waits for its back ends to be read");
    else ctx.log.warn({ err, deviceUuid: claimed.uuid }, "a device can't be read from its back ends");
    const notBefore = new Date(ctx.clock().getTime() + (isAway ? AFTER_TROUBLE_MS : AFTER_RUBBISH_MS));
    await store.postpone(ctx.db, ctx.namespaceId, { uuids: [claimed.uuid], notBefore });
  }
}

async function refreshDevice(ctx: BackendCtx, claimed: store.Claimed): Promise<void> {
  const { uuid } = claimed;
  const row = await findForSync(ctx.db, ctx.namespaceId, uuid);
  const facts = await readFacts(ctx, uuid, row);
  // The embedded director hears it from nobody else; an external one is its own registry's.
  if (facts === null && ctx.config.DIRECTOR_URL === undefined) await ctx.backends.director.forgetDevice(ctx, uuid);
  if (facts === null || (facts.listed === null && row === null)) {
    await removeGone(ctx, uuid);
    return;
  }
  const decided = await decide(ctx, claimed, { row, facts });
  const steps = await prove(ctx, uuid, { steps: decided.steps, facts });
  const isUnproven = steps.length < decided.steps.length;
  const at = ctx.clock();
  await ctx.db.$transaction(async (tx) => {
    const { listed, ecus } = facts;
    if (listed !== null) await upsertDevices(tx, ctx.namespaceId, [toFleet(listed)]);
    if (row?.certificateFingerprint == null) await showCertificates(tx, ctx, uuid);
    if (listed?.lastSeen != null && isNews(listed.lastSeen, row)) {
      await recordContact(tx, ctx.namespaceId, uuid, listed.lastSeen);
    }
    if (ecus !== null && JSON.stringify(ecus) !== JSON.stringify(row?.ecus ?? null)) {
      await setEcus(tx, ctx.namespaceId, uuid, ecus);
    }
    for (const step of steps) await recordProgressEverywhere(tx, ctx.namespaceId, { ...step, isReadAgain: true });
    const isOpen = decided.goneSince !== null || isUnproven;
    const again = isOpen ? new Date(at.getTime() + AGAIN_MS) : null;
    await store.settle(tx, ctx.namespaceId, { ...claimed, at, goneSince: decided.goneSince, again });
  });
}

async function removeGone(ctx: BackendCtx, uuid: string): Promise<void> {
  await ctx.db.$transaction(async (tx) => {
    await removeDevice(tx, ctx.namespaceId, uuid);
    await recordDeviceDeleted(tx, ctx.namespaceId, { deviceUuid: uuid, at: ctx.clock() });
    await store.forget(tx, ctx.namespaceId, uuid);
  });
}

const NEW_ROW: SyncedRow = {
  status: "never_seen",
  correlationId: null,
  lastSeenAt: null,
  lastManifestAt: null,
  certificateFingerprint: null,
  ecus: [],
};

async function decide(
  ctx: BackendCtx,
  claimed: store.Claimed,
  { row, facts }: { row: SyncedRow | null; facts: Facts },
): Promise<Decided> {
  const correlationId = row?.correlationId ?? null;
  return decideSteps({
    uuid: claimed.uuid,
    now: ctx.clock(),
    row: row ?? NEW_ROW,
    queue: facts.queue,
    ecus: facts.ecus,
    events: facts.events,
    reports: facts.reports,
    registryStatus: facts.listed?.deviceStatus ?? null,
    ended: facts.state?.ended ?? [],
    targets: correlationId === null ? null : await findTargets(ctx.db, ctx.namespaceId, correlationId),
    goneSince: claimed.goneSince,
  });
}

/** "Updated" goes with the manifest that proves it, where the director has it; one that does not hold concludes nothing. */
async function prove(
  ctx: BackendCtx,
  uuid: string,
  { steps, facts }: { steps: Decided["steps"]; facts: Facts },
): Promise<TrackedProgress[]> {
  const { state } = facts;
  const updated = steps.find(({ kind }) => kind === "updated");
  if (updated === undefined || state === null) return [...steps];
  const evidence = await findProof(ctx, uuid, { state, filenames: updated.filenames ?? [] });
  const others = steps.filter((step) => step !== updated);
  return evidence === null ? others : [{ ...updated, evidence }, ...others];
}

/** The door knows of contacts too, and to the second: what the registry adds is the first one, or one elsewhere. */
function isNews(lastSeen: Date, row: SyncedRow | null): boolean {
  return row === null || row.status === "never_seen" || row.lastSeenAt === null || row.lastSeenAt < lastSeen;
}
