import type { Tx } from "#lib/db/client.ts";
import { isAppError } from "#lib/errors/app-error.ts";
import type { MenderCtx } from "./ctx.ts";
import { digestOfSet } from "./keys.ts";
import { logOutcome } from "./log.ts";
import { audit } from "./record.ts";
import * as store from "./store-bindings.ts";
import { withToken } from "./token.ts";

const A_TURN = 100;
const RECENT_MS = 120_000;
const AGAIN_AFTER_MS = 30_000;
/** Nothing at Mender's side hastens it. */
const WAITS_MS = 600_000;

/**
 * Rejects at the Mender server the keys of certificates that are revoked here. The door has refused them since: this ends the tokens they still
 * hold elsewhere. It never decommissions nor dismisses, since the next request of a device would make those undone, and it is
 * safe to repeat.
 *
 * @param what `recent`: of the last minutes, which is cheap in any fleet; `all`: also what had to wait, or lost its last good certificate
 * @returns how many were looked at
 * @see docs/contracts/mender.md section 5.4
 */
export async function rejectRevoked(ctx: MenderCtx, what: "recent" | "all" = "all"): Promise<number> {
  if (ctx.backends.mender === null) return 0;
  const now = ctx.clock();
  const since = what === "all" ? null : new Date(now.getTime() - RECENT_MS);
  const found = await store.listToReject(ctx.db, ctx.namespaceId, { now, limit: A_TURN, since });
  for (const key of found) {
    try {
      await reject(ctx, key);
    } catch (err) {
      if (!isAppError(err)) throw err;
      ctx.log.warn(
        { err, menderDeviceId: key.menderDeviceId },
        "a revoked key could not be rejected at the Mender server yet",
      );
      await postpone(ctx, key, AGAIN_AFTER_MS);
    }
  }
  return found.length;
}

async function reject(ctx: MenderCtx, key: store.ToReject): Promise<void> {
  const { menderDeviceId: deviceId, keySha256, fingerprint } = key;
  const device = await withToken(ctx, (mender, token) => mender.findDevice(ctx, token, deviceId));
  const set = device?.auth_sets?.find((one) => digestOfSet(one) === keySha256);
  if (set !== undefined && set.status !== "rejected") {
    const change = { deviceId, authSetId: set.id, status: "rejected" as const };
    const outcome = await withToken(ctx, (mender, token) => mender.setStatus(ctx, token, change));
    if (outcome === "not_allowed") {
      await tell(ctx, key, { outcome: "revocation_waits" });
      return postpone(ctx, key, WAITS_MS);
    }
  }
  const state = set === undefined ? "absent" : set.status === "rejected" ? "was_rejected" : "rejected";
  await ctx.db.$transaction(async (tx) => {
    const mark = { keySha256, fingerprint, rejectedAt: ctx.clock() };
    if (!(await store.markRejection(tx, ctx.namespaceId, mark))) return;
    await tell(ctx, key, { outcome: state === "rejected" ? "revocation_rejected" : "revocation_found", tx });
    await audit(tx, ctx, { action: "mender.reject", of: key, menderDeviceId: deviceId, key: state });
  });
}

async function tell(
  ctx: MenderCtx,
  key: store.ToReject,
  of: { outcome: "revocation_rejected" | "revocation_found" | "revocation_waits"; tx?: Tx },
): Promise<void> {
  await logOutcome(ctx, { ...key, identityText: "" }, { ...of, menderDeviceId: key.menderDeviceId });
}

async function postpone(ctx: MenderCtx, { keySha256, fingerprint }: store.ToReject, byMs: number): Promise<void> {
  const rejectAfter = new Date(ctx.clock().getTime() + byMs);
  await store.markRejection(ctx.db, ctx.namespaceId, { keySha256, fingerprint, rejectAfter });
}
