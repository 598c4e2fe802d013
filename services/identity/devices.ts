import { type Actor, requirePermission } from "#lib/authz/actor.ts";
import type { DirectorBackend } from "#lib/backends/director.ts";
import type { Ctx } from "#lib/ctx.ts";
import type { Tx } from "#lib/db/client.ts";
import { AppError } from "#lib/errors/app-error.ts";
import { auditBackendChange } from "#services/audit/service.ts";
import { findDeviceNames, removeDevice, setCertificate } from "#services/fleet/service.ts";
import { recordDeviceDeleted } from "#services/rollouts/service.ts";
import type { IdentityCtx } from "./ctx.ts";
import { revokeCertificatesOfDevice } from "./revoke.ts";
import * as store from "./store.ts";

type DeletionCtx = IdentityCtx & { readonly backends: { readonly director: Pick<DirectorBackend, "forgetDevice"> } };

/**
 * Deletes a device: revokes its certificates first, so that it is out whatever the registry answers, then has the registry
 * forget it, after a director that does not hear it from that registry. When either fails, repeat the deletion.
 *
 * @throws AppError `auth.forbidden` | `device.not_found` | `backend.*`
 */
export async function deleteDevice(ctx: DeletionCtx, actor: Actor, uuid: string): Promise<void> {
  requirePermission(actor, "device.delete");
  const name = (await findDeviceNames(ctx.db, ctx.namespaceId, [uuid])).get(uuid);
  if (name === undefined) throw new AppError("device.not_found", "No device with this UUID is known here.");
  const entry = { action: "device.delete" as const, target: { kind: "device" as const, id: uuid, name } };
  await auditBackendChange(ctx, { actor, entry }, async (finish) => {
    const revoked = await ctx.db.$transaction((tx) => revokeCertificatesOfDevice(tx, ctx, actor, uuid));
    if (isDirectorApart(ctx)) await ctx.backends.director.forgetDevice(ctx, uuid);
    await ctx.backends.registry.deleteDevice(ctx, uuid);
    await ctx.db.$transaction(async (tx) => {
      await forgetDeleted(tx, ctx, uuid);
      await finish(tx, { certificatesRevoked: revoked });
    });
  });
}

/** A registry tells the director that it shares an install with, and no other. */
function isDirectorApart({ config }: Ctx): boolean {
  return (config.DEVICE_REGISTRY_URL === undefined) !== (config.DIRECTOR_URL === undefined);
}

/** What the embedded registry does in its own transaction: an external one knows neither the fleet index nor our updates. */
async function forgetDeleted(tx: Tx, ctx: Ctx, uuid: string): Promise<void> {
  if (ctx.config.DEVICE_REGISTRY_URL === undefined) return;
  await removeDevice(tx, ctx.namespaceId, uuid);
  await recordDeviceDeleted(tx, ctx.namespaceId, { deviceUuid: uuid, at: ctx.clock() });
}

/** Shows on a device that the fleet index did not have before what was decided about its certificates. */
export async function showCertificates(tx: Tx, ctx: Ctx, deviceUuid: string): Promise<void> {
  const rows = await store.listOfDevices(tx, ctx.namespaceId, [deviceUuid]);
  const shown = rows.find(({ state }) => state === "allowed") ?? rows[0];
  if (shown === undefined) return;
  const { fingerprint, state, notAfter, simulated } = shown;
  const mark = simulated ? { simulated } : {};
  await setCertificate(tx, ctx.namespaceId, { deviceUuid, fingerprint, state, notAfter, ...mark });
}
