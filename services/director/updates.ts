import { otaInstant } from "#lib/contracts/ota/common.ts";
import type {
  AssignmentOutcome,
  AssignmentRefusal,
  MtuTargets,
  UpdateDetail,
  UpdateSummary,
} from "#lib/contracts/ota/director.ts";
import type { Ctx } from "#lib/ctx.ts";
import type { Tx } from "#lib/db/client.ts";
import { AppError } from "#lib/errors/app-error.ts";
import type { DeviceVerdict } from "./affected.ts";
import { announceSchedule } from "./announce.ts";
import { type AssigningCtx, assertAssignable, checkTargets } from "./assignable.ts";
import { assertUsable, assignLocked, DEVICES_PER_TRANSACTION, judgeAll, outcomeOf } from "./assignments.ts";
import { cancelLocked } from "./cancel.ts";
import { lockDevices } from "./store-devices.ts";
import * as store from "./store-updates.ts";
import { correlationIdOf, newUpdateId } from "./update-id.ts";

/* Updates of the newer generation: contracts/director.md section 7. They end as assignments like any others. */

/** A cancellation is all or nothing, for up to ten thousand devices. */
const CANCEL_WITHIN_MS = 120_000;

/** What stays true until the time comes; the rest is judged then. */
const LASTING_REFUSALS = new Set([
  "device_no_compatible_hardware",
  "device_has_active_update",
  "image_verification_failed",
  "metadata_too_large",
  "invalid_assignment",
]);

/**
 * Updates one device, at once or when the time comes.
 *
 * @returns the id of the update
 * @throws AppError `ota.missing_entity` (the device) | `ota.invalid_mtu` | `ota.update_schedule_error` (a time that has passed) |
 *   `ota.device_cannot_be_updated` with the reason of each ECU | `ota.role_key_not_found` (a key of the director's is offline) |
 *   `ota.image_being_checked` | `backend.*`
 */
export async function updateDevice(
  ctx: AssigningCtx,
  deviceUuid: string,
  request: { targets: MtuTargets; scheduledFor: Date | null },
): Promise<string> {
  const { targets, scheduledFor } = request;
  assertUsable(targets);
  const at = ctx.clock();
  if (scheduledFor !== null && scheduledFor < at) {
    throw new AppError("ota.update_schedule_error", "The time for which the update is scheduled has passed.");
  }
  await checkTargets(ctx, targets);
  const updateId = newUpdateId(at);
  const chunk = { correlationId: correlationIdOf(updateId), devices: [deviceUuid], targets };
  await ctx.db.$transaction(async (tx) => {
    await assertAssignable(tx, ctx, targets);
    const [device] = await lockDevices(tx, ctx.namespaceId, [deviceUuid]);
    if (device === undefined || device.registeredAt === null) throw missing("Device");
    const verdicts = await (scheduledFor === null ? assignLocked(tx, ctx, chunk) : judgeAll(tx, ctx, chunk));
    const verdict = verdicts.get(deviceUuid);
    assertAffected(verdict, { scheduled: scheduledFor !== null });
    await store.insertUpdate(tx, { id: updateId, namespaceId: ctx.namespaceId, targets, at });
    await store.insertUpdateDevices(tx, { updateId, namespaceId: ctx.namespaceId, at }, [
      scheduledFor === null
        ? { deviceUuid, status: "Assigned", scheduledFor, assignedEcus: verdict?.created.length ?? 0 }
        : { deviceUuid, status: "Scheduled", scheduledFor, assignedEcus: 0 },
    ]);
    if (scheduledFor !== null) await announceSchedule(tx, ctx, [{ deviceUuid, ...chunk }], scheduledFor);
  });
  return updateId;
}

/**
 * Updates many devices at once, a thousand a transaction.
 *
 * @throws AppError `ota.invalid_mtu` | `ota.role_key_not_found` (a key of the director's is offline) | `ota.image_being_checked` | `backend.*`
 */
