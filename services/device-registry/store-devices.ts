import type { CreateDevice, RegistryStatus } from "#lib/contracts/ota/device-registry.ts";
import type { DbOrTx, Tx } from "#lib/db/client.ts";
import type { Prisma } from "#lib/db/generated/client.ts";

export type RegistryRow = Prisma.RegistryDeviceGetPayload<object>;

export async function findDevice(db: DbOrTx, uuid: string): Promise<RegistryRow | null> {
  return db.registryDevice.findUnique({ where: { uuid } });
}

export async function findByOemId(db: DbOrTx, namespaceId: string, deviceId: string): Promise<RegistryRow | null> {
  return db.registryDevice.findUnique({ where: { namespaceId_deviceId: { namespaceId, deviceId } } });
}

/** Keeps the row from being deleted until the transaction ends. @returns whether there is one */
export async function lockDevice(tx: Tx, namespaceId: string, uuid: string): Promise<boolean> {
  const rows = await tx.$queryRaw<unknown[]>`
    SELECT 1 FROM registry_device WHERE uuid = ${uuid}::uuid AND "namespaceId" = ${namespaceId} FOR KEY SHARE`;
  return rows.length > 0;
}

/** @throws Prisma's unique violation when uuid, name or device id are taken */
export async function insertDevice(
  tx: Tx,
  device: { uuid: string; namespaceId: string; createdAt: Date; given: CreateDevice },
): Promise<RegistryRow> {
  const { given } = device;
  return tx.registryDevice.create({
    data: {
      uuid: device.uuid,
      namespaceId: device.namespaceId,
      deviceName: given.deviceName,
      deviceId: given.deviceId,
      deviceType: given.deviceType,
      createdAt: device.createdAt,
      status: "NotSeen",
      hibernated: given.hibernated ?? false,
    },
  });
}

/** @throws Prisma's unique violation when the name is taken */
export async function changeDevice(
  tx: Tx,
  of: { namespaceId: string; uuid: string },
  change: { deviceName?: string; notes?: string | null; hibernated?: boolean },
): Promise<RegistryRow | null> {
  const [row] = await tx.registryDevice.updateManyAndReturn({ where: of, data: change });
  return row ?? null;
}

/** Removes what the registry keeps of the device, except its installation reports. */
export async function deleteDevice(tx: Tx, of: { namespaceId: string; uuid: string; at: Date }): Promise<boolean> {
  const { namespaceId, uuid } = of;
  const rows = await tx.$queryRaw<{ deviceId: string }[]>`
    DELETE FROM registry_device WHERE uuid = ${uuid}::uuid AND "namespaceId" = ${namespaceId} RETURNING "deviceId"`;
  const [row] = rows;
  if (row === undefined) return false;
  const where = { deviceUuid: uuid };
  await tx.registryCredentials.deleteMany({ where });
  await tx.registrySystemInfo.deleteMany({ where });
  await tx.registryNetworkInfo.deleteMany({ where });
  await tx.registryPackage.deleteMany({ where });
  await tx.registryEvent.deleteMany({ where });
  await tx.registryQuarantinedEvent.deleteMany({ where });
  await tx.registryGroupMember.deleteMany({ where });
  await tx.registryTag.deleteMany({ where });
  const deleted = { namespaceId, deviceId: row.deviceId, deletedAt: of.at };
  await tx.registryDeletedDevice.upsert({ where: { uuid }, create: { uuid, ...deleted }, update: deleted });
  return true;
}

export async function updateSeen(tx: Tx, namespaceId: string, seen: { uuid: string; at: Date }): Promise<void> {
  await tx.$executeRaw`
    UPDATE registry_device SET "lastSeen" = greatest("lastSeen", ${seen.at}::timestamptz),
      "activatedAt" = coalesce("activatedAt", ${seen.at}::timestamptz),
      status = CASE WHEN "activatedAt" IS NULL THEN 'UpToDate' ELSE status END
    WHERE uuid = ${seen.uuid}::uuid AND "namespaceId" = ${namespaceId}`;
}

/** A device without contact stays `NotSeen`, whatever is assigned to it. */
export async function updateStatuses(
  tx: Tx,
  namespaceId: string,
  statuses: ReadonlyMap<string, RegistryStatus>,
): Promise<void> {
  if (statuses.size === 0) return;
  const rows = [...statuses].map(([uuid, status]) => ({ uuid, status }));
  await tx.$executeRaw`
    UPDATE registry_device AS d SET status = CASE WHEN d."lastSeen" IS NULL THEN 'NotSeen' ELSE s.status END
    FROM jsonb_to_recordset(${JSON.stringify(rows)}::jsonb) AS s(uuid uuid, status text)
    WHERE d.uuid = s.uuid AND d."namespaceId" = ${namespaceId}`;
}

export async function upsertCredentials(
  tx: Tx,
  credentials: { deviceUuid: string; type: string; credentials: string; updatedAt: Date },
): Promise<void> {
  const { deviceUuid, ...data } = credentials;
  await tx.registryCredentials.upsert({ where: { deviceUuid }, create: credentials, update: data });
}

export async function findCredentials(
  db: DbOrTx,
  deviceUuid: string,
): Promise<{ type: string; credentials: string } | null> {
  return db.registryCredentials.findUnique({ where: { deviceUuid }, select: { type: true, credentials: true } });
}
