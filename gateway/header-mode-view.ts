import type { Ctx } from "#lib/ctx.ts";
import { type HeaderModeRow, PASSED_COUNTS_MS } from "#services/header-mode/service.ts";
import type { DoorMetrics } from "./door-metrics.ts";

/** What one gateway knows of header mode, and what follows from it. */
export type HeaderModeView = {
  row(): HeaderModeRow | null;
  /** null while header mode is on; else why not, in a sentence. */
  whyOff(): string | null;
  /** What the database says now. */
  take(read: HeaderModeRow | null): void;
  /** A failure that this gateway saw: it counts here even when it can't be stored. @returns whether it is the first */
  distrust(detail: string): boolean;
};

const TEST_EVERY_MS = 5 * 60_000;

/** @param it.isFollowed null without DECISION_PUBLIC_URL; false while the database is not heard from */
export function createHeaderModeView(
  ctx: Ctx,
  it: { metrics: DoorMetrics; isFollowed: () => boolean | null },
): HeaderModeView {
  const openedAt = ctx.clock();
  let row: HeaderModeRow | null = null;
  let distrusted: { readonly detail: string; readonly at: Date } | null = null;

  function whyOff(): string | null {
    const isFollowed = it.isFollowed();
    if (isFollowed === null) return "Header mode is off: DECISION_PUBLIC_URL is not set.";
    if (distrusted !== null) return distrusted.detail;
    if (!isFollowed) return "The database has not been heard from.";
    // A setting that changed with this start is tested before it counts.
    if (row === null || row.checkedAt < openedAt) return "Header mode is off until the proxy has been tested.";
    if (row.state !== "on") return row.detail;
    const isOld = ctx.clock().getTime() - row.checkedAt.getTime() > PASSED_COUNTS_MS;
    return isOld ? "Header mode is off: the proxy has not been tested for too long." : null;
  }
  function show(): void {
    const isFailed = row?.state === "failed" || distrusted !== null;
    it.metrics.headerMode(isFailed ? "failed" : whyOff() === null ? "on" : "off");
  }
  return {
    row: () => row,
    whyOff,
    take(read) {
      row = read;
      if (distrusted !== null && row?.state === "on" && row.since >= distrusted.at) distrusted = null;
      show();
    },
    distrust(detail) {
      if (distrusted !== null) return false;
      distrusted = { detail, at: ctx.clock() };
      show();
      return true;
    },
  };
}

/** Is it time for a test? After a failure only a person's counts. */
export function isTestDue(ctx: Ctx, view: HeaderModeView): boolean {
  const row = view.row();
  if (row?.state === "failed") return false;
  return row === null || view.whyOff() !== null || ctx.clock().getTime() - row.checkedAt.getTime() >= TEST_EVERY_MS;
}
