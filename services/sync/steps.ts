import type { ListedReport } from "#lib/backends/device-registry.ts";
import type { DirectorDeviceState, QueueItem } from "#lib/contracts/ota/director.ts";
import type { DeviceProgress } from "#lib/domain/update-progress.ts";
import type { FleetEcu, SyncedRow } from "#services/fleet/service.ts";

/** A report goes from the director to the registry by a way of its own; for so long its absence means nothing. */
export const REPORT_WITHIN_MS = 60_000;

/** What external back ends say of one device, beside what the fleet index knows of it. */
export type Observed = {
  readonly uuid: string;
  readonly now: Date;
  readonly row: SyncedRow;
  /** null from an embedded director, which tells the fleet index itself. */
  readonly queue: readonly QueueItem[] | null;
  /** As the director has them now; null from an embedded one. */
  readonly ecus: readonly FleetEcu[] | null;
  /** Types of the events of the update under way; none from an embedded registry, which tells itself. */
  readonly events: readonly string[];
  /** null from an embedded registry, which no external director reports to. */
  readonly reports: readonly ListedReport[] | null;
  /** How assignments ended, by a director that is a Gatehouse; of any other nothing is known. */
  readonly ended: DirectorDeviceState["ended"];
  /** The registry's word for the device's state; null from an embedded one. */
  readonly registryStatus: string | null;
  /** By hardware id what the update under way has devices install, when it is one of ours. */
  readonly targets: ReadonlyMap<string, string> | null;
  readonly goneSince: Date | null;
};

export type Decided = {
  readonly steps: readonly DeviceProgress[];
  /** Since when the assignment is gone with no word about how it ended: then the device is to be read again soon. */
  readonly goneSince: Date | null;
};

/** What the observation adds to the device's story. Steps that are known already change nothing, so they may be repeated (`isReadAgain`). */
export function decideSteps(seen: Observed): Decided {
  const known = seen.row.correlationId;
  const isGone = seen.queue !== null && known !== null && !seen.queue.some((item) => item.correlationId === known);
  const ended = isGone ? howItEnded(seen, known) : null;
  const under = seen.queue?.find(({ correlationId }) => correlationId === known) ?? seen.queue?.[0];
  const steps = [
    ...(ended === null ? [] : [ended]),
    ...(isGone && ended === null ? [] : underWay(seen, under)),
    ...atRest(seen, { isUnderWay: under !== undefined || isGone }),
  ];
  return { steps, goneSince: isGone && ended === null ? (seen.goneSince ?? seen.now) : null };
}

/** null: nobody has said so yet. */
function howItEnded(seen: Observed, correlationId: string): DeviceProgress | null {
  const step = { deviceUuid: seen.uuid, at: seen.now, correlationId };
  const report = seen.reports?.find((listed) => listed.correlationId === correlationId);
  if (report?.result.success === false) {
    return { ...step, kind: "failed", code: report.result.code, text: report.result.description };
  }
  const ended = seen.ended.filter((assignment) => assignment.correlationId === correlationId);
  const failed = ended.find(({ outcome }) => outcome === "failed");
  if (failed !== undefined) return { ...step, kind: "failed", code: failed.code };
  const installed = installedImages(seen);
  if (installed !== null) return { ...step, kind: "updated", filenames: installed };
  if (ended.some(({ outcome }) => outcome === "cancelled")) return { ...step, kind: "cancelled" };
  if (report !== undefined || seen.goneSince === null) return null;
  if (seen.now.getTime() - seen.goneSince.getTime() < REPORT_WITHIN_MS) return null;
  if (seen.registryStatus === "UpToDate") return { ...step, kind: "cancelled" };
  const text = "The director has dropped the assignment, and the device reports neither the image nor an outcome";
  return { ...step, kind: "failed", code: "dropped", text };
}

/** The images that were assigned, when the director says that all of them are installed. */
function installedImages({ row, ecus, targets }: Observed): string[] | null {
  const now = new Map((ecus ?? []).map((ecu) => [ecu.serial, ecu.installed]));
  const assigned = row.ecus.flatMap(({ serial, assigned }) => (assigned === null ? [] : [{ serial, ...assigned }]));
  if (assigned.length > 0) {
    const all = assigned.every(({ serial, filename, sha256 }) => {
      const installed = now.get(serial);
      return installed?.filename === filename && installed.sha256 === sha256;
    });
    return all ? [...new Set(assigned.map(({ filename }) => filename))] : null;
  }
  // It was over before the queue was ever read: what the update wanted of each kind of hardware is known all the same.
  const concerned = (ecus ?? []).filter(({ hardwareId }) => targets?.has(hardwareId));
  const all = concerned.every((ecu) => ecu.installed?.filename === targets?.get(ecu.hardwareId));
  return concerned.length > 0 && all ? [...new Set(concerned.flatMap((ecu) => ecu.installed?.filename ?? []))] : null;
}

function underWay(seen: Observed, item: QueueItem | undefined): DeviceProgress[] {
  const correlationId = item?.correlationId ?? (seen.queue === null ? seen.row.correlationId : null);
  if (correlationId === null) return [];
  const step = { deviceUuid: seen.uuid, at: seen.now, correlationId };
  const filenames = Object.values(item?.targets ?? {}).map(({ image }) => image.filepath);
  const isNew = item !== undefined && seen.row.correlationId !== correlationId;
  return [
    ...(isNew ? [{ ...step, kind: "assigned" as const, filenames }] : []),
    ...(item?.inFlight === true ? [{ ...step, kind: "seen_assignment" as const }] : []),
    // Events of the update that was under way before say nothing of a new one.
    ...(isNew ? [] : furthest(seen.events).map((kind) => ({ ...step, kind, text: TEXT[kind] }))),
  ];
}

const KINDS = new Map([
  ["EcuDownloadStarted", "downloading"],
  ["EcuDownloadCompleted", "downloading"],
  ["EcuInstallationStarted", "installing"],
  ["EcuInstallationApplied", "rebooting"],
] as const);
const ORDER = ["rebooting", "installing", "downloading"] as const;
const TEXT = {
  downloading: "It downloads; installing comes next.",
  installing: "It installs; its signed report comes next.",
  rebooting: "It has installed, and waits for its reboot.",
} as const;

/** Never "updated": the device's unsigned word concludes nothing. */
function furthest(events: readonly string[]): (typeof ORDER)[number][] {
  const kinds = new Set(events.flatMap((type) => [...KINDS].filter(([id]) => id === type).map(([, kind]) => kind)));
  return ORDER.filter((kind) => kinds.has(kind)).slice(0, 1);
}

/** A device without assignment: one that has reported is up to date, one that the registry shows failed has failed. */
function atRest(seen: Observed, { isUnderWay }: { isUnderWay: boolean }): DeviceProgress[] {
  if (seen.ecus === null || isUnderWay || seen.row.correlationId !== null) return [];
  const step = { deviceUuid: seen.uuid, at: seen.now, correlationId: null };
  const isFirst = seen.row.status === "never_seen" || seen.row.status === "unknown";
  if (isFirst && seen.registryStatus === "Error") {
    const [report] = seen.reports ?? [];
    const why = report === undefined ? {} : { code: report.result.code, text: report.result.description };
    return [{ ...step, kind: "failed", ...why }];
  }
  const hasReported = seen.ecus.some(({ installed }) => installed !== null);
  return hasReported && (isFirst || seen.row.lastManifestAt === null) ? [{ ...step, kind: "idle" }] : [];
}
