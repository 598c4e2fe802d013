import type { Ctx } from "#lib/ctx.ts";
import type { Tx } from "#lib/db/client.ts";
import { storableText } from "#lib/domain/storable-text.ts";
import { type DeviceUpdateEvent, recordDeviceSeen, recordUpdateEvents } from "#services/device-registry/service.ts";
import { type FleetEcu, setEcusMany } from "#services/fleet/service.ts";
import { recordProgressEverywhereMany, type TrackedProgress } from "#services/rollouts/service.ts";
import type { ConcludedStep } from "./conclusions.ts";
import { listAssignments } from "./store-assignments.ts";
import { listEcus } from "./store-devices.ts";

type Of = { readonly deviceUuid: string; readonly correlationId: string };

/** What the director has done or learnt about one device and one correlation id. */
export type DirectorEvent =
  | (Of & { readonly kind: "assigned"; readonly filenames: readonly string[] })
  | (Of & { readonly kind: "in_flight" })
  | (Of & { readonly kind: "canceled"; readonly mayStillInstall: boolean })
  | ({
      readonly kind: "completed";
      readonly deviceUuid: string;
      readonly manifestId: string;
      readonly manifestSha256: string;
    } & ConcludedStep);

/**
 * Tells the device registry (status, installation reports), the fleet index and the updates, in the caller's transaction and in a number of
 * statements that does not grow with the devices.
 *
 * NOTE: the registry's rows are locked before the fleet's, as everybody does who writes both; so call this before `indexDevices`.
 *
 * @see contracts/README.md section 7, `DeviceUpdateEvent`
 */
export async function announce(tx: Tx, ctx: Ctx, events: readonly DirectorEvent[]): Promise<void> {
  if (events.length === 0) return;
  const at = ctx.clock();
  await recordUpdateEvents(
    tx,
    ctx,
    events.map((event) => toUpdateEvent(event, at)),
  );
  await recordProgressEverywhereMany(
    tx,
    ctx.namespaceId,
    events.flatMap((event) => toProgress(event, at)),
  );
}

/** Assignments of which the registry is told nothing yet: the fleet shows them, and what follows finds them. */
export async function trackAssigned(
  tx: Tx,
  ctx: Ctx,
  created: readonly (Of & { readonly filename: string })[],
): Promise<void> {
  const at = ctx.clock();
  await recordProgressEverywhereMany(
    tx,
    ctx.namespaceId,
    created.map(({ deviceUuid, correlationId, filename }) => ({
      deviceUuid,
      at,
      kind: "assigned" as const,
      correlationId,
      filenames: [filename],
    })),
  );
}

/** An update was set for a time, or taken back before it: the registry shows it, and there is no assignment yet. */
export async function announceSchedule(tx: Tx, ctx: Ctx, of: readonly Of[], scheduledFor: Date | null): Promise<void> {
  const at = ctx.clock();
  await recordUpdateEvents(
    tx,
    ctx,
    of.map(({ deviceUuid, correlationId }) =>
      scheduledFor === null
        ? { kind: "Canceled", deviceUuid, correlationId, at }
        : { kind: "Assigned", deviceUuid, correlationId, at, scheduledFor },
    ),
  );
}

/** A manifest came that concludes nothing: the device speaks, and that is all. */
export async function announceIdle(tx: Tx, ctx: Ctx, deviceUuid: string): Promise<void> {
  const step = { deviceUuid, at: ctx.clock(), kind: "idle" as const, correlationId: null };
  await recordProgressEverywhereMany(tx, ctx.namespaceId, [step]);
}

/** The device fetched its root: that is its sign of life to the registry. @see contracts/director.md section 4.2 */
export async function noteSeen(ctx: Ctx, deviceUuid: string): Promise<void> {
  await ctx.db.$transaction((tx) => recordDeviceSeen(tx, ctx, deviceUuid, ctx.clock()));
}

/** Writes what these devices run and are to run into the fleet index, in a fixed number of statements. */
export async function indexDevices(tx: Tx, ctx: Ctx, deviceUuids: readonly string[]): Promise<void> {
  const ecus = Map.groupBy(await listEcus(tx, ctx.namespaceId, deviceUuids), ({ deviceUuid }) => deviceUuid);
  const assignments = new Map(
    (await listAssignments(tx, ctx.namespaceId, deviceUuids)).map((row) => [`${row.deviceUuid}/${row.ecuSerial}`, row]),
  );
  const devices = deviceUuids.map((uuid) => ({
    uuid,
    ecus: (ecus.get(uuid) ?? []).map(({ serial, hardwareId, primary, installed }): FleetEcu => {
      const assigned = assignments.get(`${uuid}/${serial}`);
      return {
        serial,
        hardwareId,
        primary,
        installed,
        assigned: assigned === undefined ? null : { filename: assigned.filename, sha256: assigned.sha256 },
      };
    }),
  }));
  await setEcusMany(tx, ctx.namespaceId, devices);
}

const UPDATE_EVENT = { assigned: "Assigned", in_flight: "InFlight", canceled: "Canceled" } as const;

function toUpdateEvent(event: DirectorEvent, at: Date): DeviceUpdateEvent {
  const { deviceUuid } = event;
  if (event.kind === "completed") return { kind: "Completed", deviceUuid, at, ...event.completion };
  return { kind: UPDATE_EVENT[event.kind], deviceUuid, correlationId: event.correlationId, at };
}

function toProgress(event: DirectorEvent, at: Date): TrackedProgress[] {
  const { deviceUuid } = event;
  switch (event.kind) {
    case "assigned":
      return [
        { deviceUuid, at, kind: "assigned", correlationId: event.correlationId, filenames: [...event.filenames] },
      ];
    case "in_flight":
      return [{ deviceUuid, at, kind: "seen_assignment", correlationId: event.correlationId }];
    case "canceled": {
      const kind = event.mayStillInstall ? "may_still_install" : "cancelled";
      return [{ deviceUuid, at, kind, correlationId: event.correlationId }];
    }
    case "completed":
      return event.conclusive ? [toConclusion(event, at)] : [];
  }
}

function toConclusion(event: Extract<DirectorEvent, { kind: "completed" }>, at: Date): TrackedProgress {
  const { deviceUuid, completion, proof, manifestId, manifestSha256 } = event;
  const { correlationId, result } = completion;
  const filenames = [...event.filenames];
  if (proof === null) {
    const code = storableText(result.code, 200);
    return { deviceUuid, at, kind: "failed", correlationId, code, text: storableText(result.description), filenames };
  }
  const evidence = {
    manifestId,
    manifestSha256,
    ecuSerial: proof.ecuSerial,
    keyId: storableText(proof.keyId, 200),
    reportedAt: at.toISOString(),
  };
  return { deviceUuid, at, kind: "updated", correlationId, filenames, evidence };
}
