import { randomUUID } from "node:crypto";
import { z } from "zod";
import type { Actor } from "#lib/authz/actor.ts";
import { SYSTEM } from "#lib/authz/actor.ts";
import { ROLES } from "#lib/authz/permissions.ts";
import type { BackendCtx } from "#lib/backends/backends.ts";
import { UpdateTargets } from "#lib/contracts/console/updates.ts";
import type { Tx } from "#lib/db/client.ts";
import { publishEvent } from "#lib/db/events.ts";
import { type AppError, isAppError } from "#lib/errors/app-error.ts";
import { recordRequestedIn, settle } from "#services/audit/service.ts";
import { recordProgressMany } from "#services/fleet/service.ts";
import * as drives from "./drive-store.ts";
import { resolvePlan } from "./plan.ts";
import { getUpdateRow, type UpdateRow } from "./store.ts";

const BATCH = 500;
const LEASE_MS = 60_000;

/**
 * Carries one update as far as it goes: hands assignments to the director, or takes them back. Safe to call at any time by any
 * process. A back end that is down leaves the update as it is, with the trouble named, for the worker to try again.
 *
 * @param maxBatches how many batches of 500 devices this call may do; the rest is the worker's
 */
export async function driveUpdate(ctx: BackendCtx, id: string, maxBatches: number): Promise<void> {
  const lease = await takeLease(ctx, id);
  if (lease === null) return;
  let trouble: string | null = null;
  try {
    const row = await getUpdateRow(ctx.db, ctx.namespaceId, id);
    if (row.state === "launching") await launch(ctx, row, { lease, maxBatches });
    if (row.state === "cancelling") await cancel(ctx, row, lease);
  } catch (error) {
    if (!isAppError(error) || !error.code.startsWith("backend.")) throw error;
    trouble = error.message;
    ctx.log.warn({ err: error, updateId: id }, "an update waits for its back end");
  } finally {
    await lease.release(trouble);
  }
}

type Lease = {
  /** Before each batch, since one may take long. @returns false when another process has taken over */
  renew(): Promise<boolean>;
  release(trouble: string | null): Promise<void>;
};

async function takeLease(ctx: BackendCtx, id: string): Promise<Lease | null> {
  const next = () => new Date(ctx.clock().getTime() + LEASE_MS);
  let held = next();
  if (!(await drives.takeLease(ctx.db, id, { now: ctx.clock(), until: held }))) return null;
  return {
    async renew() {
      const until = next();
      if (!(await drives.renewLease(ctx.db, id, { held, until }))) return false;
      held = until;
      return true;
    },
    release: (trouble) => drives.releaseLease(ctx.db, id, { held, trouble }),
  };
}

async function launch(
  ctx: BackendCtx,
  row: UpdateRow,
  { lease, maxBatches }: { lease: Lease; maxBatches: number },
): Promise<void> {
  try {
    const mtuId = row.mtuId ?? (await createMtu(ctx, row));
    for (let batch = 0; batch < maxBatches; batch += 1) {
      if (!(await lease.renew()) || (await stateOf(ctx, row)) !== "launching") return;
      const devices = await drives.nextUnconfirmed(ctx.db, row.id, BATCH);
      if (devices.length === 0) {
        await launched(ctx, row);
        return;
      }
      await assignBatch(ctx, row, { mtuId, devices, lease });
    }
    if ((await drives.nextUnconfirmed(ctx.db, row.id, 1)).length === 0) await launched(ctx, row);
  } catch (error) {
    if (!isAppError(error, "update.invalid") && !isVerdict(error)) throw error;
    await launchRefused(ctx, row, error.message);
  }
}

async function stateOf(ctx: BackendCtx, row: UpdateRow): Promise<string> {
  return (await getUpdateRow(ctx.db, ctx.namespaceId, row.id)).state;
}

/** The director has looked at the update and said no. Trouble of its own, or with who we are, may pass: that is tried again. */
function isVerdict(error: unknown): error is AppError {
  if (!isAppError(error, "backend.refused")) return false;
  const status = Number(error.context.status);
  return status >= 400 && status < 500 && !PASSING.has(status);
}

const PASSING: ReadonlySet<number> = new Set([401, 403, 408, 425, 429]);