export async function updateDevices(
  ctx: AssigningCtx,
  request: { targets: MtuTargets; devices: readonly string[] },
): Promise<AssignmentOutcome> {
  const { targets } = request;
  assertUsable(targets);
  await checkTargets(ctx, targets);
  const devices = [...new Set(request.devices)];
  const at = ctx.clock();
  const updateId = newUpdateId(at);
  const outcome: AssignmentOutcome = { affected: [], notAffected: {} };
  for (let from = 0; from < devices.length; from += DEVICES_PER_TRANSACTION) {
    const chunk = {
      correlationId: correlationIdOf(updateId),
      devices: devices.slice(from, from + DEVICES_PER_TRANSACTION),
      targets,
    };
    const verdicts = await ctx.db.$transaction(async (tx) => {
      await assertAssignable(tx, ctx, targets);
      await lockDevices(tx, ctx.namespaceId, chunk.devices);
      const judged = await assignLocked(tx, ctx, chunk);
      const hit = [...judged].filter(([, { created }]) => created.length > 0);
      if (hit.length === 0) return judged;
      await store.insertUpdate(tx, { id: updateId, namespaceId: ctx.namespaceId, targets, at });
      const rows = hit.map(([deviceUuid, { created }]) => ({
        deviceUuid,
        status: "Assigned" as const,
        scheduledFor: null,
        assignedEcus: created.length,
      }));
      await store.insertUpdateDevices(tx, { updateId, namespaceId: ctx.namespaceId, at }, rows);
      return judged;
    });
    const { affected, notAffected } = outcomeOf(verdicts);
    outcome.affected.push(...affected);
    Object.assign(outcome.notAffected, notAffected);
  }
  return outcome;
}

/**
 * Takes an update back from all its devices, or from none.
 *
 * @throws AppError `ota.missing_entity` | `ota.update_cannot_be_cancelled` when a device has fetched it, or is done
 */
export async function cancelUpdate(ctx: Ctx, updateId: string): Promise<void> {
  const known = await store.findUpdates(ctx.db, ctx.namespaceId, [updateId]);
  if (!known.has(updateId)) throw missing("Update");
  const deviceUuids = await store.listDevicesOf(ctx.db, ctx.namespaceId, updateId);
  await ctx.db.$transaction((tx) => cancel(tx, ctx, { updateId, deviceUuids, force: false }), {
    timeout: CANCEL_WITHIN_MS,
  });
}

/**
 * Takes an update back from one device.
 *
 * @param of.force also when the device has fetched it
 * @throws AppError `ota.missing_entity` | `ota.update_cannot_be_cancelled`
 */
export async function cancelUpdateOfDevice(
  ctx: Ctx,
  of: { updateId: string; deviceUuid: string; force: boolean },
): Promise<void> {
  await requireUpdateDevice(ctx, of);
  const { updateId, deviceUuid, force } = of;
  await ctx.db.$transaction((tx) => cancel(tx, ctx, { updateId, deviceUuids: [deviceUuid], force }));
}

export async function listUpdates(
  ctx: Ctx,
  window: { offset: number; limit: number },
): Promise<{ values: UpdateSummary[]; total: number }> {
  const { values, total } = await store.listUpdates(ctx.db, ctx.namespaceId, window);
  const summaries = values.map(({ id, statuses, ...update }) =>
    toSummary({ ...update, updateId: id, status: overall(statuses) }),
  );
  return { values: summaries, total };
}

export async function listUpdatesOfDevice(
  ctx: Ctx,
  deviceUuid: string,
  window: { offset: number; limit: number },
): Promise<{ values: UpdateSummary[]; total: number }> {
  const of = { namespaceId: ctx.namespaceId, deviceUuid };
  const { values, total } = await store.listOfDevice(ctx.db, of, window);
  return { values: values.map(toSummary), total };
}

