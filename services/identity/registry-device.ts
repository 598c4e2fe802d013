import { AppError, isAppError } from "#lib/errors/app-error.ts";
import { type IdentityCtx, registryCall } from "./ctx.ts";

/**
 * Makes the device's row in the registry; an existing row keeps its name. Idempotent.
 *
 * @throws AppError `device.conflict` when another device has the name | `backend.*`
 * @see contracts/device-registry.md, PUT /devices
 */
export async function createRegistryDevice(
  ctx: IdentityCtx,
  device: { uuid: string; name: string; certificatePem: string },
): Promise<void> {
  try {
    await ctx.backends.registry.createDevice(registryCall(ctx), {
      uuid: device.uuid,
      deviceId: device.uuid,
      deviceName: device.name,
      credentials: device.certificatePem,
    });
  } catch (cause) {
    if (isRefusal(cause, 409)) {
      throw new AppError("device.conflict", `Another device is called "${device.name}". Choose another name.`, {
        cause,
      });
    }
    throw cause;
  }
}

/** @returns false when the registry did not know it @throws AppError `backend.*` */
export async function deleteRegistryDevice(ctx: IdentityCtx, uuid: string): Promise<boolean> {
  try {
    await ctx.backends.registry.deleteDevice(registryCall(ctx), uuid);
    return true;
  } catch (error) {
    if (isRefusal(error, 404)) return false;
    throw error;
  }
}

function isRefusal(error: unknown, status: number): boolean {
  return isAppError(error, "backend.refused") && error.context.status === status;
}
