import { SYSTEM } from "#lib/authz/actor.ts";
import type { AuditAction } from "#lib/contracts/console/audit.ts";
import type { MenderOutcome } from "#lib/contracts/console/mender.ts";
import type { Ctx } from "#lib/ctx.ts";
import type { Tx } from "#lib/db/client.ts";
import { record } from "#services/audit/service.ts";
import { showMenderAccepted } from "#services/fleet/service.ts";
import { identityDigest } from "./keys.ts";
import { type Attempt, logOutcome } from "./log.ts";
import * as store from "./store-bindings.ts";

/** An authentication request that was proven: signed by its key, sent by an admitted certificate. */
export type Proven = Attempt & {
  readonly identity: Readonly<Record<string, unknown>>;
  /** As the device wrote it. */
  readonly pubkeyPem: string;
};

/** What came of a request, and what was changed at the server for it. */
export type Found = {
  readonly outcome: MenderOutcome;
  readonly menderDeviceId?: string;
  readonly detail?: string;
  readonly deed?: "mender.preauthorize" | "mender.accept";
};

/** After these the server lets the key in. */
export const SETTLED: ReadonlySet<MenderOutcome> = new Set(["preauthorized", "already_known", "accepted", "rotated"]);

/**
 * Binds a key that the server lets in to its certificate, logs what came of it, and audits what was changed. A key that we see here for the
 * first time is audited, too, when nothing had to be changed: so nothing is missing where we ended between a change and its record.
 */
export async function recordOutcome(ctx: Ctx, proven: Proven, found: Found): Promise<void> {
  const { outcome, menderDeviceId = null, detail, deed } = found;
  await ctx.db.$transaction(async (tx) => {
    const binding = bindingOf(ctx, proven, { menderDeviceId });
    const isNew = SETTLED.has(outcome) && (await store.bind(tx, ctx.namespaceId, binding));
    await logOutcome(ctx, proven, { outcome, menderDeviceId, tx, ...(detail === undefined ? {} : { detail }) });
    const action = deed ?? (isNew ? "mender.recognise" : null);
    if (action !== null) await audit(tx, ctx, { action, of: proven, menderDeviceId });
  });
}

/** Remembers what Mender calls a device that it has just let in, from the token that it gave, and shows it in the fleet. */
export async function noteAccepted(
  ctx: Ctx,
  proven: Proven,
  ids: { menderDeviceId: string; authSetId: string },
): Promise<void> {
  await ctx.db.$transaction(async (tx) => {
    const isNew = await store.bind(tx, ctx.namespaceId, bindingOf(ctx, proven, ids));
    await showMenderAccepted(tx, ctx.namespaceId, { uuid: proven.deviceUuid, menderId: ids.menderDeviceId });
    if (isNew) await audit(tx, ctx, { action: "mender.recognise", of: proven, menderDeviceId: ids.menderDeviceId });
  });
}

/** Audits, last in its transaction, what was done at the server for a device or against it. */
export async function audit(
  tx: Tx,
  ctx: Ctx,
  deed: {
    action: AuditAction;
    of: Pick<Attempt, "deviceUuid" | "fingerprint" | "keySha256">;
    menderDeviceId: string | null;
    key?: "rejected" | "was_rejected" | "absent";
  },
): Promise<void> {
  const { deviceUuid, fingerprint, keySha256 } = deed.of;
  await record(tx, ctx, SYSTEM, {
    action: deed.action,
    target: { kind: "device", id: deviceUuid },
    after: {
      fingerprint,
      keySha256,
      menderDeviceId: deed.menderDeviceId,
      ...(deed.key === undefined ? {} : { key: deed.key }),
    },
  });
}

function bindingOf(ctx: Ctx, proven: Proven, ids: { menderDeviceId: string | null; authSetId?: string }) {
  const { keySha256, fingerprint, deviceUuid } = proven;
  return {
    keySha256,
    fingerprint,
    deviceUuid,
    identitySha256: identityDigest(proven.identity),
    at: ctx.clock(),
    ...ids,
  };
}
