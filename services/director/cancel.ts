import type { Ctx } from "#lib/ctx.ts";
import type { Tx } from "#lib/db/client.ts";
import { AppError } from "#lib/errors/app-error.ts";
import { announce, indexDevices } from "./announce.ts";
import { DEVICES_PER_TRANSACTION } from "./assignments.ts";
import {
  type AssignmentRow,
  CANCELLED_BY_PERSON,
  closeAssignments,
  flagChanged,
  listAssignments,
} from "./store-assignments.ts";
import { listEcus, lockDevices } from "./store-devices.ts";
import { isKnownImage } from "./targets.ts";

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
 * @returns the device of each assignment that was cancelled, so that a device may be there more than once
 * @throws AppError `ota.assignment_in_flight_devices` with `allOrNothing`
 * @see contracts/director.md section 3.2; contracts/aktualizr-client.md section 5, "an empty target list does not cancel"
 */
export async function cancelAssignments(
  ctx: Ctx,
  deviceUuids: readonly string[],
  options: { force: boolean; allOrNothing?: boolean },
): Promise<string[]> {
  const devices = [...new Set(deviceUuids)];
  const cancelled: string[] = [];
  for (let from = 0; from < devices.length; from += DEVICES_PER_TRANSACTION) {
    cancelled.push(...(await cancelChunk(ctx, devices.slice(from, from + DEVICES_PER_TRANSACTION), options)));
  }
  return cancelled;
}

async function cancelChunk(
  ctx: Ctx,
  devices: readonly string[],
  options: { force: boolean; allOrNothing?: boolean },
): Promise<string[]> {
  return ctx.db.$transaction(async (tx) => {
    await lockDevices(tx, ctx.namespaceId, devices);
    const open = await listAssignments(tx, ctx.namespaceId, devices);
    const cancelled = open.filter(({ inFlight }) => options.force || !inFlight);
    if (options.allOrNothing === true && cancelled.length < open.length) {
      throw new AppError("ota.assignment_in_flight_devices", "The device has fetched its update already.");
    }
    if (cancelled.length > 0) await cancel(tx, ctx, cancelled);
    return cancelled.map(({ deviceUuid }) => deviceUuid);
  });
}

async function cancel(tx: Tx, ctx: Ctx, cancelled: readonly AssignmentRow[]): Promise<void> {
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
    const replaceable = (ecus.get(uuid) ?? []).some(({ installed }) => isKnownImage(installed));
    return { uuid, rows, fetched, mayStillInstall: fetched !== undefined && !replaceable };
  });
  await flagChanged(
    tx,
    withdrawn.map(({ uuid, fetched, mayStillInstall }) => ({
      uuid,
      ...(fetched === undefined ? {} : { withdrawnCorrelationId: fetched.correlationId, mayStillInstall }),
    })),
  );
  await announce(
    tx,
    ctx,
    withdrawn.flatMap(({ uuid, rows, mayStillInstall }) =>
      [...Map.groupBy(rows, ({ correlationId }) => correlationId)].map(([correlationId, own]) => ({
        kind: "canceled" as const,
        deviceUuid: uuid,
        correlationId,
        mayStillInstall: mayStillInstall && own.some(({ inFlight }) => inFlight),
      })),
    ),
  );
  await indexDevices(tx, ctx, uuids);
}
