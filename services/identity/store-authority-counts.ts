import type { CertificateCounts, NewcomerRules, RulesPreview } from "#lib/contracts/console/authorities.ts";
import type { DbOrTx } from "#lib/db/client.ts";
import { escapeLike } from "#lib/db/like.ts";
import { comparableName } from "#lib/pki/issuer.ts";

export async function countByAuthority(
  db: DbOrTx,
  namespaceId: string,
  { authorityIds, now, since }: { authorityIds: readonly string[]; now: Date; since: Date },
): Promise<(CertificateCounts & { authorityId: string })[]> {
  return db.$queryRaw`
    SELECT "authorityId"::text AS "authorityId",
      count(*) FILTER (WHERE "isAllowed")::int AS allowed,
      count(*) FILTER (WHERE state = 'pending')::int AS waiting,
      count(*) FILTER (WHERE "isAllowed" AND "lastSeenAt" >= ${since})::int AS "seenLately"
    FROM (
      SELECT "authorityId", state, "lastSeenAt",
        state = 'allowed' AND "notAfter" > ${now} AND ("graceUntil" IS NULL OR "graceUntil" > ${now}) AS "isAllowed"
      FROM device_certificate
      WHERE "namespaceId" = ${namespaceId} AND "authorityId" = ANY (${[...authorityIds]}::uuid[])
        AND state IN ('allowed', 'pending') AND NOT canary
    ) AS certificate
    GROUP BY "authorityId"`;
}

/** Counts by the same comparisons as the admission decision makes: case and white space of a subject do not count. */
export async function countUnfit(
  db: DbOrTx,
  namespaceId: string,
  { authorityId, rules }: { authorityId: string; rules: NewcomerRules },
): Promise<RulesPreview> {
  const { subjectPattern, keyTypes, maxValidityDays } = rules;
  const pattern = subjectPattern === null ? null : escapeLike(comparableName(subjectPattern)).replaceAll("*", "%");
  const rows = await db.$queryRaw<RulesPreview[]>`
    SELECT count(*)::int AS known,
      count(*) FILTER (WHERE "wrongSubject" OR "wrongKeyType" OR "wrongValidity")::int AS unfit,
      count(*) FILTER (WHERE "wrongSubject")::int AS "bySubject",
      count(*) FILTER (WHERE "wrongKeyType")::int AS "byKeyType",
      count(*) FILTER (WHERE "wrongValidity")::int AS "byValidity"
    FROM (
      SELECT
        ${pattern}::text IS NOT NULL
          AND btrim(regexp_replace(lower("subjectDn"), '\\s+', ' ', 'g')) NOT LIKE ${pattern}::text AS "wrongSubject",
        cardinality(${keyTypes}::text[]) > 0 AND NOT "keyType" = ANY (${keyTypes}::text[]) AS "wrongKeyType",
        ${maxValidityDays}::int IS NOT NULL
          AND "notAfter" - "notBefore" > make_interval(days => ${maxValidityDays}::int) AS "wrongValidity"
      FROM device_certificate
      WHERE "namespaceId" = ${namespaceId} AND "authorityId" = ${authorityId}::uuid
        AND state IN ('allowed', 'pending') AND NOT canary
    ) AS certificate`;
  return rows[0] ?? { known: 0, unfit: 0, bySubject: 0, byKeyType: 0, byValidity: 0 };
}
