import type { InstallationReport, RegistryStatus } from "#lib/contracts/ota/device-registry.ts";
import type { Ctx } from "#lib/ctx.ts";
import type { Tx } from "#lib/db/client.ts";
import { recordContact } from "#services/fleet/service.ts";
import * as devices from "./store-devices.ts";
import * as reports from "./store-reports.ts";

export { listCorrelatedEvents } from "./correlated-events.ts";

/** What the director tells of a device's assignment. `at` is our clock. @see contracts/device-registry.md sections 9 and 10 */
export type DeviceUpdateEvent =
  | { kind: "Assigned"; deviceUuid: string; correlationId: string; at: Date; scheduledFor?: Date }
  | { kind: "InFlight" | "Canceled"; deviceUuid: string; correlationId: string; at: Date }
  | {
      kind: "Completed";
      deviceUuid: string;
      correlationId: string;
      at: Date;
      result: InstallationReport["result"];
      ecuReports: Readonly<
        Record<string, { result: InstallationReport["result"]; target: readonly string[]; rawReport?: string | null }>
      >;
      rawReport: string | null;
    };

type Unit = { ecuId: string; hardwareId: string };
export type EcuReplacement =
  | { success: true; deviceUuid: string; at: Date; former: Unit; current: Unit }
  | { success: false; deviceUuid: string; at: Date };

/**
 * The device fetched its root from the director: that, and nothing else, is its last contact in this registry. The first one activates it.
 *
 * @see contracts/device-registry.md section 8
 */
export async function recordDeviceSeen(tx: Tx, ctx: Ctx, uuid: string, at: Date): Promise<void> {
  // The registry's row before the fleet's, as everybody who writes both: they then wait for each other instead of deadlocking.
  await devices.updateSeen(tx, ctx.namespaceId, { uuid, at });
  await recordContact(tx, ctx.namespaceId, uuid, at);
}

/** {@link recordUpdateEvents} for one. */
export async function recordUpdateEvent(tx: Tx, ctx: Ctx, event: DeviceUpdateEvent): Promise<void> {
  await recordUpdateEvents(tx, ctx, [event]);
}

/**
 * Moves the status of devices and keeps their installation reports, in a number of statements that does not grow with the
 * number of devices. Several events of one device count in their order. What comes after a successful report of the
 * same correlation id is ignored; so is a device that the registry does not know.
 *
 * @see contracts/device-registry.md section 10
 */
export async function recordUpdateEvents(tx: Tx, ctx: Ctx, events: readonly DeviceUpdateEvent[]): Promise<void> {
  if (events.length === 0) return;
  const concluded = await reports.listSuccessful(tx, events);
  const counting: DeviceUpdateEvent[] = [];
  for (const event of events) {
    if (concluded.has(keyOf(event))) continue;
    counting.push(event);
    if (event.kind === "Completed" && event.result.success) concluded.add(keyOf(event));
  }
  const completed = counting.filter((event) => event.kind === "Completed");
  await reports.upsertReports(
    tx,
    ctx.namespaceId,
    [...new Map(completed.map((event) => [keyOf(event), event])).values()].map((event) => toReport(ctx, event)),
  );
  const statuses = new Map(counting.map((event) => [event.deviceUuid, STATUS_AFTER[event.kind](event)]));
  await devices.updateStatuses(tx, ctx.namespaceId, statuses);
}

/** Adds ECU replacements to the installation history; a failed one makes the device's status `Error`. */
export async function recordEcuReplacements(tx: Tx, ctx: Ctx, replacements: readonly EcuReplacement[]): Promise<void> {
  if (replacements.length === 0) return;
  await reports.insertReplacements(tx, replacements);
  const failed = replacements.filter(({ success }) => !success);
  await devices.updateStatuses(tx, ctx.namespaceId, new Map(failed.map(({ deviceUuid }) => [deviceUuid, "Error"])));
}

const STATUS_AFTER: Record<DeviceUpdateEvent["kind"], (event: DeviceUpdateEvent) => RegistryStatus> = {
  Assigned: (event) => (event.kind === "Assigned" && event.scheduledFor !== undefined ? "UpdateScheduled" : "Outdated"),
  InFlight: () => "UpdatePending",
  Canceled: () => "UpToDate",
  Completed: (event) => (event.kind === "Completed" && event.result.success ? "UpToDate" : "Error"),
};

function keyOf(event: { deviceUuid: string; correlationId: string }): string {
  return `${event.deviceUuid} ${event.correlationId}`;
}

function toReport(ctx: Ctx, event: Extract<DeviceUpdateEvent, { kind: "Completed" }>): reports.NewReport {
  const ecus = Object.entries(event.ecuReports).map(([serial, report]) => [
    serial,
    { result: report.result, target: [...report.target], rawReport: report.rawReport ?? null },
  ]);
  return {
    namespace: ctx.namespaceId,
    at: event.at,
    correlationId: event.correlationId,
    deviceUuid: event.deviceUuid,
    result: event.result,
    ecuReports: Object.fromEntries(ecus),
    rawReport: event.rawReport,
  };
}