/** @throws AppError `ota.missing_entity` */
export async function getUpdateOfDevice(ctx: Ctx, of: { updateId: string; deviceUuid: string }): Promise<UpdateDetail> {
  const row = await requireUpdateDevice(ctx, of);
  return { ...toSummary(row), ecuResults: { ...row.result?.ecuResults } };
}

/** @throws AppError `ota.missing_entity` */
export async function requireUpdateDevice(
  ctx: Ctx,
  of: { updateId: string; deviceUuid: string },
): Promise<store.UpdateDeviceRow> {
  const { updateId, deviceUuid } = of;
  const row = await store.findUpdateDevice(ctx.db, { namespaceId: ctx.namespaceId, updateId, deviceUuid });
  if (row === null) throw missing("Update");
  return row;
}

async function cancel(
  tx: Tx,
  ctx: Ctx,
  of: { updateId: string; deviceUuids: readonly string[]; force: boolean },
): Promise<void> {
  const { updateId, deviceUuids } = of;
  await lockDevices(tx, ctx.namespaceId, deviceUuids);
  const devices = await store.listStatuses(tx, { updateId, deviceUuids });
  const open: store.UpdateStatus[] = of.force ? ["Scheduled", "Assigned", "Seen"] : ["Scheduled", "Assigned"];
  if (!devices.every(({ status }) => open.includes(status))) {
    throw new AppError("ota.update_cannot_be_cancelled", "A device has fetched the update, or it has ended.");
  }
  const correlationId = correlationIdOf(updateId);
  await cancelLocked(tx, ctx, deviceUuids, { force: true, correlationId });
  const waiting = devices.filter(({ status }) => status === "Scheduled");
  await announceSchedule(
    tx,
    ctx,
    waiting.map(({ deviceUuid }) => ({ deviceUuid, correlationId })),
    null,
  );
  await store.cancelUpdateDevices(tx, { updateId, deviceUuids, at: ctx.clock() }, null);
}

function assertAffected(verdict: DeviceVerdict | undefined, of: { scheduled: boolean }): void {
  const refused: Record<string, AssignmentRefusal> = { ...verdict?.refused };
  const reasons = Object.values(refused);
  const possible = of.scheduled && reasons.some(({ code }) => !LASTING_REFUSALS.has(code));
  if ((verdict?.affected.length ?? 0) > 0 || possible) return;
  throw new AppError("ota.device_cannot_be_updated", reasons[0]?.description ?? "The device can't be updated.", {
    detail: refused,
  });
}

/** Of an update with several devices: the least that all of them have reached, while any is under way. */
function overall(statuses: readonly store.UpdateStatus[]): store.UpdateStatus {
  const live: store.UpdateStatus[] = statuses.filter((status) => status !== "Cancelled");
  const [first, ...others] = store.UPDATE_STATUSES.filter((status) => live.includes(status));
  if (first === undefined) return "Cancelled";
  return others.includes("Completed") || others.includes("PartiallyCompleted") ? "PartiallyCompleted" : first;
}

function toSummary(
  row: Pick<store.UpdateDeviceRow, "updateId" | "createdAt" | "scheduledFor" | "completedAt" | "result" | "targets"> & {
    status: store.UpdateStatus;
  },
): UpdateSummary {
  const { updateId, status, createdAt, scheduledFor, completedAt, result } = row;
  const reason = "reason" in row && typeof row.reason === "string" ? row.reason : null;
  return {
    updateId,
    status,
    createdAt: otaInstant(createdAt),
    scheduledFor: scheduledFor === null ? null : otaInstant(scheduledFor),
    completedAt: completedAt === null ? null : otaInstant(completedAt),
    deviceResult:
      result !== null
        ? { resultCode: result.resultCode, success: result.success, description: result.description }
        : reason === null
          ? null
          : { resultCode: "cancelled", success: false, description: reason },
    packages: Object.fromEntries(Object.entries(row.targets).map(([hardwareId, { to }]) => [hardwareId, to.target])),
  };
}

function missing(what: string): AppError {
  return new AppError("ota.missing_entity", `Missing entity: ${what}`);
}