async function createMtu(ctx: BackendCtx, row: UpdateRow): Promise<string> {
  const plan = await resolvePlan(ctx, UpdateTargets.parse(row.targets));
  const mtuId = await ctx.backends.director.createMtu(ctx, plan);
  await drives.setMtu(ctx.db, row.id, mtuId);
  return mtuId;
}

async function assignBatch(
  ctx: BackendCtx,
  row: UpdateRow,
  batch: { mtuId: string; devices: string[]; lease: Lease },
): Promise<void> {
  const answer = await ctx.backends.director.assign(ctx, {
    correlationId: row.correlationId,
    devices: batch.devices,
    mtuId: batch.mtuId,
  });
  const affected = new Set(answer.affected);
  if (!(await batch.lease.renew()) && (await stateOf(ctx, row)) !== "launching") {
    // The call took longer than the lease, and another process cancels meanwhile: what came after that is taken back.
    await ctx.backends.director.cancel(ctx, { devices: [...affected], correlationId: row.correlationId });
    return;
  }
  const left = batch.devices
    .filter((uuid) => !affected.has(uuid))
    .map((deviceUuid) => {
      const [first] = Object.values(answer.notAffected[deviceUuid] ?? {});
      return {
        deviceUuid,
        code: first?.code ?? "not_affected",
        reason: first?.description ?? "The director did not take it.",
      };
    });
  await ctx.db.$transaction(async (tx) => {
    await drives.confirmDevices(tx, row.id, [...affected]);
    await tellFleet(tx, ctx, { kind: "assigned", row, devices: [...affected] });
    await drives.closeUnconfirmed(tx, row.id, { state: "skipped", at: ctx.clock(), devices: left });
    await publishEvent(tx, ctx.namespaceId, { topic: "update", subjectId: row.id });
  });
}

/** The embedded director tells the fleet index itself, in its own transaction; an external one does not know it. */
async function tellFleet(
  tx: Tx,
  ctx: BackendCtx,
  { kind, row, devices }: { kind: "assigned" | "cancelled"; row: UpdateRow; devices: readonly string[] },
): Promise<void> {
  if (ctx.config.DIRECTOR_URL === undefined) return;
  const at = ctx.clock();
  const filenames = Object.values(UpdateTargets.parse(row.targets)).map(({ to }) => to);
  const { correlationId } = row;
  const steps = devices.map((deviceUuid) => ({ deviceUuid, at, kind, correlationId, filenames }));
  await recordProgressMany(tx, ctx.namespaceId, steps);
}

async function launched(ctx: BackendCtx, row: UpdateRow): Promise<void> {
  await ctx.db.$transaction(async (tx) => {
    if (!(await drives.setState(tx, row.id, { from: ["launching"], to: "running" }))) return;
    await publishEvent(tx, ctx.namespaceId, { topic: "update", subjectId: row.id });
    await settleLaunch(tx, ctx, { row, outcome: "done" });
  });
}

async function launchRefused(ctx: BackendCtx, row: UpdateRow, why: string): Promise<void> {
  await ctx.db.$transaction(async (tx) => {
    const open = await drives.nextUnconfirmed(tx, row.id, 10_000);
    const devices = open.map((deviceUuid) => ({ deviceUuid, code: "backend.refused", reason: why }));
    await drives.closeUnconfirmed(tx, row.id, { state: "failed", at: ctx.clock(), devices });
    if (!(await drives.setState(tx, row.id, { from: ["launching"], to: "running" }))) return;
    await publishEvent(tx, ctx.namespaceId, { topic: "update", subjectId: row.id });
    await settleLaunch(tx, ctx, { row, outcome: "refused", why });
  });
}

async function settleLaunch(
  tx: Tx,
  ctx: BackendCtx,
  settled: { row: UpdateRow; outcome: "done" | "refused"; why?: string },
): Promise<void> {
  const { row } = settled;
  if (row.auditSequence === null) return;
  await settle(tx, ctx, {
    actor: storedActor(row.createdBy),
    requested: row.auditSequence,
    outcome: settled.outcome,
    entry: {
      action: "update.launch",
      target: { kind: "update", id: row.id, name: row.name },
      after: { correlationId: row.correlationId, ...(settled.why === undefined ? {} : { why: settled.why }) },
    },
  });
}

