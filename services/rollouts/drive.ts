import { randomUUID } from "node:crypto";
import { z } from "zod";
import type { Actor } from "#lib/authz/actor.ts";
import { SYSTEM } from "#lib/authz/actor.ts";
import { ROLES } from "#lib/authz/permissions.ts";
import type { BackendCtx } from "#lib/backends/backends.ts";
import { UpdateTargets } from "#lib/contracts/console/updates.ts";
import type { Tx } from "#lib/db/client.ts";
import { publishEvent } from "#lib/db/events.ts";
import { isAppError } from "#lib/errors/app-error.ts";
import { recordRequestedIn, settle } from "#services/audit/service.ts";
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
  const now = ctx.clock();
  const until = new Date(now.getTime() + LEASE_MS);
  if (!(await drives.takeLease(ctx.db, id, { now, until }))) return;
  let trouble: string | null = null;
  try {
    const row = await getUpdateRow(ctx.db, ctx.namespaceId, id);
    if (row.state === "launching") await launch(ctx, row, maxBatches);
    if (row.state === "cancelling") await cancel(ctx, row);
  } catch (error) {
    if (!isAppError(error) || !error.code.startsWith("backend.")) throw error;
    trouble = error.message;
    ctx.log.warn({ err: error, updateId: id }, "an update waits for its back end");
  } finally {
    await drives.releaseLease(ctx.db, id, trouble);
  }
}

async function launch(ctx: BackendCtx, row: UpdateRow, maxBatches: number): Promise<void> {
  try {
    const mtuId = row.mtuId ?? (await createMtu(ctx, row));
    for (let batch = 0; batch < maxBatches; batch += 1) {
      if ((await getUpdateRow(ctx.db, ctx.namespaceId, row.id)).state !== "launching") return;
      const devices = await drives.nextUnconfirmed(ctx.db, row.id, BATCH);
      if (devices.length === 0) {
        await launched(ctx, row);
        return;
      }
      await assignBatch(ctx, row, { mtuId, devices });
    }
    if ((await drives.nextUnconfirmed(ctx.db, row.id, 1)).length === 0) await launched(ctx, row);
  } catch (error) {
    if (!isAppError(error, "backend.refused") && !isAppError(error, "update.invalid")) throw error;
    await launchRefused(ctx, row, error.message);
  }
}

async function createMtu(ctx: BackendCtx, row: UpdateRow): Promise<string> {
  const plan = await resolvePlan(ctx, UpdateTargets.parse(row.targets));
  const mtuId = await ctx.backends.director.createMtu(ctx, plan);
  await drives.setMtu(ctx.db, row.id, mtuId);
  return mtuId;
}

async function assignBatch(
  ctx: BackendCtx,
  row: UpdateRow,
  batch: { mtuId: string; devices: string[] },
): Promise<void> {
  const answer = await ctx.backends.director.assign(ctx, {
    correlationId: row.correlationId,
    devices: batch.devices,
    mtuId: batch.mtuId,
  });
  const affected = new Set(answer.affected);
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
    await drives.closeUnconfirmed(tx, row.id, { state: "skipped", at: ctx.clock(), devices: left });
    await publishEvent(tx, ctx.namespaceId, { topic: "update", subjectId: row.id });
  });
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

async function cancel(ctx: BackendCtx, row: UpdateRow): Promise<void> {
  let after: string | null = null;
  for (;;) {
    const open = await drives.nextUnfinished(ctx.db, row.id, { after, take: BATCH });
    if (open.length === 0) break;
    const devices = open.map((device) => device.deviceUuid);
    after = devices.at(-1) ?? null;
    const dropped = await ctx.backends.director.cancel(ctx, devices);
    // A device whose assignment the director never confirmed holds none now: it was either dropped just now or never made.
    const unconfirmed = open.filter((device) => !device.confirmed).map((device) => device.deviceUuid);
    await ctx.db.$transaction(async (tx) => {
      await drives.cancelDevices(tx, row.id, {
        deviceUuids: [...new Set([...dropped, ...unconfirmed])],
        at: ctx.clock(),
        reason: "Cancelled before it was installed.",
      });
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
    await driveUpdate({ ...ctx, namespaceId, requestId: randomUUID() }, id, 20);
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
