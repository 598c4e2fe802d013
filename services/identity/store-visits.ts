import type { DbOrTx } from "#lib/db/client.ts";

const ADDRESSES_KEPT = 20;

export type SeenVisit = { fingerprint: string; deviceUuid: string | null; at: Date; address: string };

/** Remembers visits in one statement; times only move forward. The first that was let in is kept as such. */
export async function touchCertificates(db: DbOrTx, namespaceId: string, given: readonly SeenVisit[]): Promise<void> {
  // In one order, so that two gateways lock the rows they share alike.
  const visits = [...given].sort((a, b) => (a.fingerprint < b.fingerprint ? -1 : 1));
  await db.$executeRaw`
    UPDATE device_certificate AS certificate
    SET "lastSeenAt" = greatest(certificate."lastSeenAt", visit.at),
      "lastAddress" = CASE WHEN certificate."lastSeenAt" >= visit.at THEN certificate."lastAddress" ELSE visit.address END,
      "firstSeenAt" = coalesce(certificate."firstSeenAt", visit.at),
      -- The first use of a renewal is more than a visit: what gives it its device's place says so itself.
      "admittedAt" = CASE WHEN visit.admitted AND certificate."renewalOf" IS NULL THEN coalesce(certificate."admittedAt", visit.at)
        ELSE certificate."admittedAt" END
    FROM (
      SELECT * FROM unnest(
        ${visits.map((visit) => visit.fingerprint)}::text[],
        ${visits.map((visit) => visit.at.toISOString())}::timestamptz[],
        ${visits.map((visit) => visit.address)}::text[],
        ${visits.map((visit) => visit.deviceUuid !== null)}::boolean[]
      ) AS seen(fingerprint, at, address, admitted)
    ) AS visit
    WHERE certificate."namespaceId" = ${namespaceId} AND certificate.fingerprint = visit.fingerprint`;
}

/** Remembers where certificates on record were used from, and forgets all but about the newest twenty of each, in one statement. */
export async function recordAddresses(db: DbOrTx, namespaceId: string, given: readonly SeenVisit[]): Promise<void> {
  await db.$executeRaw`
    WITH visit AS (
      SELECT seen.fingerprint, seen.address, min(seen.at) AS "firstAt", max(seen.at) AS "lastAt"
      FROM unnest(
        ${given.map((visit) => visit.fingerprint)}::text[],
        ${given.map((visit) => visit.at.toISOString())}::timestamptz[],
        ${given.map((visit) => visit.address)}::text[]
      ) AS seen(fingerprint, at, address)
      JOIN device_certificate AS known ON known."namespaceId" = ${namespaceId} AND known.fingerprint = seen.fingerprint
      GROUP BY 1, 2
    ), kept AS (
      INSERT INTO certificate_address AS stored ("namespaceId", fingerprint, address, "firstAt", "lastAt")
      SELECT ${namespaceId}, fingerprint, address, "firstAt", "lastAt" FROM visit ORDER BY fingerprint, address
      ON CONFLICT ("namespaceId", fingerprint, address) DO UPDATE SET "lastAt" = greatest(stored."lastAt", excluded."lastAt")
    )
    DELETE FROM certificate_address AS old USING (
      SELECT fingerprint, address, row_number() OVER (PARTITION BY fingerprint ORDER BY "lastAt" DESC, address) AS place
      FROM certificate_address
      WHERE "namespaceId" = ${namespaceId} AND fingerprint IN (SELECT fingerprint FROM visit)
    ) AS ranked
    WHERE old."namespaceId" = ${namespaceId} AND old.fingerprint = ranked.fingerprint AND old.address = ranked.address
      AND ranked.place > ${ADDRESSES_KEPT}
      AND NOT EXISTS (SELECT 1 FROM visit WHERE visit.fingerprint = old.fingerprint AND visit.address = old.address)`;
}

export async function listAddresses(
  db: DbOrTx,
  namespaceId: string,
  fingerprint: string,
): Promise<{ address: string; firstAt: Date; lastAt: Date }[]> {
  return db.certificateAddress.findMany({
    where: { namespaceId, fingerprint },
    orderBy: { lastAt: "desc" },
    take: ADDRESSES_KEPT,
    select: { address: true, firstAt: true, lastAt: true },
  });
}
