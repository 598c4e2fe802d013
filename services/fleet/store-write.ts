import type { CertificateState } from "#lib/contracts/console/certificates.ts";
import type { DbOrTx, Tx } from "#lib/db/client.ts";
import { Prisma } from "#lib/db/generated/client.ts";
import type { ProgressState } from "./progress.ts";

const ACTIVITY_KEPT = 500;

export async function upsertRow(
  tx: Tx,
  namespaceId: string,
  device: { uuid: string; name: string; deviceId: string; createdAt: Date; simulated: boolean | null },
): Promise<void> {
  await tx.$executeRaw`
    INSERT INTO fleet_device ("namespaceId", uuid, name, "deviceId", status, "statusAt", "createdAt", simulated,
      "hardwareIds", "installedFilenames", "assignedFilenames")
    VALUES (${namespaceId}, ${device.uuid}::uuid, ${device.name}, ${device.deviceId}, 'never_seen', ${device.createdAt},
      ${device.createdAt}, ${device.simulated ?? false}, '{}', '{}', '{}')
    ON CONFLICT ("namespaceId", uuid) DO UPDATE SET name = excluded.name, "deviceId" = excluded."deviceId",
      simulated = coalesce(${device.simulated}::boolean, fleet_device.simulated)`;
}

/** Many at once; those that are there keep their columns, and get the name that the registry has now. */
export async function upsertRows(
  tx: Tx,
  namespaceId: string,
  devices: readonly { uuid: string; name: string; deviceId: string; createdAt: Date }[],
): Promise<string[]> {
  const rows = await tx.$queryRaw<{ uuid: string }[]>`
    INSERT INTO fleet_device ("namespaceId", uuid, name, "deviceId", status, "statusAt", "createdAt", simulated,
      "hardwareIds", "installedFilenames", "assignedFilenames")
    SELECT ${namespaceId}, d.uuid, d.name, d."deviceId", 'never_seen', d."createdAt", d."createdAt", false, '{}', '{}', '{}'
    FROM jsonb_to_recordset(${JSON.stringify(devices)}::jsonb) AS d(uuid uuid, name text, "deviceId" text, "createdAt" timestamptz)
    ORDER BY d.uuid
    ON CONFLICT ("namespaceId", uuid) DO UPDATE SET name = excluded.name, "deviceId" = excluded."deviceId"
      WHERE (fleet_device.name, fleet_device."deviceId") IS DISTINCT FROM (excluded.name, excluded."deviceId")
    RETURNING uuid`;
  return rows.map(({ uuid }) => uuid);
}

/** Makes a row where there is none. @returns whether it did */
export async function insertRow(
  tx: Tx,
  namespaceId: string,
  device: { uuid: string; name: string; deviceId: string; createdAt: Date; simulated: boolean },
): Promise<boolean> {
  const { createdAt, ...given } = device;
  const row = { ...given, createdAt, statusAt: createdAt, status: "never_seen", hardwareIds: [] };
  const { count } = await tx.fleetDevice.createMany({
    data: [{ namespaceId, ...row, installedFilenames: [], assignedFilenames: [] }],
    skipDuplicates: true,
  });
  return count > 0;
}

/** An external registry does not write here; for the embedded one this repeats what it has done. */
export async function updateName(tx: Tx, namespaceId: string, rename: { uuid: string; name: string }): Promise<void> {
  await tx.fleetDevice.updateMany({ where: { namespaceId, uuid: rename.uuid }, data: { name: rename.name } });
}

export async function deleteRow(tx: Tx, namespaceId: string, uuid: string): Promise<boolean> {
  const { count } = await tx.fleetDevice.deleteMany({ where: { namespaceId, uuid } });
  await tx.fleetActivity.deleteMany({ where: { namespaceId, deviceUuid: uuid } });
  return count > 0;
}

/** One certificate is shown a device: an allowed one gives way only to itself or to another allowed one. */
export async function updateCertificate(
  tx: Tx,
  namespaceId: string,
  certificate: {
    deviceUuid: string;
    fingerprint: string;
    state: CertificateState;
    notAfter: Date | null;
    simulated: boolean | null;
  },
): Promise<boolean> {
  const changed = await tx.$executeRaw`
    UPDATE fleet_device SET "certificateFingerprint" = ${certificate.fingerprint}, "certificateState" = ${certificate.state},
      "certificateNotAfter" = ${certificate.notAfter}, simulated = coalesce(${certificate.simulated}::boolean, simulated)
    WHERE "namespaceId" = ${namespaceId} AND uuid = ${certificate.deviceUuid}::uuid
      AND ("certificateFingerprint" IS NULL OR "certificateFingerprint" = ${certificate.fingerprint}
        OR "certificateState" <> 'allowed' OR ${certificate.state} = 'allowed')`;
  return changed > 0;
}

