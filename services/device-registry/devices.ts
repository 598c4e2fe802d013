import { randomUUID } from "node:crypto";
import { otaInstant } from "#lib/contracts/ota/common.ts";
import type { CreateDevice, RegistryDevice } from "#lib/contracts/ota/device-registry.ts";
import type { Ctx } from "#lib/ctx.ts";
import { isUniqueViolation, lockInTransaction, type Tx } from "#lib/db/client.ts";
import { AppError } from "#lib/errors/app-error.ts";
import { removeDevice, upsertDevice } from "#services/fleet/service.ts";
import { recordDeviceDeleted } from "#services/rollouts/service.ts";
import * as store from "./store-devices.ts";
import { listSmartGroups, recomputeMembers, shareGroups } from "./store-groups.ts";

/** What other services forget with a deleted device, in the same transaction. It runs first: their own transactions lock so too. */
export type OnDelete = (tx: Tx, ctx: Ctx, uuid: string) => Promise<void>;

/** Makes a device, in its smart groups from the start. @returns its uuid. @throws AppError `device.conflict` when uuid, name or device id are taken */
export async function addDevice(ctx: Ctx, given: CreateDevice): Promise<string> {
  return refuseTaken(() => ctx.db.$transaction((tx) => insert(tx, ctx, given)));
}

/**
 * The provisioning call: the device of this device id, made if need be, with these credentials from now on. A device that is there
 * keeps its uuid and name.
 *
 * @throws AppError `device.conflict` | `ota.request_needs_credentials`
 */
export async function provisionDevice(ctx: Ctx, given: CreateDevice): Promise<string> {
  const { credentials } = given;
  if (credentials == null) throw new AppError("ota.request_needs_credentials", "credentials must be given.");
  return refuseTaken(() =>
    ctx.db.$transaction(async (tx) => {
      await lockInTransaction(tx, `registry:${ctx.namespaceId}:${given.deviceId}`);
      const known = await store.findByOemId(tx, ctx.namespaceId, given.deviceId);
      const deviceUuid = known?.uuid ?? (await insert(tx, ctx, given));
      const type = given.credentialsType ?? "PEM";
      await store.upsertCredentials(tx, { deviceUuid, type, credentials, updatedAt: ctx.clock() });
      return deviceUuid;
    }),
  );
}

async function insert(tx: Tx, ctx: Ctx, given: CreateDevice): Promise<string> {
  const device = { uuid: given.uuid ?? randomUUID(), namespaceId: ctx.namespaceId, createdAt: ctx.clock(), given };
  await shareGroups(tx, ctx.namespaceId);
  await mirror(tx, await store.insertDevice(tx, device));
  const groups = await listSmartGroups(tx, ctx.namespaceId);
  await recomputeMembers(tx, ctx.namespaceId, { groups, deviceUuids: [device.uuid] });
  return device.uuid;
}

/** @throws AppError `device.not_found` | `device.conflict` */
export async function changeDevice(
  ctx: Ctx,
  uuid: string,
  change: { deviceName?: string; notes?: string | null; hibernated?: boolean },
): Promise<void> {
  if (Object.keys(change).length === 0) throw missingDevice(); // the original changes no row and says so
  await refuseTaken(() =>
    ctx.db.$transaction(async (tx) => {
      const row = await store.changeDevice(tx, { namespaceId: ctx.namespaceId, uuid }, change);
      if (row === null) throw missingDevice();
      await mirror(tx, row);
    }),
  );
}

/** @throws AppError `device.not_found` */
export async function deleteDevice(ctx: Ctx, uuid: string, onDelete: OnDelete): Promise<void> {
  await ctx.db.$transaction(async (tx) => {
    await shareGroups(tx, ctx.namespaceId);
    await onDelete(tx, ctx, uuid);
    const of = { namespaceId: ctx.namespaceId, uuid, at: ctx.clock() };
    // The registry's row before the fleet's, in the order of every other writer of both.
    if (!(await store.deleteDevice(tx, of))) throw missingDevice();
    await removeDevice(tx, ctx.namespaceId, uuid);
    await recordDeviceDeleted(tx, ctx.namespaceId, { deviceUuid: uuid, at: of.at });
  });
}

/** The fleet index shows it under this name from now on. */
async function mirror(tx: Tx, row: store.RegistryRow): Promise<void> {
  const { uuid, deviceName: name, deviceId, createdAt } = row;
  await upsertDevice(tx, row.namespaceId, { uuid, name, deviceId, createdAt });
}

export function missingDevice(): AppError {
  return new AppError("device.not_found", "There is no such device.");
}

async function refuseTaken<T>(run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (cause) {
    if (!isUniqueViolation(cause)) throw cause;
    throw new AppError("device.conflict", "A device of this name, device id or uuid exists.", { cause });
  }
}

/** @see contracts/device-registry.md section 1.1 */
export function toContract(row: store.RegistryRow, attributes: Record<string, string> = {}): RegistryDevice {
  return {
    namespace: row.namespaceId,
    uuid: row.uuid,
    deviceName: row.deviceName,
    deviceId: row.deviceId,
    deviceType: row.deviceType,
    lastSeen: row.lastSeen === null ? null : otaInstant(row.lastSeen),
    createdAt: otaInstant(row.createdAt),
    activatedAt: row.activatedAt === null ? null : otaInstant(row.activatedAt),
    deviceStatus: row.status,
    notes: row.notes,
    hibernated: row.hibernated,
    mqttLastSeen: null,
    mqttStatus: "NotSeen",
    attributes,
  };
}
