import type { DbOrTx, Tx } from "#lib/db/client.ts";

/** The server's contract: a device has few keys. */
const MOST_HOLDERS = 200;

export type NewBinding = {
  keySha256: string;
  identitySha256: string;
  fingerprint: string;
  deviceUuid: string;
  menderDeviceId: string | null;
  authSetId?: string;
  at: Date;
};

/**
 * The certificate that comes last with a key is the key's; what Mender calls it stays known. A revocation of it is carried over anew.
 *
 * @returns whether the key was not bound to this device before
 */
export async function bind(tx: Tx, namespaceId: string, binding: NewBinding): Promise<boolean> {
  const { keySha256 } = binding;
  const before = await tx.menderBinding.findUnique({
    where: { namespaceId_keySha256: { namespaceId, keySha256 } },
    select: { deviceUuid: true },
  });
  await tx.$executeRaw`
    INSERT INTO mender_binding ("namespaceId", "keySha256", "identitySha256", fingerprint, "deviceUuid", "menderDeviceId", "authSetId", "boundAt")
    VALUES (${namespaceId}, ${binding.keySha256}, ${binding.identitySha256}, ${binding.fingerprint}, ${binding.deviceUuid}::uuid,
      ${binding.menderDeviceId}, ${binding.authSetId ?? null}, ${binding.at})
    ON CONFLICT ("namespaceId", "keySha256") DO UPDATE SET
      "identitySha256" = excluded."identitySha256", fingerprint = excluded.fingerprint, "deviceUuid" = excluded."deviceUuid",
      "menderDeviceId" = coalesce(excluded."menderDeviceId", mender_binding."menderDeviceId"),
      "authSetId" = coalesce(excluded."authSetId", mender_binding."authSetId"),
      "boundAt" = excluded."boundAt", "rejectAfter" = NULL, "rejectedAt" = NULL`;
  return before?.deviceUuid !== binding.deviceUuid;
}

/** Binds keys that nobody has bound meanwhile. */
export async function addBindings(tx: Tx, namespaceId: string, bindings: readonly NewBinding[]): Promise<void> {
  const data = bindings.map(({ at: boundAt, ...binding }) => ({ namespaceId, boundAt, ...binding }));
  if (data.length > 0) await tx.menderBinding.createMany({ data, skipDuplicates: true });
}

/** Which of our devices came with the keys of a device of Mender's, by authentication set. */
export async function listHolders(
  db: DbOrTx,
  namespaceId: string,
  menderDeviceId: string,
): Promise<{ authSetId: string | null; deviceUuid: string }[]> {
  return db.menderBinding.findMany({
    where: { namespaceId, menderDeviceId },
    orderBy: [{ boundAt: "desc" }, { keySha256: "asc" }],
    take: MOST_HOLDERS,
    select: { authSetId: true, deviceUuid: true },
  });
}

/** Which device came with this identity last; null when none did. */
export async function findOwner(db: DbOrTx, namespaceId: string, identitySha256: string): Promise<string | null> {
  const row = await db.menderBinding.findFirst({
    where: { namespaceId, identitySha256 },
    orderBy: [{ boundAt: "desc" }, { keySha256: "asc" }],
    select: { deviceUuid: true },
  });
  return row?.deviceUuid ?? null;
}

export type Bound = { keySha256: string; deviceUuid: string; fingerprint: string };

export async function findBound(db: DbOrTx, namespaceId: string, keys: readonly string[]): Promise<Map<string, Bound>> {
  const rows = await db.menderBinding.findMany({
    where: { namespaceId, keySha256: { in: [...keys] } },
    select: { keySha256: true, deviceUuid: true, fingerprint: true },
  });
  return new Map(rows.map((row) => [row.keySha256, row]));
}

export type ToReject = {
  keySha256: string;
  fingerprint: string;
  deviceUuid: string;
  menderDeviceId: string;
};

/**
 * Keys that only revoked certificates stand behind: the one that came with the key last, one with the very key, or the last
 * ones of the device. A key that a good certificate has, too, is left alone. `since` looks at what was revoked from then on: at once what is
 * new, with everything else now and then.
 */
