import type { MenderOutcome } from "#lib/contracts/console/mender.ts";
import type { MenderAuthSet, MenderDevice } from "#lib/contracts/mender.ts";
import { type AppError, isAppError } from "#lib/errors/app-error.ts";
import { type MenderCtx, requireMender } from "./ctx.ts";
import { digestOfSet, identityDigest } from "./keys.ts";
import { type Found, type Proven, recordOutcome, SETTLED } from "./record.ts";
import * as store from "./store-bindings.ts";
import { withToken } from "./token.ts";

export type Preauthorization = {
  readonly outcome: MenderOutcome;
  /** It need not be asked again for a while. */
  readonly isSettled: boolean;
  /** After the server's 401 the key can be accepted, and the same request repeated. */
  readonly acceptAfterRefusal: { readonly menderDeviceId: string } | null;
};

/**
 * Makes an identity and key known to the Mender server before the request is passed on. Whatever comes of it, the request may be
 * passed on: a device that is accepted already gets its token without us, and one that is not will be told so by the server.
 *
 * A new key for an identity that exists is let in only when the same device came with that identity before and MENDER_FORCE is
 * on: else any admitted device could take another one's place. A rejected key stays rejected.
 *
 * Never throws: what the Mender server, the network or the database can't do now is done with the next request.
 *
 * @see docs/contracts/mender.md section 5.2
 */
export async function preauthorize(ctx: MenderCtx, proven: Proven): Promise<Preauthorization> {
  const found = await findOutcome(ctx, proven);
  const { outcome, menderDeviceId = null } = found;
  const waits = outcome === "rotation_waits" && menderDeviceId !== null ? { menderDeviceId } : null;
  try {
    await recordOutcome(ctx, proven, found);
    return { outcome, isSettled: SETTLED.has(outcome), acceptAfterRefusal: waits };
  } catch (err) {
    ctx.log.warn({ err, outcome }, "a preauthorization could not be recorded");
    // Asked again with the next request, which records it.
    return { outcome, isSettled: false, acceptAfterRefusal: waits };
  }
}

/** Accepts the key that an older server has just recorded as pending. @returns whether the request is worth repeating */
export async function acceptPending(ctx: MenderCtx, proven: Proven, menderDeviceId: string): Promise<boolean> {
  try {
    const device = await withToken(ctx, (mender, token) => mender.findDevice(ctx, token, menderDeviceId));
    const set = device === null ? undefined : setOf(device, proven.keySha256);
    if (device === null || set?.status !== "pending" || !(await ownsIdentity(ctx, proven))) return false;
    const found = await accept(ctx, device.id, set, "rotated");
    await recordOutcome(ctx, proven, found);
    return found.outcome === "rotated";
  } catch (err) {
    ctx.log.warn({ err }, "a rotated key could not be accepted; it is tried again with the next request");
    return false;
  }
}

async function findOutcome(ctx: MenderCtx, proven: Proven): Promise<Found> {
  try {
    return await ask(ctx, proven);
  } catch (error) {
    if (!isAppError(error)) {
      ctx.log.error({ err: error }, "a device could not be preauthorized");
      return { outcome: "unavailable" };
    }
    const outcome = outcomeOf(error);
    if (outcome === "forbidden" || isAppError(error, "mender.token_refused")) {
      ctx.log.error({ err: error }, "devices can't be preauthorized: the Mender user must be looked after");
    }
    return { outcome, ...(outcome === "refused" ? { detail: error.message } : {}) };
  }
}

function outcomeOf(error: AppError): MenderOutcome {
  switch (error.code) {
    case "mender.forbidden":
      return "forbidden";
    case "mender.sign_in_refused":
    case "mender.token_refused":
      return "sign_in_refused";
    case "mender.refused":
      return "refused";
    default:
      return "unavailable";
  }
}

async function ask(ctx: MenderCtx, proven: Proven): Promise<Found> {
  requireMender(ctx);
  const set = { identity: proven.identity, pubkey: proven.pubkeyPem };
  const first = await withToken(ctx, (mender, token) => mender.preauthorize(ctx, token, set));
  if (first.kind === "created") return { outcome: "preauthorized", deed: "mender.preauthorize" };
  const { deviceId } = first;
  const device = await withToken(ctx, (mender, token) => mender.findDevice(ctx, token, deviceId));
  // Deleted meanwhile: the next request makes it anew.
  if (device === null) return { outcome: "unavailable" };
  const known = setOf(device, proven.keySha256);
  switch (known?.status) {
    case "accepted":
    case "preauthorized":
      return { outcome: "already_known", menderDeviceId: device.id };
    case "rejected":
      return { outcome: "rejected_in_mender", menderDeviceId: device.id };
    case "pending": {
      const refusal = await pendingProblem(ctx, device, proven);
      if (refusal !== null) return { outcome: refusal, menderDeviceId: device.id };
      return accept(ctx, device.id, known, "accepted");
    }
    case undefined: {
      const refusal = await rotationProblem(ctx, proven);
      if (refusal !== null) return { outcome: refusal, menderDeviceId: device.id };
      const forced = await withToken(ctx, (mender, token) => mender.preauthorize(ctx, token, { ...set, force: true }));
      const menderDeviceId = device.id;
      if (forced.kind === "exists") return { outcome: "rotation_waits", menderDeviceId };
      return { outcome: "rotated", menderDeviceId, deed: "mender.preauthorize" };
    }
  }
}

/** A pending key is a first one, or it takes the place of one that is in force: then it is a rotation like any other. */
async function pendingProblem(ctx: MenderCtx, device: MenderDevice, proven: Proven): Promise<MenderOutcome | null> {
  const isReplacing = (device.auth_sets ?? []).some(
    ({ status }) => status === "accepted" || status === "preauthorized",
  );
  if (isReplacing) return rotationProblem(ctx, proven);
  const owner = await store.findOwner(ctx.db, ctx.namespaceId, identityDigest(proven.identity));
  return owner === null || owner === proven.deviceUuid ? null : "identity_of_another";
}

async function rotationProblem(ctx: MenderCtx, proven: Proven): Promise<MenderOutcome | null> {
  const owner = await store.findOwner(ctx.db, ctx.namespaceId, identityDigest(proven.identity));
  if (owner === null) return "rotation_unproven";
  if (owner !== proven.deviceUuid) return "identity_of_another";
  return ctx.config.MENDER_FORCE === "on" ? null : "rotation_off";
}

async function ownsIdentity(ctx: MenderCtx, proven: Proven): Promise<boolean> {
  return (await rotationProblem(ctx, proven)) === null;
}

async function accept(
  ctx: MenderCtx,
  deviceId: string,
  set: MenderAuthSet,
  outcome: "accepted" | "rotated",
): Promise<Found> {
  const change = { deviceId, authSetId: set.id, status: "accepted" as const };
  const changed = await withToken(ctx, (mender, token) => mender.setStatus(ctx, token, change));
  if (changed === "changed") return { outcome, menderDeviceId: deviceId, deed: "mender.accept" };
  return { outcome: changed === "limit_reached" ? "limit_reached" : "refused", menderDeviceId: deviceId };
}

function setOf(device: MenderDevice, keySha256: string): MenderAuthSet | undefined {
  return device.auth_sets?.find((set) => digestOfSet(set) === keySha256);
}
