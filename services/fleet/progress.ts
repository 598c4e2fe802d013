import type { DeviceStatus } from "#lib/contracts/console/devices.ts";
import type { DeviceProgress } from "#lib/domain/update-progress.ts";

/** The columns of a fleet row that progress moves. */
export type ProgressState = {
  status: DeviceStatus;
  statusReason: string | null;
  statusAt: Date;
  correlationId: string | null;
  inFlight: boolean;
  mayStillInstall: boolean;
  assignedAt: Date | null;
  fetchedAt: Date | null;
  lastFailureCode: string | null;
  lastFailureText: string | null;
  lastFailureAt: Date | null;
  lastSeenAt: Date | null;
  lastManifestAt: Date | null;
};

const NO_ASSIGNMENT = {
  correlationId: null,
  inFlight: false,
  mayStillInstall: false,
  assignedAt: null,
  fetchedAt: null,
} as const;

/** @returns the columns that change; nothing when the step is late, repeated, or belongs to another assignment */
export function advance(row: ProgressState, step: DeviceProgress): Partial<ProgressState> {
  const change = advanceStatus(row, step);
  const cameByManifest = step.kind === "updated" || step.kind === "failed" || step.kind === "idle";
  return cameByManifest ? { ...change, lastManifestAt: later(row.lastManifestAt, step.at) } : change;
}

function advanceStatus(row: ProgressState, step: DeviceProgress): Partial<ProgressState> {
  switch (step.kind) {
    case "assigned":
      return open(row, step);
    case "seen_assignment":
    case "downloading":
    case "installing":
    case "rebooting":
      return forward(row, step, step.kind);
    case "updated":
      if (belongsToAnother(row, step)) return {};
      return { ...NO_ASSIGNMENT, ...enter("up_to_date", null, step.at), ...NO_FAILURE };
    case "failed":
      if (belongsToAnother(row, step)) return {};
      return { ...NO_ASSIGNMENT, ...enter("failed", failureClause(step), step.at), ...failure(step) };
    case "cancelled":
      if (row.correlationId === null || belongsToAnother(row, step)) return {};
      return { ...NO_ASSIGNMENT, ...enter(atRest(row), null, step.at) };
    case "may_still_install":
      if (row.correlationId === null || belongsToAnother(row, step)) return {};
      return {
        inFlight: true,
        mayStillInstall: true,
        ...enter("unknown", "Cancelled too late: it may still install", step.at),
      };
    case "idle":
      return settle(row, step);
  }
}

function open(row: ProgressState, step: DeviceProgress): Partial<ProgressState> {
  const repeated = row.correlationId !== null && row.correlationId === step.correlationId && !row.mayStillInstall;
  if (repeated) return {};
  return {
    ...NO_ASSIGNMENT,
    ...enter("assigned", "Waiting for it to ask", step.at),
    correlationId: step.correlationId,
    assignedAt: step.at,
  };
}

function forward(
  row: ProgressState,
  step: DeviceProgress,
  kind: "seen_assignment" | "downloading" | "installing" | "rebooting",
): Partial<ProgressState> {
  if (row.correlationId === null || row.correlationId !== step.correlationId) return {};
  const { rank, status, clause } = STEPS[kind];
  if (rank <= rankOf(row)) return {};
  return { ...enter(status, clause, step.at), inFlight: true, fetchedAt: row.fetchedAt ?? step.at };
}

const STEPS = {
  seen_assignment: { rank: 1, status: "assigned", clause: "It has fetched the update; the download is next" },
  downloading: { rank: 2, status: "downloading", clause: "Installing is next" },
  installing: { rank: 3, status: "installing", clause: "Waiting for its signed report" },
  rebooting: { rank: 4, status: "rebooting", clause: "Reports when it is up again" },
} as const;

function rankOf(row: ProgressState): number {
  if (row.status === "downloading" || row.status === "installing" || row.status === "rebooting")
    return STEPS[row.status].rank;
  return row.inFlight ? STEPS.seen_assignment.rank : 0;
}

/** A manifest that concludes nothing still ends what was unknown: the device speaks, and has nothing to install. */
function settle(row: ProgressState, step: DeviceProgress): Partial<ProgressState> {
  if (row.status !== "never_seen" && row.status !== "unknown") return {};
  return { ...NO_ASSIGNMENT, ...enter("up_to_date", null, step.at) };
}

function belongsToAnother(row: ProgressState, step: DeviceProgress): boolean {
  return row.correlationId !== null && step.correlationId !== null && row.correlationId !== step.correlationId;
}

function atRest(row: ProgressState): DeviceStatus {
  return row.lastSeenAt === null && row.lastManifestAt === null ? "never_seen" : "up_to_date";
}

function enter(status: DeviceStatus, statusReason: string | null, statusAt: Date): Partial<ProgressState> {
  return { status, statusReason, statusAt };
}

const NO_FAILURE = { lastFailureCode: null, lastFailureText: null, lastFailureAt: null } as const;

function failure(step: DeviceProgress): Partial<ProgressState> {
  return { lastFailureCode: step.code ?? null, lastFailureText: step.text ?? null, lastFailureAt: step.at };
}

function failureClause(step: DeviceProgress): string {
  const parts = [step.code, step.text].filter((part) => part !== undefined && part !== "");
  return parts.length === 0 ? "It gave no cause" : parts.join(": ");
}

function later(known: Date | null, at: Date): Date {
  return known !== null && known > at ? known : at;
}

/** The step as a line of the device's story; null for one that tells a person nothing. */
export function storyOf(step: DeviceProgress): { kind: string; text: string } | null {
  if (step.kind === "idle") return null;
  const what = step.filenames === undefined || step.filenames.length === 0 ? "" : ` ${step.filenames.join(", ")}`;
  switch (step.kind) {
    case "assigned":
      return { kind: "assignment", text: `An update was assigned${what === "" ? "" : `:${what}`}.` };
    case "seen_assignment":
      return { kind: "assignment", text: "It fetched the metadata that lists its update." };
    case "downloading":
      return { kind: "download", text: step.text ?? `It downloads${what === "" ? " its update" : what}.` };
    case "installing":
      return { kind: "install", text: step.text ?? `It installs${what === "" ? " its update" : what}.` };
    case "rebooting":
      return { kind: "install", text: step.text ?? "It has installed and waits for its reboot." };
    case "updated":
      return {
        kind: "report",
        text: `Its signed manifest shows the update installed${what === "" ? "" : `:${what}`}.`,
      };
    case "failed":
      return { kind: "report", text: `The update failed: ${failureClause(step)}.` };
    case "cancelled":
      return { kind: "cancel", text: "The update was cancelled." };
    case "may_still_install":
      return { kind: "cancel", text: "The update was cancelled after it had fetched it: it may still install." };
  }
}
