import { isAppError } from "#lib/errors/app-error.ts";
import type { IdentityCtx } from "./ctx.ts";

/** The name is free to choose: the device's own id, or its UUID where another device has that name. */
export async function registerDevice(ctx: IdentityCtx, device: { uuid: string; deviceId: string }): Promise<void> {
  const make = (deviceName: string) => ctx.backends.registry.createDevice(ctx, { ...device, deviceName });
  try {
    await make(device.deviceId);
  } catch (error) {
    if (!isAppError(error, "device.conflict")) throw error;
    await make(device.uuid);
  }
}

/** A group that was deleted or that is not told of in time keeps no device out: the audit entry and the log say so. */
export async function joinGroup(ctx: IdentityCtx, groupId: string | null, uuid: string): Promise<boolean> {
  if (groupId === null) return true;
  try {
    await ctx.backends.registry.addToGroup(ctx, { groupId, uuid });
    return true;
  } catch (err) {
    if (!isAppError(err)) throw err;
    ctx.log.warn({ err, groupId, deviceUuid: uuid }, "a device that registered could not join its group");
    return false;
  }
}

/** A device that got no certificate must not keep its id from registering again. */
export async function unregisterDevice(ctx: IdentityCtx, deviceUuid: string): Promise<void> {
  await ctx.backends.registry
    .deleteDevice(ctx, deviceUuid)
    .catch((err) => ctx.log.warn({ err, deviceUuid }, "a device that could not be registered stays in the registry"));
}
