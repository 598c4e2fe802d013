import { cursorPart, decodeCursor, encodeCursor, Uuid } from "#lib/contracts/console/common.ts";
import type { SeenClass } from "#lib/contracts/console/posture.ts";
import type {
  ListCampaignDevices,
  ListRenewalCampaigns,
  RenewalCampaign,
  RenewalProgress,
} from "#lib/contracts/console/renewal-campaigns.ts";
import type { DbOrTx } from "#lib/db/client.ts";
import { Prisma } from "#lib/db/generated/client.ts";
import { NEWEST_FIRST, olderThan, toNewestPage } from "#lib/db/newest-first.ts";
import { CERTIFICATES_AND_DEVICES, HOLDS_PLACE, seenClassAt } from "./store-forecast.ts";

const COLUMNS = {
  id: true,
  name: true,
  note: true,
  dueAt: true,
  createdAt: true,
  createdBy: true,
  closedAt: true,
  closedBy: true,
} as const satisfies Prisma.RenewalCampaignSelect;

const SEEN_BY_STATISTICS = 1_000;

export type CampaignRow = Prisma.RenewalCampaignGetPayload<{ select: typeof COLUMNS }>;
export type CampaignCounts = RenewalCampaign["counts"];

/** Waits for another that inserts the same id. @returns false when the id is there already */
export async function insertCampaign(db: DbOrTx, namespaceId: string, row: CampaignRow): Promise<boolean> {
  const { count } = await db.renewalCampaign.createMany({ data: [{ ...row, namespaceId }], skipDuplicates: true });
  return count === 1;
}

/** Lists those of `from` whose certificates are in use, each device once. @returns how many; at most `most` are added */
export async function addDevices(
  db: DbOrTx,
  namespaceId: string,
  given: { campaignId: string; condition: Prisma.Sql; most: number },
): Promise<number> {
  const count = await db.$executeRaw`
    INSERT INTO renewal_campaign_device ("campaignId", "namespaceId", "deviceUuid", fingerprint)
    SELECT ${given.campaignId}::uuid, ${namespaceId}, c."deviceUuid", c.fingerprint FROM ${CERTIFICATES_AND_DEVICES}
    WHERE c."namespaceId" = ${namespaceId} AND ${HOLDS_PLACE} AND (${given.condition})
    ORDER BY c."deviceUuid" LIMIT ${given.most} -- in the order of the index that it fills
    ON CONFLICT DO NOTHING`;
  // Until statistics know of so many rows, each of them would be looked up by itself: seconds instead of one pass.
  if (count > SEEN_BY_STATISTICS) await db.$executeRaw`ANALYZE renewal_campaign_device`;
  return count;
}

export async function findCampaign(db: DbOrTx, namespaceId: string, id: string): Promise<CampaignRow | null> {
  return db.renewalCampaign.findFirst({ where: { namespaceId, id }, select: COLUMNS });
}

/** @returns false when it is closed already, or not there */
export async function closeCampaign(
  db: DbOrTx,
  namespaceId: string,
  end: { id: string; at: Date; by: string },
): Promise<boolean> {
  const { count } = await db.renewalCampaign.updateMany({
    where: { namespaceId, id: end.id, closedAt: null },
    data: { closedAt: end.at, closedBy: end.by },
  });
  return count === 1;
}

/** @throws AppError `request.invalid` (a cursor that is not ours) */
export async function listCampaigns(
  db: DbOrTx,
  namespaceId: string,
  query: ListRenewalCampaigns,
): Promise<{ rows: CampaignRow[]; nextCursor: string | null; total: number }> {
  const found = await db.renewalCampaign.findMany({
    where: { AND: [{ namespaceId }, olderThan(query.cursor)] },
    orderBy: NEWEST_FIRST,
    take: query.limit + 1,
    select: COLUMNS,
  });
  return { ...toNewestPage(found, query.limit), total: await db.renewalCampaign.count({ where: { namespaceId } }) };
}

/** Devices `d` of campaigns, with the certificate `c` that each comes in with now, and its row `f`. */
const DEVICES = Prisma.sql`renewal_campaign_device AS d
  LEFT JOIN device_certificate AS c ON c."namespaceId" = d."namespaceId" AND c."deviceUuid" = d."deviceUuid" AND ${HOLDS_PLACE}
  LEFT JOIN fleet_device AS f ON f."namespaceId" = d."namespaceId" AND f.uuid = d."deviceUuid"`;

