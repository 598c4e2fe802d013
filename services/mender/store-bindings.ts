import type { DbOrTx } from "#lib/db/client.ts";

export type NewBinding = {
  keySha256: string;
  identitySha256: string;
  fingerprint: string;
  deviceUuid: string;
  menderDeviceId: string | null;
  authSetId?: string | null;
  at: Date;
};

/** The certificate that comes last with a key is the key's; what Mender calls it stays known. */
export async function bind(db: DbOrTx, namespaceId: string, binding: NewBinding): Promise<void> {
  await db.$executeRaw`
    INSERT INTO mender_binding ("namespaceId", "keySha256", "identitySha256", fingerprint, "deviceUuid", "menderDeviceId", "authSetId", "boundAt")
    VALUES (${namespaceId}, ${binding.keySha256}, ${binding.identitySha256}, ${binding.fingerprint}, ${binding.deviceUuid}::uuid,
      ${binding.menderDeviceId}, ${binding.authSetId ?? null}, ${binding.at})
    ON CONFLICT ("namespaceId", "keySha256") DO UPDATE SET
      "identitySha256" = excluded."identitySha256", fingerprint = excluded.fingerprint, "deviceUuid" = excluded."deviceUuid",
      "menderDeviceId" = coalesce(excluded."menderDeviceId", mender_binding."menderDeviceId"),
      "authSetId" = coalesce(excluded."authSetId", mender_binding."authSetId"),
      "boundAt" = excluded."boundAt", "rejectAfter" = NULL,
      "rejectedAt" = CASE WHEN mender_binding.fingerprint = excluded.fingerprint THEN mender_binding."rejectedAt" END`;
}

/** What Mender calls a key that is bound already, learnt from its answer to the device. */
export async function noteIds(
  db: DbOrTx,
  namespaceId: string,
  ids: { keySha256: string; menderDeviceId: string; authSetId: string },
): Promise<void> {
  const { keySha256, ...data } = ids;
  await db.menderBinding.updateMany({ where: { namespaceId, keySha256 }, data });
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

/** Keys whose certificate, or its authority, was revoked, and which Mender may still let in. */
export async function listToReject(
  db: DbOrTx,
  namespaceId: string,
  options: { now: Date; limit: number },
): Promise<ToReject[]> {
  return db.$queryRaw<ToReject[]>`
    SELECT b."keySha256", b.fingerprint, b."deviceUuid", b."menderDeviceId" FROM mender_binding b
    JOIN device_certificate c ON c."namespaceId" = b."namespaceId" AND c.fingerprint = b.fingerprint
    LEFT JOIN authority a ON a."namespaceId" = c."namespaceId" AND a.id = c."authorityId"
    WHERE b."namespaceId" = ${namespaceId} AND b."rejectedAt" IS NULL AND b."menderDeviceId" IS NOT NULL
      AND (b."rejectAfter" IS NULL OR b."rejectAfter" <= ${options.now})
      AND (c.state = 'revoked' OR a.state = 'revoked')
    ORDER BY b."rejectAfter" NULLS FIRST, b."keySha256" LIMIT ${options.limit}`;
}

export async function markRejection(
  db: DbOrTx,
  namespaceId: string,
  mark: { keySha256: string; fingerprint: string } & ({ rejectedAt: Date } | { rejectAfter: Date }),
): Promise<void> {
  const { keySha256, fingerprint, ...data } = mark;
  await db.menderBinding.updateMany({ where: { namespaceId, keySha256, fingerprint }, data });
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
