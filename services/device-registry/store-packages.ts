import type { PackageListItem } from "#lib/contracts/ota/device-groups.ts";
import type { DbOrTx, Tx } from "#lib/db/client.ts";
import { escapeLike } from "#lib/db/like.ts";
import { storableText } from "#lib/domain/storable-text.ts";

type PackageId = { name: string; version: string };

/** Replaces the device's list; what stays keeps its time. */
export async function replacePackages(
  tx: Tx,
  of: { namespaceId: string; deviceUuid: string; at: Date },
  packages: readonly { name: string; version: string }[],
): Promise<void> {
  const rows = packages.map(({ name, version }) => ({
    name: storableText(name, 200),
    version: storableText(version, 200),
  }));
  await tx.$executeRaw`
    WITH listed AS MATERIALIZED (
      SELECT DISTINCT name, version FROM jsonb_to_recordset(${JSON.stringify(rows)}::jsonb) AS l(name text, version text)
    ), dropped AS (
      DELETE FROM registry_package AS p WHERE p."deviceUuid" = ${of.deviceUuid}::uuid
        AND NOT EXISTS (SELECT 1 FROM listed AS l WHERE l.name = p.name AND l.version = p.version)
    )
    INSERT INTO registry_package ("deviceUuid", "namespaceId", name, version, "lastModified")
    SELECT ${of.deviceUuid}::uuid, ${of.namespaceId}, name, version, ${of.at}::timestamptz FROM listed
    ON CONFLICT DO NOTHING`;
}

type Slice = { offset: number; limit: number };

export async function listDevicePackages(
  db: DbOrTx,
  of: { deviceUuid: string; nameContains?: string | undefined },
  slice: Slice,
): Promise<{ values: { name: string; version: string; lastModified: Date }[]; total: number }> {
  const search = `%${escapeLike(of.nameContains ?? "")}%`;
  const [values, [counted]] = await Promise.all([
    db.$queryRaw<{ name: string; version: string; lastModified: Date }[]>`
      SELECT name, version, "lastModified" FROM registry_package
      WHERE "deviceUuid" = ${of.deviceUuid}::uuid AND name || '-' || version ILIKE ${search}
      ORDER BY name, version OFFSET ${slice.offset} LIMIT ${slice.limit}`,
    db.$queryRaw<{ total: number }[]>`
      SELECT count(*)::int AS total FROM registry_package
      WHERE "deviceUuid" = ${of.deviceUuid}::uuid AND name || '-' || version ILIKE ${search}`,
  ]);
  return { values, total: counted?.total ?? 0 };
}

/** Every package of the namespace, once. */
export async function listPackages(
  db: DbOrTx,
  namespaceId: string,
  slice: Slice,
): Promise<{ values: { name: string; version: string }[]; total: number }> {
  const [values, [counted]] = await Promise.all([
    db.$queryRaw<{ name: string; version: string }[]>`
      SELECT DISTINCT name, version FROM registry_package WHERE "namespaceId" = ${namespaceId}
      ORDER BY name, version OFFSET ${slice.offset} LIMIT ${slice.limit}`,
    db.$queryRaw<{ total: number }[]>`
      SELECT count(*)::int AS total FROM (
        SELECT DISTINCT name, version FROM registry_package WHERE "namespaceId" = ${namespaceId}) AS distinct_packages`,
  ]);
  return { values, total: counted?.total ?? 0 };
}

/** The versions of a package and on how many devices each is. */
export async function listPackageVersions(
  db: DbOrTx,
  of: { namespaceId: string; name: string },
  slice: Slice,
): Promise<{ values: { packageVersion: string; installedCount: number }[]; total: number }> {
  const name = storableText(of.name, 200);
  const [values, [counted]] = await Promise.all([
    db.$queryRaw<{ packageVersion: string; installedCount: number }[]>`
      SELECT version AS "packageVersion", count(*)::int AS "installedCount" FROM registry_package
      WHERE "namespaceId" = ${of.namespaceId} AND name = ${name} GROUP BY version
      ORDER BY version OFFSET ${slice.offset} LIMIT ${slice.limit}`,
    db.$queryRaw<{ total: number }[]>`
      SELECT count(DISTINCT version)::int AS total FROM registry_package
      WHERE "namespaceId" = ${of.namespaceId} AND name = ${name}`,
  ]);
  return { values, total: counted?.total ?? 0 };
}

