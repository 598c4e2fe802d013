import { type Actor, requirePermission } from "#lib/authz/actor.ts";
import type { MenderDeviceReport, MenderReport } from "#lib/contracts/console/mender.ts";
import { storableText } from "#lib/domain/storable-text.ts";
import { AppError, isAppError } from "#lib/errors/app-error.ts";
import { findMenderId } from "#services/fleet/service.ts";
import { type MenderCtx, requireMender } from "./ctx.ts";
import { digestOfSet } from "./keys.ts";
import { findBound } from "./store-bindings.ts";
import { findSync } from "./store-sync.ts";
import { findToken } from "./store-token.ts";
import { withToken } from "./token.ts";

/** The Mender server as it is now, asked with our token; one that does not answer is an answer too. @throws AppError `auth.forbidden` */
export async function getMender(ctx: MenderCtx, actor: Actor): Promise<MenderReport> {
  requirePermission(actor, "setting.read");
  const { config } = ctx;
  const { mender } = ctx.backends;
  const probed = mender === null ? UNASKED : await probe(ctx);
  const [token, sync] = await Promise.all([findToken(ctx.db, ctx.namespaceId), findSync(ctx.db, ctx.namespaceId)]);
  const isOurs = mender !== null && mender.personalToken === null && token?.account === mender.account;
  return {
    url: mender === null ? null : shown(mender.url),
    ...probed,
    tokenMode: mender === null ? null : mender.personalToken === null ? "login" : "personal",
    tokenObtainedAt: isOurs ? (token.obtainedAt?.toISOString() ?? null) : null,
    tokenExpiresAt: isOurs ? (token.expiresAt?.toISOString() ?? null) : null,
    keyMatch: config.MENDER_KEY_MATCH,
    rotation: config.MENDER_FORCE,
    door: { port: config.MENDER_DOOR_PORT ?? null, host: config.MENDER_HOST ?? null },
    devices: sync?.devices ?? 0,
    syncedAt: sync?.finishedAt?.toISOString() ?? null,
  };
}

/**
 * A device of the fleet as the Mender server has it now.
 *
 * @throws AppError `auth.forbidden` | `mender.absent` | `device.not_found` (also when Mender has no such device) | `mender.*` | `backend.*`
 */
export async function getMenderDevice(ctx: MenderCtx, actor: Actor, uuid: string): Promise<MenderDeviceReport> {
  requirePermission(actor, "device.read");
  requireMender(ctx);
  const menderId = await findMenderId(ctx.db, ctx.namespaceId, uuid);
  if (menderId === null) throw absent(uuid);
  const device = await withToken(ctx, (mender, token) => mender.findDevice(ctx, token, menderId));
  if (device === null) throw absent(uuid);
  const sets = (device.auth_sets ?? []).map((set) => ({ ...set, keySha256: digestOfSet(set) }));
  const keys = sets.flatMap(({ keySha256 }) => (keySha256 === null ? [] : [keySha256]));
  const bound = await findBound(ctx.db, ctx.namespaceId, keys);
  return {
    id: device.id,
    status: device.status,
    checkedInAt: device.check_in_time ?? null,
    identity: storableText(JSON.stringify(device.identity_data ?? {}), 2_000),
    authSets: sets.map(({ id, status, keySha256, ts }) => ({
      id,
      status,
      keySha256,
      fingerprint: (keySha256 === null ? undefined : bound.get(keySha256)?.fingerprint) ?? null,
      since: ts ?? null,
    })),
  };
}

const UNASKED = { isReachable: false, error: null, latencyMs: null } as const;

async function probe(ctx: MenderCtx): Promise<Pick<MenderReport, "isReachable" | "error" | "latencyMs">> {
  const started = performance.now();
  try {
    await withToken(ctx, (mender, token) => mender.listDevices(ctx, token, { page: 1, perPage: 1 }));
    return { isReachable: true, error: null, latencyMs: Math.round(performance.now() - started) };
  } catch (error) {
    if (!isAppError(error)) throw error;
    return { isReachable: false, error: error.message, latencyMs: null };
  }
}

function shown(address: string): string {
  const url = new URL(address);
  url.username = "";
  url.password = "";
  return url.href.replace(/\/$/, "");
}

function absent(deviceUuid: string): AppError {
  return new AppError("device.not_found", "The Mender server has no such device.", { context: { deviceUuid } });
}
