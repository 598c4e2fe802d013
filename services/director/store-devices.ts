import type { DbOrTx, Tx } from "#lib/db/client.ts";
import { Prisma } from "#lib/db/generated/client.ts";

export type InstalledImage = { readonly filename: string; readonly sha256: string; readonly length: number };

export type DeviceRow = {
  readonly uuid: string;
  readonly primarySerial: string | null;
  readonly metadataOutdated: boolean;
  readonly mayStillInstall: boolean;
  readonly withdrawnCorrelationId: string | null;
  readonly lastManifestDigest: string | null;
  readonly registeredAt: Date | null;
  readonly deletedAt: Date | null;
};

export type EcuRow = {
  readonly deviceUuid: string;
  readonly serial: string;
  readonly hardwareId: string;
  readonly keyType: string;
  readonly publicValue: string;
  readonly primary: boolean;
  readonly installed: InstalledImage | null;
  readonly installedAt: Date | null;
};

/**
 * The rows of these devices, locked until the transaction ends. Everything that changes a device takes this lock first, in the
 * order of ids, so that manifests, assignments and cancellations of one device follow each other.
 */
export async function lockDevices(tx: Tx, namespaceId: string, uuids: readonly string[]): Promise<DeviceRow[]> {
  return tx.$queryRaw<DeviceRow[]>`
    SELECT uuid, "primarySerial", "metadataOutdated", "mayStillInstall", "withdrawnCorrelationId", "lastManifestDigest",
      "registeredAt", "deletedAt"
    FROM director_device WHERE "namespaceId" = ${namespaceId} AND uuid = ANY(${[...uuids]}::uuid[])
    ORDER BY uuid FOR UPDATE`;
}

/** Makes the row when there is none, then locks it. @returns null when the id belongs to another namespace */
export async function lockOrCreateDevice(tx: Tx, namespaceId: string, uuid: string): Promise<DeviceRow | null> {
  await tx.$executeRaw`
    INSERT INTO director_device (uuid, "namespaceId") VALUES (${uuid}::uuid, ${namespaceId}) ON CONFLICT DO NOTHING`;
  const [row] = await lockDevices(tx, namespaceId, [uuid]);
  return row ?? null;
}

export async function findDevice(db: DbOrTx, namespaceId: string, uuid: string): Promise<DeviceRow | null> {
  return db.directorDevice.findFirst({
    where: { uuid, namespaceId },
    select: {
      uuid: true,
      primarySerial: true,
      metadataOutdated: true,
      mayStillInstall: true,
      withdrawnCorrelationId: true,
      lastManifestDigest: true,
      registeredAt: true,
      deletedAt: true,
    },
  });
}

export async function updateDevice(
  tx: Tx,
  uuid: string,
  change: Prisma.DirectorDeviceUncheckedUpdateInput,
): Promise<void> {
  await tx.directorDevice.update({ where: { uuid }, data: change, select: { uuid: true } });
}

/** @returns false when there is no such registered device */
export async function markOutdated(db: DbOrTx, namespaceId: string, uuids: readonly string[]): Promise<boolean> {
  const { count } = await db.directorDevice.updateMany({
    where: { namespaceId, uuid: { in: [...uuids] }, deletedAt: null },
    data: { metadataOutdated: true },
  });
  return count > 0;
}

/** Every device of the namespace, locked in the order in which everybody locks them. */
export async function outdateAll(tx: Tx, namespaceId: string): Promise<void> {
  await tx.$executeRaw`
    WITH locked AS (
      SELECT uuid FROM director_device WHERE "namespaceId" = ${namespaceId} AND NOT "metadataOutdated" ORDER BY uuid FOR UPDATE
    )
    UPDATE director_device AS d SET "metadataOutdated" = true FROM locked WHERE d.uuid = locked.uuid`;
}

const ECU_COLUMNS = {
  deviceUuid: true,
  serial: true,
  hardwareId: true,
  keyType: true,
  publicValue: true,
  primary: true,
  installedFilename: true,
  installedSha256: true,
  installedLength: true,
  installedAt: true,
} satisfies Prisma.DirectorEcuSelect;

