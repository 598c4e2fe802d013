import { AllowlistTags } from "#lib/contracts/console/allowlist.ts";
import { isAppError } from "#lib/errors/app-error.ts";
import type { DeviceIdentity } from "#lib/pki/device-id.ts";
import type { IdentityCtx } from "./ctx.ts";
import type { AllowlistRow } from "./store-allowlist.ts";

/** What an allowlist entry says about the device that comes with it. */
export type Preassigned = { readonly groupId: string | null; readonly tags: Readonly<Record<string, string>> };

/** What an entry assigns; tags that a later version stored otherwise are none. */
export function preassignedBy(entry: AllowlistRow | null): Preassigned {
  if (entry === null) return { groupId: null, tags: {} };
  return { groupId: entry.groupId, tags: AllowlistTags.catch({}).parse(entry.tags) };
}

/** A name from the allowlist that is taken meanwhile must not keep the device out: then its UUID is its name. */
export async function createNamed(
  ctx: IdentityCtx,
  device: DeviceIdentity & { name: string; certificatePem: string },
): Promise<void> {
  const { uuid, id: deviceId, name, certificatePem: credentials } = device;
  const make = (deviceName: string) =>
    ctx.backends.registry.createDevice(ctx, { uuid, deviceId, deviceName, credentials });
  try {
    await make(name);
  } catch (error) {
    if (!isAppError(error, "device.conflict") || name === uuid) throw error;
    await make(uuid);
  }
}

/**
 * Puts a device that has just come into its group and gives it its tags. A group that was deleted, or a registry that has no such thing,
 * keeps no device out.
 *
 * @returns what could not be done, for the audit entry
 */
export async function preassign(
  ctx: IdentityCtx,
  device: Pick<DeviceIdentity, "uuid" | "id">,
  { groupId, tags }: Preassigned,
): Promise<string[]> {
  const { registry } = ctx.backends;
  const deeds: [string, () => Promise<void>][] = [];
  if (groupId !== null) deeds.push(["group", () => registry.addToGroup(ctx, { groupId, uuid: device.uuid })]);
  if (Object.keys(tags).length > 0) deeds.push(["tags", () => registry.setTags(ctx, { deviceId: device.id, tags })]);
  const failed: string[] = [];
  for (const [what, act] of deeds) {
    try {
      await act();
    } catch (err) {
      if (!isAppError(err)) throw err;
      failed.push(what);
      ctx.log.warn({ err, groupId, deviceUuid: device.uuid, what }, "a new device did not get what its entry assigns");
    }
  }
  return failed;
}
