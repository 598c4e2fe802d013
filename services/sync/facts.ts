import type { BackendCtx } from "#lib/backends/backends.ts";
import type { ListedDevice, ListedReport } from "#lib/backends/device-registry.ts";
import type { DirectorDeviceState, QueueItem } from "#lib/contracts/ota/director.ts";
import type { FleetEcu, SyncedRow } from "#services/fleet/service.ts";

/** What the back ends say of a device. null: that back end is embedded, and tells the fleet index itself. */
export type Facts = {
  readonly listed: ListedDevice | null;
  readonly reports: readonly ListedReport[] | null;
  readonly events: readonly string[];
  readonly queue: readonly QueueItem[] | null;
  readonly ecus: readonly FleetEcu[] | null;
  /** Of a Gatehouse's director only. */
  readonly state: DirectorDeviceState | null;
};

/** @returns null when the external registry has no such device. @throws AppError `backend.*` */
export async function readFacts(ctx: BackendCtx, uuid: string, row: SyncedRow | null): Promise<Facts | null> {
  const registry = await readRegistry(ctx, uuid, row);
  if (registry === null) return null;
  // A row that is new here has missed what the embedded director said of the device before.
  const isDirectorRead = ctx.config.DIRECTOR_URL !== undefined || row === null || row.ecus.length === 0;
  if (!isDirectorRead) return { ...registry, queue: null, ecus: null, state: null };
  const { director } = ctx.backends;
  const [queue, state] = await Promise.all([director.listAssignments(ctx, uuid), director.getState(ctx, uuid)]);
  const ecus = state === null ? await readReported(ctx, uuid, queue) : state.ecus.map(toFleetEcu);
  return { ...registry, queue: ctx.config.DIRECTOR_URL === undefined ? null : queue, ecus, state };
}

async function readRegistry(
  ctx: BackendCtx,
  uuid: string,
  row: SyncedRow | null,
): Promise<Pick<Facts, "listed" | "reports" | "events"> | null> {
  if (ctx.config.DEVICE_REGISTRY_URL === undefined) return { listed: null, reports: null, events: [] };
  const { registry } = ctx.backends;
  const listed = await registry.findDevice(ctx, uuid);
  if (listed === null) return null;
  const correlationId = row?.correlationId ?? null;
  const isOfInterest = correlationId !== null || listed.deviceStatus === "Error";
  const [reports, events] = await Promise.all([
    isOfInterest ? registry.listReports(ctx, uuid) : [],
    correlationId === null ? [] : registry.listEventTypes(ctx, { uuid, correlationId }),
  ]);
  return { listed, reports, events };
}

/** Any director: the ECUs that have reported, with what the queue has for them. */
async function readReported(ctx: BackendCtx, uuid: string, queue: readonly QueueItem[]): Promise<FleetEcu[]> {
  const assigned = new Map(queue.flatMap(({ targets }) => Object.entries(targets)));
  return (await ctx.backends.director.listReportedEcus(ctx, uuid)).map(({ id, hardwareId, primary, image }) => {
    const next = assigned.get(id)?.image;
    return {
      serial: id,
      hardwareId,
      primary,
      installed: { filename: image.filepath, sha256: image.hash.sha256, length: image.size },
      assigned: next === undefined ? null : { filename: next.filepath, sha256: next.fileinfo.hashes.sha256 },
    };
  });
}

function toFleetEcu({
  serial,
  hardwareId,
  primary,
  installed,
  assigned,
}: DirectorDeviceState["ecus"][number]): FleetEcu {
  return {
    serial,
    hardwareId,
    primary,
    installed:
      installed === null ? null : { filename: installed.filename, sha256: installed.sha256, length: installed.length },
    assigned: assigned === null ? null : { filename: assigned.filename, sha256: assigned.sha256 },
  };
}
