import { type Actor, requirePermission } from "#lib/authz/actor.ts";
import { AppError } from "#lib/errors/app-error.ts";
import { auditBackendChange } from "#services/audit/service.ts";
import { findDeviceNames } from "#services/fleet/service.ts";
import type { IdentityCtx } from "./ctx.ts";
import { revokeCertificatesOfDevice } from "./decisions.ts";

/**
 * Deletes a device: revokes its certificates first, so that it is out whatever the registry answers, then has the registry
 * forget it. When the registry fails, repeat the deletion.
 *
 * @throws AppError `auth.forbidden` | `device.not_found` | `backend.*`
 */
export async function deleteDevice(ctx: IdentityCtx, actor: Actor, uuid: string): Promise<void> {
  requirePermission(actor, "device.delete");
  const name = (await findDeviceNames(ctx.db, ctx.namespaceId, [uuid])).get(uuid);
  if (name === undefined) throw new AppError("device.not_found", "No device with this UUID is known here.");
  const entry = { action: "device.delete" as const, target: { kind: "device" as const, id: uuid, name } };
  await auditBackendChange(ctx, { actor, entry }, async (finish) => {
    const revoked = await ctx.db.$transaction((tx) => revokeCertificatesOfDevice(tx, ctx, actor, uuid));
    await ctx.backends.registry.deleteDevice(ctx, uuid);
    await ctx.db.$transaction((tx) => finish(tx, { certificatesRevoked: revoked }));
  });
}
