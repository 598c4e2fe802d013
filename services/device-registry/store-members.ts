import type { DbOrTx, Tx } from "#lib/db/client.ts";
import { storableText } from "#lib/domain/storable-text.ts";

type Slice = { offset: number; limit: number };

/** @throws Prisma's unique violation when it is a member */
export async function insertMember(tx: Tx, member: { groupId: string; deviceUuid: string }): Promise<void> {
  await tx.registryGroupMember.create({ data: member });
}

/** Those of the device ids that are known; the others are skipped. */
export async function insertMembersByOemId(
  tx: Tx,
  of: { namespaceId: string; groupId: string },
  oemIds: readonly string[],
): Promise<void> {
  await tx.$executeRaw`
    INSERT INTO registry_group_member ("groupId", "deviceUuid")
    SELECT ${of.groupId}::uuid, d.uuid FROM registry_device AS d
    WHERE d."namespaceId" = ${of.namespaceId} AND d."deviceId" = ANY(${oemIds.map((id) => storableText(id))}::text[])`;
}

/** @returns whether it was a member */
export async function deleteMember(tx: Tx, member: { groupId: string; deviceUuid: string }): Promise<boolean> {
  const { count } = await tx.registryGroupMember.deleteMany({ where: member });
  return count > 0;
}

export async function listMembers(
  db: DbOrTx,
  groupId: string,
  slice: Slice,
): Promise<{ values: string[]; total: number }> {
  const [rows, total] = await Promise.all([
    db.registryGroupMember.findMany({
      where: { groupId },
      orderBy: { deviceUuid: "asc" },
      skip: slice.offset,
      take: slice.limit,
      select: { deviceUuid: true },
    }),
    countMembers(db, groupId),
  ]);
  return { values: rows.map(({ deviceUuid }) => deviceUuid), total };
}

export async function countMembers(db: DbOrTx, groupId: string): Promise<number> {
  return db.registryGroupMember.count({ where: { groupId } });
}

export async function listGroupsOfDevice(
  db: DbOrTx,
  deviceUuid: string,
  slice: Slice,
): Promise<{ values: string[]; total: number }> {
  const [rows, total] = await Promise.all([
    db.registryGroupMember.findMany({
      where: { deviceUuid },
      orderBy: { groupId: "asc" },
      skip: slice.offset,
      take: slice.limit,
      select: { groupId: true },
    }),
    db.registryGroupMember.count({ where: { deviceUuid } }),
  ]);
  return { values: rows.map(({ groupId }) => groupId), total };
}

/** For each device of the namespace that was asked for, its groups. */
export async function readMembership(
  db: DbOrTx,
  namespaceId: string,
  deviceUuids: readonly string[],
): Promise<Map<string, string[]>> {
  const rows = await db.$queryRaw<{ uuid: string; groupIds: string[] }[]>`
    SELECT d.uuid, coalesce(array_agg(m."groupId"::text ORDER BY m."groupId") FILTER (WHERE m."groupId" IS NOT NULL), '{}')
      AS "groupIds"
    FROM registry_device AS d LEFT JOIN registry_group_member AS m ON m."deviceUuid" = d.uuid
    WHERE d."namespaceId" = ${namespaceId} AND d.uuid = ANY(${[...deviceUuids]}::uuid[]) GROUP BY d.uuid`;
  return new Map(rows.map(({ uuid, groupIds }) => [uuid, groupIds]));
}

/** How many devices are in each of the namespace's groups that was asked for. */
export async function countMembersOf(
  db: DbOrTx,
  namespaceId: string,
  groupIds: readonly string[],
): Promise<Map<string, number>> {
  const rows = await db.$queryRaw<{ id: string; total: number }[]>`
    SELECT g.id, count(m."deviceUuid")::int AS total FROM registry_group AS g
    LEFT JOIN registry_group_member AS m ON m."groupId" = g.id
    WHERE g."namespaceId" = ${namespaceId} AND g.id = ANY(${[...groupIds]}::uuid[]) GROUP BY g.id`;
  return new Map(rows.map(({ id, total }) => [id, total]));
}

/** Rows are locked in one order, so that it waits for others instead of deadlocking. */
export async function hibernateMembers(
  tx: Tx,
  of: { namespaceId: string; groupId: string },
  hibernated: boolean,
): Promise<void> {
  await tx.$executeRaw`
    WITH members AS (
      SELECT d.uuid FROM registry_group_member AS m JOIN registry_device AS d ON d.uuid = m."deviceUuid"
      WHERE m."groupId" = ${of.groupId}::uuid AND d."namespaceId" = ${of.namespaceId} AND d.hibernated <> ${hibernated}
      ORDER BY d.uuid FOR NO KEY UPDATE OF d
    )
    UPDATE registry_device AS d SET hibernated = ${hibernated} FROM members WHERE members.uuid = d.uuid`;
}

const PERIOD_MINUTES = {
  "10mins": 10,
  "1hour": 60,
  "1day": 1_440,
  "1week": 10_080,
  "1month": 43_200,
  "1year": 525_600,
};

export type GroupStats = {
  status: Record<string, number>;
  lastSeen: Record<string, number>;
};

/** A group's devices by status, and how many were seen within each period (the longer ones hold the shorter ones). */
export async function readGroupStats(
  db: DbOrTx,
  of: { namespaceId: string; groupId: string; now: Date },
): Promise<GroupStats> {
  const [statuses, seen] = await Promise.all([
    db.$queryRaw<{ status: string; total: number }[]>`
      SELECT d.status, count(*)::int AS total FROM registry_group_member AS m JOIN registry_device AS d ON d.uuid = m."deviceUuid"
      WHERE m."groupId" = ${of.groupId}::uuid AND d."namespaceId" = ${of.namespaceId} GROUP BY d.status`,
    db.$queryRaw<{ minutes: number; total: number }[]>`
      SELECT p.minutes, count(d.uuid)::int AS total FROM unnest(${Object.values(PERIOD_MINUTES)}::int[]) AS p(minutes)
      LEFT JOIN (registry_group_member AS m JOIN registry_device AS d ON d.uuid = m."deviceUuid" AND d."namespaceId" = ${of.namespaceId})
        ON m."groupId" = ${of.groupId}::uuid AND d."lastSeen" > ${of.now}::timestamptz - p.minutes * interval '1 minute'
      GROUP BY p.minutes`,
  ]);
  const seenWithin = new Map(seen.map(({ minutes, total }) => [minutes, total]));
  return {
    status: Object.fromEntries(statuses.map(({ status, total }) => [status, total])),
    lastSeen: Object.fromEntries(
      Object.entries(PERIOD_MINUTES).map(([period, minutes]) => [period, seenWithin.get(minutes) ?? 0]),
    ),
  };
}
