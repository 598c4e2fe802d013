import type { DbOrTx, Tx } from "#lib/db/client.ts";

type Window = { readonly offset: number; readonly limit: number };
type Counted<T> = { readonly values: T[]; readonly total: number };

/** Registered devices, oldest first. */
export async function listDeviceIds(db: DbOrTx, namespaceId: string, window: Window): Promise<Counted<string>> {
  const where = { namespaceId, registeredAt: { not: null }, deletedAt: null };
  const rows = await db.directorDevice.findMany({
    where,
    orderBy: [{ createdAt: "asc" }, { uuid: "asc" }],
    skip: window.offset,
    take: window.limit,
    select: { uuid: true },
  });
  return { values: rows.map(({ uuid }) => uuid), total: await db.directorDevice.count({ where }) };
}

export type PrimaryRow = { readonly uuid: string; readonly primarySerial: string; readonly createdAt: Date };

/** Devices whose primary has this hardware, newest first. */
export async function listByPrimary(
  db: DbOrTx,
  namespaceId: string,
  of: Window & { hardwareId: string },
): Promise<Counted<PrimaryRow>> {
  const values = await db.$queryRaw<PrimaryRow[]>`
    SELECT d.uuid, e.serial AS "primarySerial", d."createdAt"
    FROM director_ecu e JOIN director_device d ON d.uuid = e."deviceUuid"
    WHERE e."namespaceId" = ${namespaceId} AND e."hardwareId" = ${of.hardwareId} AND e."primary" AND e."removedAt" IS NULL
    ORDER BY d."createdAt" DESC, d.uuid OFFSET ${of.offset} LIMIT ${of.limit}`;
  const total = await db.directorEcu.count({
    where: { namespaceId, hardwareId: of.hardwareId, primary: true, removedAt: null },
  });
  return { values, total };
}

export async function listHardwareIds(db: DbOrTx, namespaceId: string, window: Window): Promise<Counted<string>> {
  const rows = await db.$queryRaw<{ hardwareId: string; total: bigint }[]>`
    SELECT "hardwareId", count(*) OVER () AS total FROM (
      SELECT DISTINCT "hardwareId" FROM director_ecu WHERE "namespaceId" = ${namespaceId} AND "removedAt" IS NULL
    ) AS distinct_ids
    ORDER BY "hardwareId" OFFSET ${window.offset} LIMIT ${window.limit}`;
  return { values: rows.map(({ hardwareId }) => hardwareId), total: Number(rows[0]?.total ?? 0) };
}

/** How many ECUs run each of these images; an image that none runs has no entry. */
export async function countInstalled(
  db: DbOrTx,
  namespaceId: string,
  filenames: readonly string[],
): Promise<Record<string, number>> {
  const groups = await db.directorEcu.groupBy({
    by: ["installedFilename"],
    where: { namespaceId, removedAt: null, installedFilename: { in: [...filenames] } },
    _count: { _all: true },
  });
  return Object.fromEntries(groups.map(({ installedFilename, _count }) => [installedFilename ?? "", _count._all]));
}

export type StateRow = {
  readonly registeredAt: Date | null;
  readonly mayStillInstall: boolean;
  readonly targetsFetchedVersion: number | null;
  readonly targetsFetchedAt: Date | null;
  readonly targetsVersion: number | null;
  readonly targetsExpiresAt: Date | null;
};

export async function findState(db: DbOrTx, namespaceId: string, uuid: string): Promise<StateRow | null> {
  const [row] = await db.$queryRaw<StateRow[]>`
    SELECT d."registeredAt", d."mayStillInstall", d."targetsFetchedVersion", d."targetsFetchedAt",
      r.version AS "targetsVersion", r."expiresAt" AS "targetsExpiresAt"
    FROM director_device d LEFT JOIN director_role r ON r."deviceUuid" = d.uuid AND r.role = 'targets'
    WHERE d."namespaceId" = ${namespaceId} AND d.uuid = ${uuid}::uuid AND d."deletedAt" IS NULL`;
  return row ?? null;
}

/** By ECU serial: the archived manifest that last said what the ECU runs. */
export async function listInstalledManifests(
  db: DbOrTx,
  namespaceId: string,
  uuid: string,
): Promise<Map<string, { id: string; sha256: string }>> {
  const rows = await db.$queryRaw<{ serial: string; id: string; sha256: string }[]>`
    SELECT e.serial, m.id, m.sha256 FROM director_ecu e
    JOIN director_manifest m ON m.id = e."installedManifest" AND m."deviceUuid" = e."deviceUuid"
    WHERE e."namespaceId" = ${namespaceId} AND e."deviceUuid" = ${uuid}::uuid AND e."removedAt" IS NULL`;
  return new Map(rows.map(({ serial, id, sha256 }) => [serial, { id, sha256 }]));
}

export async function clearDevice(tx: Tx, uuid: string, at: Date): Promise<void> {
  const where = { deviceUuid: uuid };
  await tx.directorAssignment.deleteMany({ where });
  await tx.directorEcu.deleteMany({ where });
  await tx.directorAutoUpdate.deleteMany({ where });
  await tx.directorManifest.deleteMany({ where: { ...where, evidence: false } });
  await tx.directorDevice.update({
    where: { uuid },
    data: {
      deletedAt: at,
      registeredAt: null,
      primarySerial: null,
      metadataOutdated: true,
      mayStillInstall: false,
      withdrawnCorrelationId: null,
      lastManifestDigest: null,
      lastManifestAt: null,
    },
    select: { uuid: true },
  });
}
