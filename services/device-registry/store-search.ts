import type { DevicesByIds, SearchDevices } from "#lib/contracts/ota/device-search.ts";
import type { DbOrTx } from "#lib/db/client.ts";
import { Prisma } from "#lib/db/generated/client.ts";
import { escapeLike } from "#lib/db/like.ts";
import { storableText } from "#lib/domain/storable-text.ts";
import { uuidsWithHardware } from "#services/fleet/service.ts";
import type { RegistryRow } from "./store-devices.ts";

const COLUMNS = Prisma.sql`d.uuid, d."namespaceId", d."deviceName", d."deviceId", d."deviceType", d."lastSeen", d."activatedAt",
  d."createdAt", d.status, d.notes, d.hibernated`;

const SORT_COLUMNS = {
  name: Prisma.sql`d."deviceName"`,
  createdAt: Prisma.sql`d."createdAt"`,
  deviceId: Prisma.sql`d."deviceId"`,
  uuid: Prisma.sql`d.uuid`,
  activatedAt: Prisma.sql`d."activatedAt"`,
  lastSeen: Prisma.sql`d."lastSeen"`,
} as const satisfies Record<SearchDevices["sortBy"], Prisma.Sql>;

/** @see contracts/device-registry.md section 2.1 */
export async function searchDevices(
  db: DbOrTx,
  namespaceId: string,
  input: { query: SearchDevices; slice: { offset: number; limit: number }; now: Date },
): Promise<{ rows: RegistryRow[]; total: number }> {
  const { query, slice } = input;
  const where = Prisma.join(conditions(namespaceId, query, input.now), " AND ");
  // OTA+ Web asks for createdAt without a direction and expects the newest first.
  const descending = (query.sortDirection ?? (query.sortBy === "createdAt" ? "desc" : "asc")) === "desc";
  const direction = descending ? Prisma.sql`DESC NULLS LAST` : Prisma.sql`ASC`;
  const [rows, [counted]] = await Promise.all([
    db.$queryRaw<RegistryRow[]>`
      SELECT ${COLUMNS} FROM registry_device AS d WHERE ${where}
      ORDER BY ${SORT_COLUMNS[query.sortBy]} ${direction}, d.uuid ${direction} OFFSET ${slice.offset} LIMIT ${slice.limit}`,
    db.$queryRaw<{ total: number }[]>`SELECT count(*)::int AS total FROM registry_device AS d WHERE ${where}`,
  ]);
  return { rows, total: counted?.total ?? 0 };
}

function conditions(namespaceId: string, query: SearchDevices, now: Date): Prisma.Sql[] {
  const found = [Prisma.sql`d."namespaceId" = ${namespaceId}`];
  const when = <T>(value: T | undefined, condition: (value: T) => Prisma.Sql) => {
    if (value !== undefined) found.push(condition(value));
  };
  when(query.deviceId, (id) => Prisma.sql`d."deviceId" = ${storableText(id)}`);
  when(query.nameContains, (text) => Prisma.sql`d."deviceName" ILIKE ${`%${escapeLike(text)}%`}`);
  when(query.notSeenSinceHours, (hours) => {
    const since = new Date(now.getTime() - hours * 3_600_000);
    return Prisma.sql`(d."lastSeen" IS NULL OR d."lastSeen" < ${since}::timestamptz)`;
  });
  when(query.status, (status) => Prisma.sql`d.status = ${status}`);
  when(query.hibernated, (hibernated) => Prisma.sql`d.hibernated = ${hibernated}`);
  when(query.activatedAfter, (at) => Prisma.sql`d."activatedAt" >= ${at}::timestamptz`);
  when(query.activatedBefore, (at) => Prisma.sql`d."activatedAt" < ${at}::timestamptz`);
  when(query.lastSeenStart, (at) => Prisma.sql`d."lastSeen" > ${at}::timestamptz`);
  when(query.lastSeenEnd, (at) => Prisma.sql`d."lastSeen" < ${at}::timestamptz`);
  when(query.createdAtStart, (at) => Prisma.sql`d."createdAt" > ${at}::timestamptz`);
  when(query.createdAtEnd, (at) => Prisma.sql`d."createdAt" < ${at}::timestamptz`);
  when(query.hardwareIds, (ids) => Prisma.sql`d.uuid IN (${uuidsWithHardware(namespaceId, ids)})`);
  when(query.tags, (pairs) => hasAnyTag(namespaceId, pairs));
  when(
    query.groupId,
    (id) => Prisma.sql`d.uuid IN (SELECT "deviceUuid" FROM registry_group_member AS m
    JOIN registry_group AS g ON g.id = m."groupId" WHERE g.id = ${id}::uuid AND g."namespaceId" = ${namespaceId})`,
  );
  when(query.grouped, (grouped) => isGrouped({ namespaceId, grouped, type: query.groupType }));
  return found;
}

function hasAnyTag(namespaceId: string, pairs: readonly { tagId: string; value: string }[]): Prisma.Sql {
  const tagIds = pairs.map(({ tagId }) => tagId);
  const values = pairs.map(({ value }) => value);
  return Prisma.sql`d.uuid IN (SELECT t."deviceUuid" FROM registry_tag AS t
    JOIN unnest(${tagIds}::text[], ${values}::text[]) AS pair(id, value) ON t."tagId" = pair.id AND t.value = pair.value
    WHERE t."namespaceId" = ${namespaceId})`;
}

function isGrouped(of: { namespaceId: string; grouped: boolean; type: string | undefined }): Prisma.Sql {
  const type = of.type === undefined ? Prisma.empty : Prisma.sql`AND g.type = ${of.type}`;
  const member = Prisma.sql`EXISTS (SELECT 1 FROM registry_group_member AS m JOIN registry_group AS g ON g.id = m."groupId"
    WHERE m."deviceUuid" = d.uuid AND g."namespaceId" = ${of.namespaceId} ${type})`;
  return of.grouped ? member : Prisma.sql`NOT ${member}`;
}

/** Those of the ids that are there, by name. */
export async function findDevices(db: DbOrTx, namespaceId: string, ids: DevicesByIds): Promise<RegistryRow[]> {
  return db.$queryRaw<RegistryRow[]>`
    SELECT ${COLUMNS} FROM registry_device AS d WHERE d."namespaceId" = ${namespaceId}
      AND (d."deviceId" = ANY(${ids.oemIds.map((id) => storableText(id))}::text[]) OR d.uuid = ANY(${ids.deviceUuids}::uuid[]))
    ORDER BY d."deviceName", d.uuid`;
}