async function cancel(ctx: BackendCtx, row: UpdateRow, lease: Lease): Promise<void> {
  let after: string | null = null;
  for (;;) {
    if (!(await lease.renew())) return;
    const open = await drives.nextUnfinished(ctx.db, row.id, { after, take: BATCH });
    if (open.length === 0) break;
    const devices = open.map((device) => device.deviceUuid);
    after = devices.at(-1) ?? null;
    const dropped = await ctx.backends.director.cancel(ctx, { devices, correlationId: row.correlationId });
    // A device whose assignment the director never confirmed holds none now: it was either dropped just now or never made.
    const unconfirmed = open.filter((device) => !device.confirmed).map((device) => device.deviceUuid);
    await ctx.db.$transaction(async (tx) => {
      await drives.cancelDevices(tx, row.id, {
        deviceUuids: [...new Set([...dropped, ...unconfirmed])],
        at: ctx.clock(),
        reason: "Cancelled before it was installed.",
      });
      await tellFleet(tx, ctx, { kind: "cancelled", row, devices: dropped });
      await publishEvent(tx, ctx.namespaceId, { topic: "update", subjectId: row.id });
    });
  }
  await ctx.db.$transaction(async (tx) => {
    if (!(await drives.setState(tx, row.id, { from: ["cancelling"], to: "cancelled", finishedAt: ctx.clock() })))
      return;
    await publishEvent(tx, ctx.namespaceId, { topic: "update", subjectId: row.id });
    if (row.cancelSequence === null) return;
    await settle(tx, ctx, {
      actor: storedActor(row.cancelledBy),
      requested: row.cancelSequence,
      outcome: "done",
      entry: { action: "update.cancel", target: { kind: "update", id: row.id, name: row.name } },
    });
  });
}

const StoredActor = z.object({
  kind: z.enum(["user", "token"]),
  id: z.string(),
  name: z.string(),
  role: z.enum(ROLES).default("support"),
  sessionId: z.string().default(""),
  userId: z.string().nullable().default(null),
  address: z.string().nullable().default(null),
});

/** Who began it, so that the entry that completes it names the same person. */
function storedActor(value: unknown): Actor {
  const parsed = StoredActor.safeParse(value);
  if (!parsed.success) return SYSTEM;
  const { kind, id, name, role, address } = parsed.data;
  return kind === "user"
    ? { kind, id, name, role, address, sessionId: parsed.data.sessionId }
    : { kind, id, name, role, address, userId: parsed.data.userId };
}

/** The worker's turn: carries on what a crash or a dead back end left, and closes updates whose last devices finished. */
export async function driveAll(ctx: BackendCtx): Promise<void> {
  for (const { id, namespaceId } of await drives.findUndriven(ctx.db, ctx.clock(), 20)) {
    // One that can't be driven must not hold up the others.
    await driveUpdate({ ...ctx, namespaceId, requestId: randomUUID() }, id, 20).catch((err: unknown) =>
      ctx.log.error({ err, updateId: id }, "an update can't be carried on"),
    );
  }
  for (const { id, namespaceId } of await drives.finishComplete(ctx.db, ctx.clock())) {
    await publishEvent(ctx.db, namespaceId, { topic: "update", subjectId: id });
  }
}

/** Stores the wish to cancel; what is left of a launch is settled with it. @returns false when the update had ended meanwhile */
export async function requestCancel(ctx: BackendCtx, actor: Actor, row: UpdateRow): Promise<boolean> {
  return ctx.db.$transaction(async (tx) => {
    const moved = await drives.setState(tx, row.id, { from: ["launching", "running"], to: "cancelling" });
    if (!moved) return false;
    await publishEvent(tx, ctx.namespaceId, { topic: "update", subjectId: row.id });
    const sequence = await recordRequestedIn(tx, ctx, actor, {
      action: "update.cancel",
      target: { kind: "update", id: row.id, name: row.name },
      before: { state: row.state },
    });
    await drives.setCancelled(tx, row.id, { sequence, actor });
    if (row.state === "launching")
      await settleLaunch(tx, ctx, { row, outcome: "done", why: "cancelled while it was launched" });
    return true;
  });
}