/** ECUs in use, the primary first. */
export async function listEcus(db: DbOrTx, namespaceId: string, deviceUuids: readonly string[]): Promise<EcuRow[]> {
  const rows = await db.$queryRaw<Prisma.DirectorEcuGetPayload<{ select: typeof ECU_COLUMNS }>[]>`
    SELECT ${columns(ECU_COLUMNS)} FROM director_ecu
    WHERE "namespaceId" = ${namespaceId} AND "deviceUuid" = ANY(${[...deviceUuids]}::uuid[]) AND "removedAt" IS NULL
    ORDER BY "deviceUuid", "primary" DESC, serial`;
  return rows.map(toEcuRow);
}

/** Serials that this device once had and that were replaced. */
export async function listRemovedSerials(db: DbOrTx, deviceUuid: string): Promise<string[]> {
  const rows = await db.directorEcu.findMany({
    where: { deviceUuid, removedAt: { not: null } },
    select: { serial: true },
  });
  return rows.map(({ serial }) => serial);
}

export type RegisteredEcu = Pick<EcuRow, "serial" | "hardwareId" | "keyType" | "publicValue" | "primary">;

/** Makes `ecus` the device's complete set. `reset` names ECUs of which nothing that was reported holds any more. */
export async function replaceEcus(
  tx: Tx,
  of: { namespaceId: string; deviceUuid: string; at: Date },
  change: { ecus: readonly RegisteredEcu[]; removed: readonly string[]; reset: readonly string[] },
): Promise<void> {
  const { namespaceId, deviceUuid, at } = of;
  await tx.directorEcu.updateMany({
    where: { deviceUuid, serial: { in: [...change.removed] } },
    data: { removedAt: at, primary: false },
  });
  await tx.$executeRaw`
    INSERT INTO director_ecu ("deviceUuid", serial, "namespaceId", "hardwareId", "keyType", "publicValue", "primary", "createdAt")
    SELECT ${deviceUuid}::uuid, e.serial, ${namespaceId}, e."hardwareId", e."keyType", e."publicValue", e."primary", ${at}
    FROM jsonb_to_recordset(${JSON.stringify(change.ecus)}::jsonb)
      AS e(serial text, "hardwareId" text, "keyType" text, "publicValue" text, "primary" boolean)
    ON CONFLICT ("deviceUuid", serial) DO UPDATE SET "hardwareId" = excluded."hardwareId", "keyType" = excluded."keyType",
      "publicValue" = excluded."publicValue", "primary" = excluded."primary"`;
  if (change.reset.length === 0) return;
  await tx.directorEcu.updateMany({
    where: { deviceUuid, serial: { in: [...change.reset] } },
    data: {
      installedFilename: null,
      installedSha256: null,
      installedLength: null,
      installedAt: null,
      installedManifest: null,
    },
  });
}

/** What the ECUs of one manifest say they run; one statement. */
export async function updateInstalled(
  tx: Tx,
  of: { deviceUuid: string; at: Date; manifestId: string },
  ecus: readonly ({ serial: string } & InstalledImage)[],
): Promise<void> {
  if (ecus.length === 0) return;
  await tx.$executeRaw`
    UPDATE director_ecu AS e SET "installedFilename" = r.filename, "installedSha256" = r.sha256, "installedLength" = r.length,
      "installedAt" = ${of.at}, "installedManifest" = ${of.manifestId}::uuid
    FROM jsonb_to_recordset(${JSON.stringify(ecus)}::jsonb) AS r(serial text, filename text, sha256 text, length bigint)
    WHERE e."deviceUuid" = ${of.deviceUuid}::uuid AND e.serial = r.serial`;
}

function toEcuRow(row: Prisma.DirectorEcuGetPayload<{ select: typeof ECU_COLUMNS }>): EcuRow {
  const { installedFilename, installedSha256, installedLength, ...ecu } = row;
  const known = installedFilename !== null && installedSha256 !== null && installedLength !== null;
  return {
    ...ecu,
    installed: known ? { filename: installedFilename, sha256: installedSha256, length: Number(installedLength) } : null,
  };
}

function columns(select: Readonly<Record<string, true>>): Prisma.Sql {
  return Prisma.raw(
    Object.keys(select)
      .map((column) => `"${column}"`)
      .join(", "),
  );
}