/** On how many devices a package is, and in which groups they are. */
export async function countDevicesWith(
  db: DbOrTx,
  namespaceId: string,
  { name, version }: PackageId,
): Promise<{ deviceCount: number; groupIds: string[] }> {
  const [count, groups] = await Promise.all([
    db.registryPackage.count({ where: { namespaceId, name: storableText(name), version: storableText(version) } }),
    db.$queryRaw<{ groupId: string }[]>`
      SELECT DISTINCT m."groupId" FROM registry_package AS p JOIN registry_group_member AS m ON m."deviceUuid" = p."deviceUuid"
      WHERE p."namespaceId" = ${namespaceId} AND p.name = ${storableText(name)} AND p.version = ${storableText(version)}
      ORDER BY m."groupId"`,
  ]);
  return { deviceCount: count, groupIds: groups.map(({ groupId }) => groupId) };
}

/** Which devices have which of these packages; at most `limit` pairs. */
export async function listAffected(
  db: DbOrTx,
  namespaceId: string,
  of: { packages: readonly PackageId[]; limit: number },
): Promise<(PackageId & { deviceUuid: string })[]> {
  return db.$queryRaw<(PackageId & { deviceUuid: string })[]>`
    SELECT p."deviceUuid", p.name, p.version FROM registry_package AS p
    JOIN (SELECT DISTINCT name, version FROM jsonb_to_recordset(${JSON.stringify(of.packages)}::jsonb) AS w(name text, version text))
      AS wanted ON wanted.name = p.name AND wanted.version = p.version
    WHERE p."namespaceId" = ${namespaceId} ORDER BY p."deviceUuid", p.name, p.version LIMIT ${of.limit}`;
}

/** The entries of the list that are installed somewhere. */
export async function listListed(
  db: DbOrTx,
  namespaceId: string,
): Promise<{ name: string; version: string; deviceCount: number }[]> {
  return db.$queryRaw<{ name: string; version: string; deviceCount: number }[]>`
    SELECT l.name, l.version, count(*)::int AS "deviceCount" FROM registry_package_list_item AS l
    JOIN registry_package AS p ON p."namespaceId" = l."namespaceId" AND p.name = l.name AND p.version = l.version
    WHERE l."namespaceId" = ${namespaceId} GROUP BY l.name, l.version ORDER BY l.name, l.version`;
}

export async function countListed(db: DbOrTx, namespaceId: string): Promise<number> {
  return db.registryPackageListItem.count({ where: { namespaceId } });
}

/** @throws Prisma's unique violation when it is listed */
export async function insertListed(db: DbOrTx, namespaceId: string, item: PackageListItem): Promise<void> {
  await db.registryPackageListItem.create({ data: { namespaceId, ...item.packageId, comment: item.comment } });
}

export async function updateListed(db: DbOrTx, namespaceId: string, item: PackageListItem): Promise<void> {
  const where = { namespaceId, ...item.packageId };
  await db.registryPackageListItem.updateMany({ where, data: { comment: item.comment } });
}

export async function findListed(db: DbOrTx, namespaceId: string, of: PackageId): Promise<{ comment: string } | null> {
  const key = { namespaceId, name: storableText(of.name), version: storableText(of.version) };
  return db.registryPackageListItem.findUnique({
    where: { namespaceId_name_version: key },
    select: { comment: true },
  });
}

export async function deleteListed(db: DbOrTx, namespaceId: string, of: PackageId): Promise<void> {
  const { name, version } = of;
  await db.registryPackageListItem.deleteMany({
    where: { namespaceId, name: storableText(name), version: storableText(version) },
  });
}
