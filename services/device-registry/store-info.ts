import type { NetworkInfo } from "#lib/contracts/ota/device-registry.ts";
import type { DbOrTx, Tx } from "#lib/db/client.ts";
import { escapeLike } from "#lib/db/like.ts";
import { storableText } from "#lib/domain/storable-text.ts";

export async function upsertSystemInfo(tx: Tx, deviceUuid: string, info: { body: Buffer; at: Date }): Promise<void> {
  const data = { body: Uint8Array.from(info.body), updatedAt: info.at };
  await tx.registrySystemInfo.upsert({ where: { deviceUuid }, create: { deviceUuid, ...data }, update: data });
}

export async function findSystemInfo(db: DbOrTx, deviceUuid: string): Promise<Buffer | null> {
  const row = await db.registrySystemInfo.findUnique({ where: { deviceUuid }, select: { body: true } });
  return row === null ? null : Buffer.from(row.body);
}

export async function upsertNetwork(tx: Tx, deviceUuid: string, network: NetworkInfo & { at: Date }): Promise<void> {
  const data = {
    localIpv4: storableText(network.local_ipv4),
    mac: storableText(network.mac),
    hostname: storableText(network.hostname),
    updatedAt: network.at,
  };
  await tx.registryNetworkInfo.upsert({ where: { deviceUuid }, create: { deviceUuid, ...data }, update: data });
}

/** Empty strings for what is not known. */
export async function readNetwork(db: DbOrTx, deviceUuid: string): Promise<NetworkInfo> {
  const row = await db.registryNetworkInfo.findUnique({ where: { deviceUuid } });
  return { local_ipv4: row?.localIpv4 ?? "", mac: row?.mac ?? "", hostname: row?.hostname ?? "" };
}

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