/** Of the devices that show one of these certificates. @returns their UUIDs */
export async function updateCertificateStates(
  tx: Tx,
  namespaceId: string,
  change: { fingerprints: readonly string[]; uuids: readonly string[]; state: CertificateState },
): Promise<string[]> {
  const rows = await tx.$queryRaw<{ uuid: string }[]>`
    UPDATE fleet_device AS device SET "certificateState" = ${change.state}
    FROM (${locked(namespaceId, change.uuids)}) AS held
    WHERE device."namespaceId" = ${namespaceId} AND device.uuid = held.uuid
      AND device."certificateFingerprint" = ANY(${[...change.fingerprints]}::text[])
    RETURNING device.uuid`;
  return rows.map(({ uuid }) => uuid);
}

/** Every statement about many devices locks them in the order of their ids: they wait for each other instead of deadlocking. */
function locked(namespaceId: string, uuids: readonly string[]): Prisma.Sql {
  return Prisma.sql`SELECT uuid FROM fleet_device WHERE "namespaceId" = ${namespaceId} AND uuid = ANY(${[...uuids]}::uuid[])
    ORDER BY uuid FOR UPDATE`;
}

export type EcuColumns = {
  uuid: string;
  ecus: unknown;
  hardwareIds: string[];
  primaryHardwareId: string | null;
  installedFilenames: string[];
  primaryImage: string | null;
  assignedFilenames: string[];
};

export async function updateEcus(tx: Tx, namespaceId: string, devices: readonly EcuColumns[]): Promise<number> {
  return tx.$executeRaw`
    UPDATE fleet_device AS d SET ecus = c.ecus, "hardwareIds" = c."hardwareIds", "primaryHardwareId" = c."primaryHardwareId",
      "installedFilenames" = c."installedFilenames", "primaryImage" = c."primaryImage", "assignedFilenames" = c."assignedFilenames"
    FROM jsonb_to_recordset(${JSON.stringify(devices)}::jsonb) AS c(uuid uuid, ecus jsonb, "hardwareIds" text[],
      "primaryHardwareId" text, "installedFilenames" text[], "primaryImage" text, "assignedFilenames" text[]),
      (${locked(
        namespaceId,
        devices.map(({ uuid }) => uuid),
      )}) AS l
    WHERE d."namespaceId" = ${namespaceId} AND d.uuid = c.uuid AND d.uuid = l.uuid`;
}

export async function updateRefusal(tx: Tx, namespaceId: string, uuid: string, code: string | null): Promise<boolean> {
  const changed = await tx.$executeRaw`
    UPDATE fleet_device SET "registrationRefusal" = ${code}
    WHERE "namespaceId" = ${namespaceId} AND uuid = ${uuid}::uuid AND "registrationRefusal" IS DISTINCT FROM ${code}::text`;
  return changed > 0;
}

const PROGRESS_COLUMNS = {
  uuid: true,
  status: true,
  statusReason: true,
  statusAt: true,
  correlationId: true,
  inFlight: true,
  mayStillInstall: true,
  assignedAt: true,
  fetchedAt: true,
  lastFailureCode: true,
  lastFailureText: true,
  lastFailureAt: true,
  lastSeenAt: true,
  lastManifestAt: true,
} satisfies Prisma.FleetDeviceSelect;

export type ProgressRow = ProgressState & { uuid: string };

/** Reads and locks the rows until the transaction ends. */
export async function lockProgress(tx: Tx, namespaceId: string, uuids: readonly string[]): Promise<ProgressRow[]> {
  const columns = Prisma.raw(
    Object.keys(PROGRESS_COLUMNS)
      .map((column) => `"${column}"`)
      .join(", "),
  );
  return tx.$queryRaw<ProgressRow[]>`
    SELECT ${columns} FROM fleet_device WHERE "namespaceId" = ${namespaceId} AND uuid = ANY(${[...uuids]}::uuid[])
    ORDER BY uuid FOR UPDATE`;
}

