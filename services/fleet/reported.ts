import { createHash } from "node:crypto";
import { type Actor, requirePermission } from "#lib/authz/actor.ts";
import type { BackendCtx } from "#lib/backends/backends.ts";
import type { DeviceHardware } from "#lib/contracts/console/devices.ts";
import { AppError } from "#lib/errors/app-error.ts";
import * as reads from "./store-read.ts";

const PACKAGES_SHOWN = 1_000;

/** What the device told its registry about itself. @throws AppError `auth.forbidden` | `device.not_found` | `backend.*` */
export async function getHardware(ctx: BackendCtx, actor: Actor, uuid: string): Promise<DeviceHardware> {
  requirePermission(actor, "device.read");
  await reads.getDeviceRow(ctx.db, ctx.namespaceId, uuid);
  const { registry } = ctx.backends;
  const [system, network, { packages, total }] = await Promise.all([
    registry.getSystemInfo(ctx, uuid),
    registry.getNetwork(ctx, uuid),
    registry.listPackages(ctx, { uuid, limit: PACKAGES_SHOWN }),
  ]);
  return { system, network, packages, packagesTotal: total };
}

/**
 * A manifest's bytes as the device sent them.
 *
 * @throws AppError `auth.forbidden` | `device.not_found` | `backend.invalid_reply` when the bytes are not those of the digest:
 *   then they are no evidence of anything
 */
export async function getManifest(
  ctx: BackendCtx,
  actor: Actor,
  of: { uuid: string; sha256: string },
): Promise<Buffer> {
  requirePermission(actor, "device.read");
  await reads.getDeviceRow(ctx.db, ctx.namespaceId, of.uuid);
  const bytes = await ctx.backends.director.getManifest(ctx, { deviceUuid: of.uuid, sha256: of.sha256 });
  if (createHash("sha256").update(bytes).digest("hex") === of.sha256) return bytes;
  throw new AppError("backend.invalid_reply", "The director's copy of this manifest is not what the device sent.", {
    context: { deviceUuid: of.uuid },
  });
}
