import type { Tone } from "#components/ui/status.tsx";
import { UPDATE_DEVICE_STATE } from "#components/ui/status.tsx";
import type { UpdateCounts, UpdateDeviceState } from "#lib/contracts/console/updates.ts";

/** From what is proven to what has not begun: the order of every bar and legend. */
export const STATE_ORDER: readonly UpdateDeviceState[] = [
  "updated",
  "rebooting",
  "installing",
  "downloading",
  "assigned",
  "failed",
  "cancelled",
  "skipped",
];

export const FILL: Record<Tone, string> = {
  ok: "bg-ok",
  busy: "bg-busy",
  warn: "bg-warn",
  bad: "bg-bad",
  idle: "bg-line-strong",
};

export function fillOf(state: UpdateDeviceState): string {
  if (state === "skipped" || state === "cancelled") return "bg-ink-3";
  return FILL[UPDATE_DEVICE_STATE[state].tone];
}

/** States that occur, in order. */
export function present(counts: UpdateCounts): UpdateDeviceState[] {
  return STATE_ORDER.filter((state) => counts[state] > 0);
}

/** Devices of which something is still expected. */
export function openCount(counts: UpdateCounts): number {
  return counts.assigned + counts.downloading + counts.installing + counts.rebooting;
}
