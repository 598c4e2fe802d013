import { cursorPart, decodeCursor, encodeCursor, Fingerprint, Instant } from "#lib/contracts/console/common.ts";
import type { ExpirySelection, ListExpiring, SeenClass } from "#lib/contracts/console/posture.ts";
import type { DbOrTx } from "#lib/db/client.ts";
import { Prisma } from "#lib/db/generated/client.ts";
import { escapeLike } from "#lib/db/like.ts";

/**
 * The certificate that its device comes in with, as the row `c`: allowed, not in its grace, and in use unless nothing else is. At most
 * one of a device, so that counting these counts devices.
 */
export const HOLDS_PLACE = Prisma.sql`(c.state = 'allowed' AND c."graceUntil" IS NULL AND NOT c.canary
  AND c."deviceUuid" IS NOT NULL AND c."notAfter" IS NOT NULL AND (c."renewalOf" IS NULL OR c."admittedAt" IS NOT NULL))`;

/** Certificates `c` with their devices `f`. */
export const CERTIFICATES_AND_DEVICES = Prisma.sql`device_certificate AS c
  LEFT JOIN fleet_device AS f ON f."namespaceId" = c."namespaceId" AND f.uuid = c."deviceUuid"`;

export function seenClassAt(now: Date): Prisma.Sql {
  return Prisma.sql`(CASE WHEN f."lastSeenAt" IS NULL THEN 'never'
    WHEN f."lastSeenAt" > ${now}::timestamptz - interval '1 day' THEN 'day'
    WHEN f."lastSeenAt" > ${now}::timestamptz - interval '7 days' THEN 'week'
    WHEN f."lastSeenAt" > ${now}::timestamptz - interval '30 days' THEN 'month' ELSE 'silent' END)`;
}

export type SegmentRow = { segment: number; seen: SeenClass; count: number };

/** How many end in each segment between the given instants, which ascend; segment 0 is before the first. One pass over the certificates. */
export async function countSegments(
  db: DbOrTx,
  namespaceId: string,
  input: { now: Date; bounds: readonly Date[]; simulated: ExpirySelection["simulated"] },
): Promise<SegmentRow[]> {
  const bounds = input.bounds.map((at) => at.toISOString());
  return db.$queryRaw<SegmentRow[]>`
    SELECT width_bucket(c."notAfter", ${bounds}::timestamptz[]) AS segment, ${seenClassAt(input.now)} AS seen, count(*)::int AS count
    FROM ${CERTIFICATES_AND_DEVICES}
    WHERE ${selected(namespaceId, { simulated: input.simulated }, input.now)}
    GROUP BY 1, 2`;
}

/** The condition that a certificate of {@link CERTIFICATES_AND_DEVICES} must meet to be in a selection. */
export function selected(
  namespaceId: string,
  selection: ExpirySelection & { q?: string | undefined },
  now: Date,
): Prisma.Sql {
  const conditions = [Prisma.sql`c."namespaceId" = ${namespaceId}`, HOLDS_PLACE];
  if (selection.from !== undefined) conditions.push(Prisma.sql`c."notAfter" >= ${selection.from}::timestamptz`);
  if (selection.until !== undefined) conditions.push(Prisma.sql`c."notAfter" < ${selection.until}::timestamptz`);
  if (selection.seen !== undefined) conditions.push(Prisma.sql`${seenClassAt(now)} = ANY(${selection.seen}::text[])`);
  if (selection.simulated !== undefined) conditions.push(Prisma.sql`c.simulated = ${selection.simulated === "true"}`);
  const text = selection.q?.trim() ?? "";
  if (text !== "") conditions.push(Prisma.sql`coalesce(f.name, c.name, '') ILIKE ${`%${escapeLike(text)}%`}`);
  return Prisma.join(conditions, " AND ");
}

export type ExpiringRow = {
  deviceUuid: string;
  name: string | null;
  fingerprint: string;
  notAfter: Date;
  lastSeenAt: Date | null;
  seen: SeenClass;
  authorityId: string | null;
  simulated: boolean;
};

/** @throws AppError `request.invalid` (a cursor that is not ours) */
export async function listExpiring(
  db: DbOrTx,
  namespaceId: string,
  input: { query: ListExpiring; now: Date },
): Promise<{ rows: ExpiringRow[]; nextCursor: string | null; total: number }> {
  const { query, now } = input;
  const filter = selected(namespaceId, query, now);
  const [found, [counted]] = await Promise.all([
    db.$queryRaw<ExpiringRow[]>`
      SELECT c."deviceUuid"::text AS "deviceUuid", coalesce(f.name, c.name) AS name, c.fingerprint, c."notAfter", f."lastSeenAt",
        ${seenClassAt(now)} AS seen, c."authorityId"::text AS "authorityId", c.simulated
      FROM ${CERTIFICATES_AND_DEVICES} WHERE ${filter} ${afterCursor(query.cursor)}
      ORDER BY c."notAfter", c.fingerprint LIMIT ${query.limit + 1}`,
    db.$queryRaw<{ total: number }[]>`
      SELECT count(*)::int AS total FROM ${CERTIFICATES_AND_DEVICES} WHERE ${filter}`,
  ]);
  const rows = found.slice(0, query.limit);
  const last = found.length > query.limit ? rows.at(-1) : undefined;
  return {
    rows,
    nextCursor: last === undefined ? null : encodeCursor([last.notAfter.toISOString(), last.fingerprint]),
    total: counted?.total ?? 0,
  };
}

function afterCursor(cursor: string | undefined): Prisma.Sql {
  if (cursor === undefined) return Prisma.empty;
  const [at, fingerprint] = decodeCursor(cursor, 2);
  return Prisma.sql`AND (c."notAfter", c.fingerprint) > (${cursorPart(at, Instant)}::timestamptz, ${cursorPart(fingerprint, Fingerprint)})`;
}
