import { type Actor, requirePermission, SYSTEM } from "#lib/authz/actor.ts";
import type { HeaderMode } from "#lib/contracts/console/header-mode.ts";
import type { Ctx } from "#lib/ctx.ts";
import { lockInTransaction } from "#lib/db/client.ts";
import { HEADER_MODE_CHANNEL, notify } from "#lib/db/events.ts";
import { AppError } from "#lib/errors/app-error.ts";
import { record } from "#services/audit/service.ts";
import { printMessage } from "./messages.ts";
import { type CheckOutcome, type HeaderModeRow, nextState } from "./state.ts";
import * as store from "./store.ts";

export { parseMessage } from "./messages.ts";
export { type CheckOutcome, type HeaderModeRow, PASSED_COUNTS_MS } from "./state.ts";

/** How header mode stands, for people. @throws AppError `auth.forbidden` */
export async function getHeaderMode(ctx: Ctx, actor: Actor): Promise<HeaderMode> {
  requirePermission(actor, "setting.read");
  const row = await store.findHeaderMode(ctx.db, ctx.namespaceId);
  return {
    publicUrl: ctx.config.DECISION_PUBLIC_URL ?? null,
    state: row?.state ?? "off",
    detail: row?.detail ?? null,
    since: row?.since.toISOString() ?? null,
    checkedAt: row?.checkedAt.toISOString() ?? null,
  };
}

/**
 * Has the gateways test the public address now; only such a test can end a failure.
 *
 * @throws AppError `auth.forbidden` | `header_mode.not_configured`
 */
export async function requestHeaderCheck(ctx: Ctx, actor: Actor): Promise<HeaderMode> {
  requirePermission(actor, "backend.administer");
  const url = ctx.config.DECISION_PUBLIC_URL;
  if (url === undefined) {
    throw new AppError("header_mode.not_configured", "DECISION_PUBLIC_URL is not set, so there is no proxy to test.");
  }
  await ctx.db.$transaction(async (tx) => {
    await notify(tx, HEADER_MODE_CHANNEL, printMessage({ kind: "check" }));
    await record(tx, ctx, actor, { action: "header_mode.check", target: targetOf(ctx, url) });
  });
  return getHeaderMode(ctx, actor);
}

/** For the gateway: the row as it is; null before the first test. */
export function readHeaderMode(ctx: Ctx): Promise<HeaderModeRow | null> {
  return store.findHeaderMode(ctx.db, ctx.namespaceId);
}

/** For the gateway: what a test found. @returns how header mode stands after it */
export async function recordHeaderCheck(ctx: Ctx, outcome: CheckOutcome): Promise<HeaderModeRow> {
  return ctx.db.$transaction(async (tx) => {
    await lockInTransaction(tx, `header mode ${ctx.namespaceId}`);
    const now = ctx.clock();
    const stored = await store.findHeaderMode(tx, ctx.namespaceId);
    const before = stored ?? { state: "off", detail: "", since: now, checkedAt: now };
    const after = nextState(before, outcome, now);
    await store.storeHeaderMode(tx, ctx.namespaceId, after);
    await notify(tx, HEADER_MODE_CHANNEL, printMessage({ kind: "changed" }));
    if (after.state !== before.state) {
      await record(tx, ctx, SYSTEM, {
        action: "header_mode.change",
        target: targetOf(ctx, after.state),
        before: { state: before.state },
        after: { state: after.state, detail: after.detail },
      });
    }
    return after;
  });
}

/** For the gateway: a question of the test with this nonce came through the proxy. Whichever replica runs the test hears of it. */
export function announceSeen(ctx: Ctx, seen: { nonce: string; forged: boolean }): Promise<void> {
  return notify(ctx.db, HEADER_MODE_CHANNEL, printMessage({ kind: "seen", ...seen }));
}

function targetOf(ctx: Ctx, name: string): { kind: "install"; id: string; name: string } {
  return { kind: "install", id: ctx.namespaceId, name };
}
