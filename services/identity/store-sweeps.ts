import type { DbOrTx, Tx } from "#lib/db/client.ts";

export type Swept = { fingerprint: string; deviceUuid: string | null };

/** Ends what a newer certificate replaced and whose grace is over, the longest over first. */
export async function supersedeEnded(
  tx: Tx,
  namespaceId: string,
  sweep: { now: Date; by: string; take: number },
): Promise<Swept[]> {
  const now = sweep.now.toISOString();
  return tx.$queryRaw<Swept[]>`
    UPDATE device_certificate AS certificate SET state = 'superseded', "decidedAt" = ${now}::timestamptz, "decidedBy" = ${sweep.by}
    FROM (
      SELECT fingerprint FROM device_certificate
      WHERE "namespaceId" = ${namespaceId} AND state = 'allowed' AND "graceUntil" <= ${now}::timestamptz
      ORDER BY "graceUntil", fingerprint LIMIT ${sweep.take} FOR UPDATE SKIP LOCKED
    ) AS ended
    WHERE certificate."namespaceId" = ${namespaceId} AND certificate.fingerprint = ended.fingerprint
    RETURNING certificate.fingerprint, certificate."deviceUuid"`;
}

/**
 * Revokes what these authorities signed and nobody revoked before, as theirs was. One whose device holds an unused renewal by another
 * authority stays until that is used: revoking it would take the renewal with it, and strand the device.
 */
export async function revokeSignedBy(
  tx: Tx,
  namespaceId: string,
  sweep: { authorities: readonly { id: string; reason: string }[]; now: Date; by: string; take: number },
): Promise<Swept[]> {
  const now = sweep.now.toISOString();
  return tx.$queryRaw<Swept[]>`
    UPDATE device_certificate AS certificate SET state = 'revoked', "revocationReason" = fallen.reason,
      "revokedAt" = ${now}::timestamptz, "decidedAt" = ${now}::timestamptz, "decidedBy" = ${sweep.by}
    FROM (
      SELECT fingerprint, reason FROM device_certificate
      JOIN unnest(${sweep.authorities.map(({ id }) => id)}::uuid[], ${sweep.authorities.map(({ reason }) => reason)}::text[])
        AS revoked("authorityId", reason) USING ("authorityId")
      WHERE "namespaceId" = ${namespaceId} AND state IN ('pending', 'allowed', 'held', 'superseded')
        AND NOT EXISTS (
          SELECT 1 FROM device_certificate AS renewal
          WHERE renewal."namespaceId" = ${namespaceId} AND renewal."deviceUuid" = device_certificate."deviceUuid"
            AND renewal."renewalOf" = device_certificate.fingerprint AND renewal.state = 'allowed' AND renewal."admittedAt" IS NULL
            AND renewal."authorityId" <> ALL(${sweep.authorities.map(({ id }) => id)}::uuid[])
        )
      ORDER BY fingerprint LIMIT ${sweep.take} FOR UPDATE OF device_certificate SKIP LOCKED
    ) AS fallen
    WHERE certificate."namespaceId" = ${namespaceId} AND certificate.fingerprint = fallen.fingerprint
    RETURNING certificate.fingerprint, certificate."deviceUuid"`;
}

/** Forgets requests that came before the given moment of their authority. Those of devices that registered themselves stay. */
export async function deleteStale(
  tx: Tx,
  namespaceId: string,
  sweep: { limits: readonly { authorityId: string; before: Date }[]; take: number },
): Promise<Swept[]> {
  return tx.$queryRaw<Swept[]>`
    WITH stale AS (
      SELECT fingerprint FROM device_certificate
      JOIN unnest(${sweep.limits.map(({ authorityId }) => authorityId)}::uuid[],
        ${sweep.limits.map(({ before }) => before.toISOString())}::timestamptz[]) AS limits("authorityId", before) USING ("authorityId")
      WHERE "namespaceId" = ${namespaceId} AND state = 'pending' AND NOT "issuedHere" AND "createdAt" < before
      ORDER BY "createdAt", fingerprint LIMIT ${sweep.take} FOR UPDATE OF device_certificate SKIP LOCKED
    ), forgotten AS (
      DELETE FROM certificate_address AS used USING stale
      WHERE used."namespaceId" = ${namespaceId} AND used.fingerprint = stale.fingerprint
    )
    DELETE FROM device_certificate AS certificate USING stale
    WHERE certificate."namespaceId" = ${namespaceId} AND certificate.fingerprint = stale.fingerprint
    RETURNING certificate.fingerprint, certificate."deviceUuid"`;
}

/** Certificates that were recorded before their keys were. */
export async function listWithoutKey(
  db: DbOrTx,
  namespaceId: string,
  take: number,
): Promise<{ fingerprint: string; certificate: Uint8Array | null }[]> {
  return db.deviceCertificate.findMany({
    where: { namespaceId, spkiSha256: null, certificate: { not: null } },
    select: { fingerprint: true, certificate: true },
    take,
  });
}

export async function setKeys(
  db: DbOrTx,
  namespaceId: string,
  keys: readonly { fingerprint: string; spkiSha256: string; keyType: string }[],
): Promise<void> {
  await db.$executeRaw`
    UPDATE device_certificate AS certificate SET "spkiSha256" = found."spkiSha256", "keyType" = found."keyType"
    FROM unnest(${keys.map(({ fingerprint }) => fingerprint)}::text[], ${keys.map(({ spkiSha256 }) => spkiSha256)}::text[],
      ${keys.map(({ keyType }) => keyType)}::text[]) AS found(fingerprint, "spkiSha256", "keyType")
    WHERE certificate."namespaceId" = ${namespaceId} AND certificate.fingerprint = found.fingerprint`;
}
