import { z } from "zod";
import { cursorPart, decodeCursor, encodeCursor, type ListQuery } from "#lib/contracts/console/common.ts";
import type { PostureCode } from "#lib/contracts/console/posture.ts";
import type { DbOrTx } from "#lib/db/client.ts";
import { Prisma } from "#lib/db/generated/client.ts";

const STRONG_KEYS = ["P-256", "P-384", "P-521", "RSA-3072", "RSA-4096", "Ed25519"];
const LONGEST_VALIDITY_DAYS = 825;
const MANY_ADDRESSES = 5;

type At = { namespaceId: string; now: Date };

/**
 * What each check finds: `key` is unique and orders the list, `fingerprint`, `"deviceUuid"` and `"authorityId"` say what it is about,
 * `label` what to call that, `detail` what was found.
 */
const FINDINGS: Readonly<Record<PostureCode, (at: At) => Prisma.Sql>> = {
  // What few certificates have in common is found first and their rows by index: a plain join would read every certificate twice.
  shared_key: ({ namespaceId }) => Prisma.sql`
    WITH repeated AS MATERIALIZED (
      SELECT "spkiSha256" FROM device_certificate WHERE "namespaceId" = ${namespaceId} AND "spkiSha256" IS NOT NULL
      GROUP BY "spkiSha256" HAVING count(*) > 1
    ), c AS MATERIALIZED (
      SELECT "spkiSha256", fingerprint, "deviceUuid", "authorityId", name, "subjectDn" FROM device_certificate
      WHERE "namespaceId" = ${namespaceId} AND "spkiSha256" = ANY(ARRAY(SELECT "spkiSha256" FROM repeated))
        AND state IN ('allowed', 'held', 'pending') AND NOT canary
    )
    SELECT c."spkiSha256" || c.fingerprint AS key, ${OF_CERTIFICATE},
      'key ' || left(c."spkiSha256", 8) || '… in ' || shared.certificates || ' certificates of ' || shared.devices || ' devices' AS detail
    FROM c JOIN (
      SELECT "spkiSha256", count(*) AS certificates, count(DISTINCT "deviceUuid") AS devices FROM c
      GROUP BY "spkiSha256" HAVING count(DISTINCT "deviceUuid") > 1
    ) AS shared ON shared."spkiSha256" = c."spkiSha256"`,
  many_addresses: (at) => Prisma.sql`
    WITH used AS MATERIALIZED (
      SELECT fingerprint, count(*) AS addresses FROM certificate_address
      WHERE "namespaceId" = ${at.namespaceId} AND "lastAt" > ${at.now}::timestamptz - interval '1 day'
      GROUP BY fingerprint HAVING count(*) >= ${MANY_ADDRESSES}
    )
    SELECT c.fingerprint AS key, ${OF_CERTIFICATE}, used.addresses || ' addresses in 24 hours' AS detail
    FROM device_certificate AS c JOIN used ON used.fingerprint = c.fingerprint
    WHERE ${inUse(at)} AND c.fingerprint = ANY(ARRAY(SELECT fingerprint FROM used))`,
  revoked_authority: (at) => Prisma.sql`
    SELECT c.fingerprint AS key, ${OF_CERTIFICATE}, 'signed by ' || a.name || ', which is revoked' AS detail
    FROM ${WITH_AUTHORITY} WHERE ${inUse(at)} AND a.state NOT IN ('open', 'closed')`,
  clock_skew: (at) => Prisma.sql`
    SELECT c.fingerprint AS key, ${OF_CERTIFICATE}, 'first seen before its validity began' AS detail
    FROM device_certificate AS c WHERE ${inUse(at)} AND c."firstSeenAt" < c."notBefore"
    UNION
    SELECT r.fingerprint, r.fingerprint, c."deviceUuid", coalesce(c."authorityId", r."authorityId"),
      coalesce(c.name, r."subjectDn", r.fingerprint), 'refused as not valid yet within the last 7 days'
    FROM refused_attempt AS r LEFT JOIN device_certificate AS c ON c."namespaceId" = r."namespaceId" AND c.fingerprint = r.fingerprint
    WHERE r."namespaceId" = ${at.namespaceId} AND r.code = 'not_yet_valid' AND r.fingerprint <> ''
      AND r."lastAt" > ${at.now}::timestamptz - interval '7 days'
      AND (c."firstSeenAt" IS NULL OR c."notBefore" IS NULL OR c."firstSeenAt" >= c."notBefore" OR c.state <> 'allowed')`,
  weak_key: (at) => Prisma.sql`
    SELECT c.fingerprint AS key, ${OF_CERTIFICATE}, c."keyType" AS detail
    FROM device_certificate AS c WHERE ${inUse(at)} AND NOT c."keyType" = ANY(${STRONG_KEYS}::text[])`,
  long_validity: (at) => Prisma.sql`
    SELECT c.fingerprint AS key, ${OF_CERTIFICATE},
      'valid for ' || floor(extract(epoch FROM c."notAfter" - c."notBefore") / 86400)::int || ' days' AS detail
    FROM ${WITH_AUTHORITY} WHERE ${inUse(at)}
      AND c."notAfter" - c."notBefore" > make_interval(days => coalesce(a."maxValidityDays", ${LONGEST_VALIDITY_DAYS}::int))`,
  authority_ends_first: (at) => Prisma.sql`
    SELECT c.fingerprint AS key, ${OF_CERTIFICATE},
      a.name || ' ends on ' || to_char(a."notAfter" AT TIME ZONE 'UTC', 'YYYY-MM-DD') AS detail
    FROM ${WITH_AUTHORITY} WHERE ${inUse(at)} AND a.state IN ('open', 'closed')
      AND (a."notAfter" < c."notAfter" OR a."notAfter" < ${at.now}::timestamptz + interval '90 days')`,
  never_used: (at) => Prisma.sql`
    SELECT c.fingerprint AS key, ${OF_CERTIFICATE},
      'allowed ' || floor(extract(epoch FROM ${at.now}::timestamptz - coalesce(c."decidedAt", c."createdAt")) / 86400)::int || ' days ago' AS detail
    FROM device_certificate AS c WHERE ${inUse(at)} AND c."admittedAt" IS NULL AND c."lastSeenAt" IS NULL
      AND coalesce(c."decidedAt", c."createdAt") < ${at.now}::timestamptz - interval '30 days'`,
  name_clash: ({ namespaceId }) => Prisma.sql`
    SELECT 'd' || md5(folded) || uuid AS key, NULL::text AS fingerprint, uuid AS "deviceUuid", NULL::uuid AS "authorityId",
      name AS label, 'one of ' || alike || ' devices of this name' AS detail
    FROM fleet_device AS d JOIN (
      SELECT ${FOLDED_NAME} AS folded, count(*) AS alike FROM fleet_device AS d WHERE "namespaceId" = ${namespaceId}
      GROUP BY 1 HAVING count(*) > 1
    ) AS counted ON counted.folded = ${FOLDED_NAME}
    WHERE d."namespaceId" = ${namespaceId}
    UNION ALL
    SELECT 'a' || md5("subjectDn") || id, NULL, NULL, id, name, 'one of ' || alike || ' authorities with the subject ' || "subjectDn"
    FROM (
      SELECT id, name, "subjectDn", count(*) OVER (PARTITION BY "subjectDn") AS alike FROM authority
      WHERE "namespaceId" = ${namespaceId} AND kind = 'fleet' AND state IN ('open', 'closed')
    ) AS counted WHERE alike > 1`,
};