const PROGRESS = Prisma.sql`(CASE WHEN d."renewedAt" IS NOT NULL OR c.fingerprint <> d.fingerprint THEN 'renewed'
  WHEN c.fingerprint IS NULL THEN 'gone' ELSE 'waiting' END)`;

export async function countProgress(
  db: DbOrTx,
  namespaceId: string,
  of: { campaignIds: readonly string[]; now: Date },
): Promise<Map<string, CampaignCounts>> {
  const rows = await db.$queryRaw<(CampaignCounts & { campaignId: string })[]>`
    SELECT "campaignId", count(*)::int AS total, count(*) FILTER (WHERE progress = 'waiting')::int AS waiting,
      count(*) FILTER (WHERE progress = 'renewed')::int AS renewed, count(*) FILTER (WHERE progress = 'gone')::int AS gone,
      count(*) FILTER (WHERE progress = 'waiting' AND seen IN ('silent', 'never'))::int AS away
    FROM (
      SELECT d."campaignId"::text AS "campaignId", ${PROGRESS} AS progress, ${seenClassAt(of.now)} AS seen
      FROM ${DEVICES} WHERE d."namespaceId" = ${namespaceId} AND d."campaignId" = ANY(${[...of.campaignIds]}::uuid[])
    ) AS device GROUP BY "campaignId"`;
  return new Map(rows.map(({ campaignId, ...counts }) => [campaignId, counts]));
}

export type CampaignDeviceRow = {
  deviceUuid: string;
  name: string | null;
  fingerprint: string;
  progress: RenewalProgress;
  renewedAt: Date | null;
  notAfter: Date | null;
  lastSeenAt: Date | null;
  seen: SeenClass;
};

/** @throws AppError `request.invalid` (a cursor that is not ours) */
export async function listDevices(
  db: DbOrTx,
  namespaceId: string,
  of: { campaignId: string; query: ListCampaignDevices; now: Date },
): Promise<{ rows: CampaignDeviceRow[]; nextCursor: string | null; total: number }> {
  const { query, now } = of;
  const conditions = [Prisma.sql`d."namespaceId" = ${namespaceId} AND d."campaignId" = ${of.campaignId}::uuid`];
  if (query.progress !== undefined) conditions.push(Prisma.sql`${PROGRESS} = ${query.progress}`);
  if (query.away !== undefined) conditions.push(Prisma.sql`${seenClassAt(now)} IN ('silent', 'never')`);
  const filter = Prisma.join(conditions, " AND ");
  const [found, [counted]] = await Promise.all([
    db.$queryRaw<CampaignDeviceRow[]>`
      SELECT d."deviceUuid"::text AS "deviceUuid", coalesce(f.name, c.name) AS name, d.fingerprint, ${PROGRESS} AS progress,
        d."renewedAt", c."notAfter", f."lastSeenAt", ${seenClassAt(now)} AS seen
      FROM ${DEVICES} WHERE ${filter} ${afterCursor(query.cursor)} ORDER BY d."deviceUuid" LIMIT ${query.limit + 1}`,
    db.$queryRaw<{ total: number }[]>`SELECT count(*)::int AS total FROM ${DEVICES} WHERE ${filter}`,
  ]);
  const rows = found.slice(0, query.limit);
  const last = found.length > query.limit ? rows.at(-1) : undefined;
  return {
    rows,
    nextCursor: last === undefined ? null : encodeCursor([last.deviceUuid]),
    total: counted?.total ?? 0,
  };
}

function afterCursor(cursor: string | undefined): Prisma.Sql {
  if (cursor === undefined) return Prisma.empty;
  const [uuid] = decodeCursor(cursor, 1);
  return Prisma.sql`AND d."deviceUuid" > ${cursorPart(uuid, Uuid)}::uuid`;
}

/** Keeps since when devices of open campaigns are renewed, so that it stays true when that certificate goes. @returns how many */
export async function settleRenewed(db: DbOrTx, namespaceId: string, now: Date): Promise<number> {
  return db.$executeRaw`
    UPDATE renewal_campaign_device AS d SET "renewedAt" = coalesce(c."admittedAt", c."decidedAt", ${now}::timestamptz)
    FROM renewal_campaign AS k, device_certificate AS c
    WHERE k."namespaceId" = ${namespaceId} AND k."closedAt" IS NULL AND d."campaignId" = k.id AND d."renewedAt" IS NULL
      AND c."namespaceId" = d."namespaceId" AND c."deviceUuid" = d."deviceUuid" AND c.fingerprint <> d.fingerprint
      AND ${HOLDS_PLACE}`;
}