export async function updateProgress(tx: Tx, namespaceId: string, rows: readonly ProgressRow[]): Promise<void> {
  if (rows.length === 0) return;
  await tx.$executeRaw`
    UPDATE fleet_device AS d SET status = c.status, "statusReason" = c."statusReason", "statusAt" = c."statusAt",
      "correlationId" = c."correlationId", "inFlight" = c."inFlight", "mayStillInstall" = c."mayStillInstall",
      "assignedAt" = c."assignedAt", "fetchedAt" = c."fetchedAt", "lastFailureCode" = c."lastFailureCode",
      "lastFailureText" = c."lastFailureText", "lastFailureAt" = c."lastFailureAt", "lastManifestAt" = c."lastManifestAt"
    FROM jsonb_to_recordset(${JSON.stringify(rows)}::jsonb) AS c(uuid uuid, status text, "statusReason" text,
      "statusAt" timestamptz, "correlationId" text, "inFlight" boolean, "mayStillInstall" boolean, "assignedAt" timestamptz,
      "fetchedAt" timestamptz, "lastFailureCode" text, "lastFailureText" text, "lastFailureAt" timestamptz,
      "lastManifestAt" timestamptz)
    WHERE d."namespaceId" = ${namespaceId} AND d.uuid = c.uuid`;
}

export type ActivityRow = { deviceUuid: string; at: Date; kind: string; text: string; detail: unknown };

/** Adds to the stories of devices that have a row, then drops what is older than their last 500 lines. */
export async function insertActivities(tx: Tx, namespaceId: string, lines: readonly ActivityRow[]): Promise<void> {
  if (lines.length === 0) return;
  await tx.$executeRaw`
    INSERT INTO fleet_activity ("namespaceId", "deviceUuid", at, kind, text, detail)
    SELECT ${namespaceId}, l."deviceUuid", l.at, l.kind, l.text, nullif(l.detail, 'null'::jsonb)
    FROM jsonb_to_recordset(${JSON.stringify(lines)}::jsonb)
      AS l("deviceUuid" uuid, at timestamptz, kind text, text text, detail jsonb)
    JOIN fleet_device AS d ON d."namespaceId" = ${namespaceId} AND d.uuid = l."deviceUuid"`;
  const uuids = [...new Set(lines.map((line) => line.deviceUuid))];
  await tx.$executeRaw`
    DELETE FROM fleet_activity AS a USING unnest(${uuids}::uuid[]) AS touched(uuid)
    WHERE a."namespaceId" = ${namespaceId} AND a."deviceUuid" = touched.uuid AND a.id <= (
      SELECT id FROM fleet_activity AS kept WHERE kept."namespaceId" = ${namespaceId} AND kept."deviceUuid" = touched.uuid
      ORDER BY id DESC OFFSET ${ACTIVITY_KEPT} LIMIT 1)`;
}

export async function updateSeen(
  db: DbOrTx,
  namespaceId: string,
  seen: readonly { uuid: string; at: Date; address: string }[],
): Promise<void> {
  await db.$executeRaw`
    UPDATE fleet_device AS d SET "lastSeenAt" = s.at, address = s.address
    FROM (
      SELECT DISTINCT ON (uuid) uuid, at, address
      FROM jsonb_to_recordset(${JSON.stringify(seen)}::jsonb) AS r(uuid uuid, at timestamptz, address text)
      ORDER BY uuid, at DESC
    ) AS s, (${locked(
      namespaceId,
      seen.map(({ uuid }) => uuid),
    )}) AS l
    WHERE d."namespaceId" = ${namespaceId} AND d.uuid = s.uuid AND d.uuid = l.uuid AND (d."lastSeenAt" IS NULL OR d."lastSeenAt" < s.at)`;
}

/** @returns whether this was the device's first contact */
export async function updateContact(tx: Tx, namespaceId: string, uuid: string, at: Date): Promise<boolean> {
  const rows = await tx.$queryRaw<{ before: string }[]>`
    UPDATE fleet_device AS d SET "lastSeenAt" = greatest(d."lastSeenAt", ${at}::timestamptz),
      status = CASE WHEN b.status = 'never_seen' THEN 'up_to_date' ELSE d.status END,
      "statusAt" = CASE WHEN b.status = 'never_seen' THEN ${at}::timestamptz ELSE d."statusAt" END
    FROM (
      SELECT status FROM fleet_device WHERE "namespaceId" = ${namespaceId} AND uuid = ${uuid}::uuid FOR UPDATE
    ) AS b
    WHERE d."namespaceId" = ${namespaceId} AND d.uuid = ${uuid}::uuid RETURNING b.status AS before`;
  return rows[0]?.before === "never_seen";
}