/** Of a device `d`: without case and blanks. These are listed, because a pattern takes longer over many names. */
const FOLDED_NAME = Prisma.sql`lower(translate(d.name, E' \\t\\n\\r\\u00a0\\u2009\\u202f\\u3000', ''))`;

/** Of a certificate `c`. */
const OF_CERTIFICATE = Prisma.sql`c.fingerprint, c."deviceUuid", c."authorityId", coalesce(c.name, c."subjectDn", c.fingerprint) AS label`;

const WITH_AUTHORITY = Prisma.sql`device_certificate AS c
  LEFT JOIN authority AS a ON a.id = c."authorityId" AND a."namespaceId" = c."namespaceId"`;

function inUse({ namespaceId, now }: At): Prisma.Sql {
  return Prisma.sql`c."namespaceId" = ${namespaceId} AND c.state = 'allowed' AND NOT c.canary
    AND (c."notAfter" IS NULL OR c."notAfter" > ${now}::timestamptz)
    AND (c."graceUntil" IS NULL OR c."graceUntil" > ${now}::timestamptz)`;
}

/** The condition that the certificate `c` is of a device that a check found. */
export function amongFindings(code: PostureCode, at: At): Prisma.Sql {
  return Prisma.sql`c."deviceUuid" IN (SELECT "deviceUuid" FROM (${FINDINGS[code](at)}) AS found)`;
}

export async function countFindings(
  db: DbOrTx,
  code: PostureCode,
  at: At,
): Promise<{ count: number; devices: number }> {
  const [row] = await db.$queryRaw<{ count: number; devices: number }[]>`
    SELECT count(*)::int AS count, count(DISTINCT "deviceUuid")::int AS devices FROM (${FINDINGS[code](at)}) AS found`;
  return row ?? { count: 0, devices: 0 };
}

export type FindingRow = {
  key: string;
  fingerprint: string | null;
  deviceUuid: string | null;
  authorityId: string | null;
  name: string;
  detail: string;
  lastSeenAt: Date | null;
};

/** @throws AppError `request.invalid` (a cursor that is not ours) */
export async function listFindings(
  db: DbOrTx,
  code: PostureCode,
  input: At & { query: Omit<ListQuery, "q"> },
): Promise<{ rows: FindingRow[]; nextCursor: string | null }> {
  const { query, namespaceId } = input;
  const found = await db.$queryRaw<FindingRow[]>`
    SELECT found.key, found.fingerprint, found."deviceUuid"::text AS "deviceUuid", found."authorityId"::text AS "authorityId",
      coalesce(f.name, found.label) AS name, found.detail, f."lastSeenAt"
    FROM (${FINDINGS[code](input)}) AS found
    LEFT JOIN fleet_device AS f ON f."namespaceId" = ${namespaceId} AND f.uuid = found."deviceUuid"
    WHERE ${afterCursor(code, query.cursor)} ORDER BY found.key COLLATE "C" LIMIT ${query.limit + 1}`;
  const rows = found.slice(0, query.limit);
  const last = found.length > query.limit ? rows.at(-1) : undefined;
  return { rows, nextCursor: last === undefined ? null : encodeCursor([code, last.key]) };
}

/** Cursors name their check, so that one of another list is refused instead of giving a page of nonsense. */
function afterCursor(code: PostureCode, cursor: string | undefined): Prisma.Sql {
  if (cursor === undefined) return Prisma.sql`true`;
  const [of, key] = decodeCursor(cursor, 2);
  cursorPart(of, z.literal(code));
  return Prisma.sql`found.key > ${cursorPart(key, z.string())} COLLATE "C"`;
}
