import type { Ctx } from "#lib/ctx.ts";
import type { Tx } from "#lib/db/client.ts";
import { AppError } from "#lib/errors/app-error.ts";
import { announce, type DirectorEvent, indexDevices } from "./announce.ts";
import { DEVICES_PER_TRANSACTION } from "./assignments.ts";
import {
  type AssignmentRow,
  CANCELLED_BY_PERSON,
  closeAssignments,
  flagChanged,
  listAssignments,
} from "./store-assignments.ts";
import { listEcus, lockDevices } from "./store-devices.ts";
import { findUpdates } from "./store-updates.ts";
import { isKnownImage } from "./targets.ts";
import { updateIdOf } from "./update-id.ts";

/**
 * Takes assignments back, a thousand devices a transaction.
 *
 * One that was not fetched yet is dropped and never existed for the device. One that was fetched can only be *replaced*: a device keeps a
 * list until a newer one that is not empty comes. So its device is marked as withdrawn, and what it is served next lists the image that it has
 * (metadata.ts, targets.ts), under the same correlation id: the entry belongs to that update, whose late report may still come under it.
 * Where no ECU of the device ever reported an image, nothing can take the place, and the device may still install.
 *
 * @param options.force also what the device has fetched already; without it such assignments stay
 * @param options.allOrNothing refuse as a whole instead of skipping
 * @param options.correlationId only what was assigned under this id; a device may have assignments of several updates, one an ECU
 * @returns the device of each assignment that was cancelled, so that a device may be there more than once
 * @throws AppError `ota.assignment_in_flight_devices` with `allOrNothing` | `ota.assignment_belongs_to_update`
 * @see contracts/director.md section 3.2; contracts/aktualizr-client.md section 5, "an empty target list does not cancel"
 */
export async function cancelAssignments(
  ctx: Ctx,
  deviceUuids: readonly string[],
  options: CancelOptions,
): Promise<string[]> {
  const devices = [...new Set(deviceUuids)];
  const cancelled: string[] = [];
  for (let from = 0; from < devices.length; from += DEVICES_PER_TRANSACTION) {
    cancelled.push(...(await cancelChunk(ctx, devices.slice(from, from + DEVICES_PER_TRANSACTION), options)));
  }
  return cancelled;
}

type CancelOptions = { force: boolean; allOrNothing?: boolean; correlationId?: string | undefined };

async function cancelChunk(ctx: Ctx, devices: readonly string[], options: CancelOptions): Promise<string[]> {
  return ctx.db.$transaction(async (tx) => {
    await lockDevices(tx, ctx.namespaceId, devices);
    return cancelLocked(tx, ctx, devices, { ...options, refuseUpdates: true });
  });
}

/** The caller holds the devices' locks. @throws AppError as {@link cancelAssignments} */
export async function cancelLocked(
  tx: Tx,
  ctx: Ctx,
  devices: readonly string[],
  options: CancelOptions & { refuseUpdates?: boolean },
): Promise<string[]> {
  const { correlationId } = options;
  const open = await listAssignments(tx, ctx.namespaceId, devices);
  const meant = correlationId === undefined ? open : open.filter((row) => row.correlationId === correlationId);
  if (options.refuseUpdates === true) await assertOfNoUpdate(tx, ctx, meant);
  const cancelled = meant.filter(({ inFlight }) => options.force || !inFlight);
  if (options.allOrNothing === true && cancelled.length < meant.length) {
    throw new AppError("ota.assignment_in_flight_devices", "The device has fetched its update already.");
  }
  if (cancelled.length > 0) await cancel(tx, ctx, { cancelled, open });
  return cancelled.map(({ deviceUuid }) => deviceUuid);
}

/** What `/updates` made is taken back there, else it would say something else than the device has. */
async function assertOfNoUpdate(tx: Tx, ctx: Ctx, assignments: readonly AssignmentRow[]): Promise<void> {
  const ids = [...new Set(assignments.map(({ correlationId }) => updateIdOf(correlationId)))];
  const updates = await findUpdates(
    tx,
    ctx.namespaceId,
    ids.filter((id) => id !== null),
  );
  if (updates.size === 0) return;
  throw new AppError("ota.assignment_belongs_to_update", "The assignment belongs to an update. Cancel that update.");
}

async function cancel(
  tx: Tx,
  ctx: Ctx,
  { cancelled, open }: { cancelled: readonly AssignmentRow[]; open: readonly AssignmentRow[] },
): Promise<void> {
  const ended = new Set(cancelled);
  const devices = new Set(cancelled.map(({ deviceUuid }) => deviceUuid));
  const remaining = open.filter((row) => !ended.has(row) && devices.has(row.deviceUuid));
  const busy = new Set(remaining.map(({ deviceUuid }) => deviceUuid));
  const byDevice = [...Map.groupBy(cancelled, ({ deviceUuid }) => deviceUuid)];
  const uuids = byDevice.map(([uuid]) => uuid);
  await closeAssignments(
    tx,
    { namespaceId: ctx.namespaceId, at: ctx.clock() },
    cancelled.map((assignment) => ({ assignment, successful: true, canceled: true, result: CANCELLED_BY_PERSON })),
  );
  const ecus = Map.groupBy(await listEcus(tx, ctx.namespaceId, uuids), ({ deviceUuid }) => deviceUuid);
  const withdrawn = byDevice.map(([uuid, rows]) => {
    const fetched = rows.find(({ inFlight }) => inFlight);
    // Whatever else the device is to do takes the list's place as well.
    const replaceable = busy.has(uuid) || (ecus.get(uuid) ?? []).some(({ installed }) => isKnownImage(installed));
    return { uuid, rows, fetched, mayStillInstall: fetched !== undefined && !replaceable };
  });
  await flagChanged(
    tx,
    withdrawn.map(({ uuid, fetched, mayStillInstall }) => ({
      uuid,
      ...(fetched === undefined ? {} : { withdrawnCorrelationId: fetched.correlationId, mayStillInstall }),
    })),
  );
  const gone = withdrawn.flatMap(({ uuid, rows, mayStillInstall }) =>
    [...Map.groupBy(rows, ({ correlationId }) => correlationId)].map(([correlationId, own]) => ({
      kind: "canceled" as const,
      deviceUuid: uuid,
      correlationId,
      mayStillInstall: mayStillInstall && own.some(({ inFlight }) => inFlight),
    })),
  );
  await announce(tx, ctx, [...gone, ...remaining.flatMap(stillOpen)]);
  await indexDevices(tx, ctx, uuids);
}

/** Said again after a cancellation, so that registry and fleet show what the device has left to do. */
function stillOpen({ deviceUuid, correlationId, filename, inFlight }: AssignmentRow): DirectorEvent[] {
  const assigned = { kind: "assigned" as const, deviceUuid, correlationId, filenames: [filename] };
  return inFlight ? [assigned, { kind: "in_flight", deviceUuid, correlationId }] : [assigned];
}