export async function listToReject(
  db: DbOrTx,
  namespaceId: string,
  options: { now: Date; limit: number; since: Date | null },
): Promise<ToReject[]> {
  const { now, limit, since } = options;
  return db.$queryRaw<ToReject[]>`
    WITH gone AS (
      SELECT fingerprint, "spkiSha256", "deviceUuid" FROM device_certificate
      WHERE "namespaceId" = ${namespaceId} AND state = 'revoked' AND NOT canary
        AND (${since}::timestamptz IS NULL OR greatest("revokedAt", "decidedAt") >= ${since})
      UNION ALL
      SELECT c.fingerprint, c."spkiSha256", c."deviceUuid" FROM authority a
      JOIN device_certificate c ON c."namespaceId" = a."namespaceId" AND c."authorityId" = a.id
      WHERE a."namespaceId" = ${namespaceId} AND a.state = 'revoked'
        AND (${since}::timestamptz IS NULL OR a."stateChangedAt" >= ${since})
    ), good AS NOT MATERIALIZED (
      SELECT c.fingerprint, c."spkiSha256", c."deviceUuid" FROM device_certificate c
      LEFT JOIN authority a ON a."namespaceId" = c."namespaceId" AND a.id = c."authorityId"
      WHERE c."namespaceId" = ${namespaceId} AND c.state IN ('allowed', 'held') AND a.state IS DISTINCT FROM 'revoked'
        AND (c."notAfter" IS NULL OR c."notAfter" > ${now})
    ), open AS NOT MATERIALIZED (
      SELECT "keySha256", fingerprint, "deviceUuid", "menderDeviceId", "rejectAfter" FROM mender_binding
      WHERE "namespaceId" = ${namespaceId} AND "rejectedAt" IS NULL AND "menderDeviceId" IS NOT NULL
        AND ("rejectAfter" IS NULL OR "rejectAfter" <= ${now})
    ), found AS (
      SELECT o."keySha256" FROM open o JOIN gone g USING (fingerprint)
      UNION SELECT o."keySha256" FROM open o JOIN gone g ON g."spkiSha256" = o."keySha256"
      UNION SELECT o."keySha256" FROM open o JOIN gone g USING ("deviceUuid")
        WHERE NOT EXISTS (SELECT 1 FROM good WHERE good."deviceUuid" = o."deviceUuid")
    )
    SELECT o."keySha256", o.fingerprint, o."deviceUuid", o."menderDeviceId" FROM open o JOIN found USING ("keySha256")
    WHERE NOT EXISTS (SELECT 1 FROM good WHERE good.fingerprint = o.fingerprint)
      AND NOT EXISTS (SELECT 1 FROM good WHERE good."spkiSha256" = o."keySha256")
    ORDER BY o."rejectAfter" NULLS FIRST, o."keySha256" LIMIT ${limit}`;
}

/** Of these keys, those that only revoked certificates have, with the one revoked last; each is a device's. */
export async function listRevokedKeys(
  db: DbOrTx,
  namespaceId: string,
  options: { keys: readonly string[]; now: Date },
): Promise<Bound[]> {
  return db.$queryRaw<Bound[]>`
    SELECT DISTINCT ON (c."spkiSha256") c."spkiSha256" AS "keySha256", c.fingerprint, c."deviceUuid" FROM device_certificate c
    LEFT JOIN authority a ON a."namespaceId" = c."namespaceId" AND a.id = c."authorityId"
    WHERE c."namespaceId" = ${namespaceId} AND c."spkiSha256" = ANY(${[...options.keys]}::text[]) AND c."deviceUuid" IS NOT NULL
      AND NOT c.canary AND (c.state = 'revoked' OR a.state = 'revoked')
      AND NOT EXISTS (
        SELECT 1 FROM device_certificate o
        LEFT JOIN authority oa ON oa."namespaceId" = o."namespaceId" AND oa.id = o."authorityId"
        WHERE o."namespaceId" = c."namespaceId" AND o."spkiSha256" = c."spkiSha256" AND o.state IN ('allowed', 'held')
          AND oa.state IS DISTINCT FROM 'revoked' AND (o."notAfter" IS NULL OR o."notAfter" > ${options.now})
      )
    ORDER BY c."spkiSha256", c."revokedAt" DESC NULLS LAST, c.fingerprint`;
}

/** @returns whether the key is still bound to that certificate */
export async function markRejection(
  db: DbOrTx,
  namespaceId: string,
  mark: { keySha256: string; fingerprint: string } & ({ rejectedAt: Date } | { rejectAfter: Date }),
): Promise<boolean> {
  const { keySha256, fingerprint, ...data } = mark;
  const { count } = await db.menderBinding.updateMany({ where: { namespaceId, keySha256, fingerprint }, data });
  return count > 0;
}

/** Fills in what a list of Mender's devices says about keys that are bound, in one statement. */
export async function noteManyIds(
  db: DbOrTx,
  namespaceId: string,
  ids: readonly { keySha256: string; menderDeviceId: string; authSetId: string }[],
): Promise<void> {
  if (ids.length === 0) return;
  await db.$executeRaw`
    UPDATE mender_binding AS b SET "menderDeviceId" = i."menderDeviceId", "authSetId" = i."authSetId"
    FROM jsonb_to_recordset(${JSON.stringify(ids)}::jsonb) AS i("keySha256" text, "menderDeviceId" text, "authSetId" text)
    WHERE b."namespaceId" = ${namespaceId} AND b."keySha256" = i."keySha256"
      AND (b."menderDeviceId", b."authSetId") IS DISTINCT FROM (i."menderDeviceId", i."authSetId")`;
}
