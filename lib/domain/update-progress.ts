import type { UpdateDeviceState } from "#lib/contracts/console/updates.ts";

/** What a director, a registry or the device itself told about a device under an update. */
type ProgressKind =
  | "assigned"
  | "seen_assignment"
  | "downloading"
  | "installing"
  | "rebooting"
  | "updated"
  | "failed"
  | "cancelled"
  | "may_still_install"
  | "idle";

/** One step of a device, as the director (its own decisions and signed manifests) or the registry (events) learnt it. */
export type DeviceProgress = {
  deviceUuid: string;
  /** Our clock, not the device's. */
  at: Date;
  /** `idle`: a manifest came that concludes nothing. */
  kind: ProgressKind;
  correlationId: string | null;
  code?: string;
  text?: string;
  filenames?: readonly string[];
  /** Looked up, perhaps not for the first time, rather than heard: it belongs into the story only when it moves the device. */
  isReadAgain?: true;
};

const RANK: Record<UpdateDeviceState, number> = {
  assigned: 0,
  downloading: 1,
  installing: 2,
  rebooting: 3,
  skipped: 4,
  cancelled: 4,
  failed: 4,
  updated: 5,
};

const STATE_OF: Record<ProgressKind, UpdateDeviceState | null> = {
  assigned: "assigned",
  seen_assignment: "assigned",
  downloading: "downloading",
  installing: "installing",
  rebooting: "rebooting",
  updated: "updated",
  failed: "failed",
  cancelled: "cancelled",
  may_still_install: "cancelled",
  idle: null,
};

const NEXT: Record<ProgressKind, string | null> = {
  assigned: "Waiting for it to ask for its metadata.",
  seen_assignment: "It fetched the assignment; the download comes next.",
  downloading: "Downloading; the installation comes next.",
  installing: "Installing; its signed manifest comes next.",
  rebooting: "Installed, waiting for a reboot to take effect.",
  updated: null,
  failed: "The device reported a failure.",
  cancelled: "Cancelled before it was installed.",
  may_still_install: "Cancelled after the device had fetched it: it may still install until its next manifest.",
  idle: null,
};

/**
 * Moves a device of an update. Events arrive late and twice, so nothing goes backwards; only the signed manifest overrules a final state,
 * because it is the device's own word of what it runs.
 *
 * @returns null when nothing changes
 */
export function advance(
  current: UpdateDeviceState,
  progress: Pick<DeviceProgress, "kind" | "code" | "text">,
): { state: UpdateDeviceState; reasonCode: string | null; reason: string | null } | null {
  const state = STATE_OF[progress.kind];
  if (state === null || current === "skipped" || current === "updated") return null;
  const overrules = state === "updated" || (state === "failed" && current === "cancelled");
  if (RANK[current] >= RANK.cancelled && !overrules) return null;
  if (RANK[state] < RANK[current]) return null;
  return {
    state,
    reasonCode: progress.code ?? (progress.kind === "may_still_install" ? "may_still_install" : null),
    reason: progress.text ?? NEXT[progress.kind],
  };
}
