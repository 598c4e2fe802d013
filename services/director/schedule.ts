import type { Ctx } from "#lib/ctx.ts";
import type { Tx } from "#lib/db/client.ts";
import { isAppError } from "#lib/errors/app-error.ts";
import { announceSchedule } from "./announce.ts";
import { type AssigningCtx, assertAssignable, checkTargets, TURN_WAITS_MS } from "./assignable.ts";
import { assignLocked } from "./assignments.ts";
import { lockDevices } from "./store-devices.ts";
import * as store from "./store-updates.ts";
import { correlationIdOf } from "./update-id.ts";

const DUE_A_TURN = 10;

/**
 * Assigns updates whose time has come, at most ten a call, in all namespaces. One that affects no ECU any more is cancelled with the reason.
 *
 * One whose image is still being checked is left for a later turn.
 *
 * Any number of callers may run at once, and any of them may die: an update starts under its device's lock, in the transaction that says so.
 *
 * @returns how many were looked at
 * @see contracts/director.md section 7, "Scheduler"
 */
export async function startDueUpdates(ctx: AssigningCtx): Promise<number> {
  const due = await store.listDue(ctx.db, ctx.clock(), DUE_A_TURN);
  for (const update of due) {
    const own = { ...ctx, namespaceId: update.namespaceId };
    await startOne(own, update);
  }
  return due.length;
}

/** One that can't be started must not keep the others waiting. */
async function startOne(ctx: AssigningCtx, due: store.DueUpdate): Promise<void> {
  try {
    const found = await store.findUpdateDevice(ctx.db, due);
    if (found !== null) await checkTargets(ctx, found.targets, TURN_WAITS_MS);
    await ctx.db.$transaction((tx) => start(tx, ctx, due));
  } catch (error) {
    if (!isAppError(error)) throw error;
    if (error.code === "ota.image_being_checked") return;
    ctx.log.error({ err: error, updateId: due.updateId, deviceUuid: due.deviceUuid }, "a due update can't be started");
  }
}

async function start(tx: Tx, ctx: Ctx, due: store.DueUpdate): Promise<void> {
  const { updateId, deviceUuid } = due;
  const found = await store.findUpdateDevice(tx, due);
  if (found === null) return;
  const reason = await refusalOf(tx, ctx, found);
  await lockDevices(tx, ctx.namespaceId, [deviceUuid]);
  // Another caller may have been faster, or a person may have cancelled it: the lock was theirs until now.
  const current = await store.findUpdateDevice(tx, due);
  if (current?.status !== "Scheduled") return;
  const correlationId = correlationIdOf(updateId);
  const end = async (why: string) => {
    await announceSchedule(tx, ctx, [{ deviceUuid, correlationId }], null);
    await store.cancelUpdateDevices(tx, { updateId, deviceUuids: [deviceUuid], at: ctx.clock() }, why);
  };
  if (reason !== null) return end(reason);
  const chunk = { correlationId, devices: [deviceUuid], targets: current.targets };
  const verdict = (await assignLocked(tx, ctx, chunk)).get(deviceUuid);
  if (verdict !== undefined && verdict.affected.length > 0) {
    return store.setAssigned(tx, { updateId, deviceUuid }, verdict.created.length);
  }
  const [refusal] = Object.values(verdict?.refused ?? {});
  return end(refusal === undefined ? "The device is not affected." : `${refusal.code}: ${refusal.description}`);
}

async function refusalOf(tx: Tx, ctx: Ctx, update: store.UpdateDeviceRow): Promise<string | null> {
  try {
    await assertAssignable(tx, ctx, update.targets);
    return null;
  } catch (error) {
    if (!isAppError(error, "ota.invalid_mtu") && !isAppError(error, "ota.role_key_not_found")) throw error;
    return error.message;
  }
}
