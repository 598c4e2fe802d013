import type { DbOrTx } from "#lib/db/client.ts";

const COLUMNS = {
  fingerprint: true,
  deviceUuid: true,
  authorityId: true,
  certificate: true,
  state: true,
  notAfter: true,
  graceUntil: true,
  renewalOf: true,
  admittedAt: true,
  issuedHere: true,
  name: true,
  hardwareId: true,
  simulated: true,
} as const;

/** A certificate as far as enrolment and renewal look at it. */
export type EnrolledRow = {
  fingerprint: string;
  deviceUuid: string | null;
  authorityId: string | null;
  certificate: Uint8Array | null;
  state: string;
  notAfter: Date | null;
  graceUntil: Date | null;
  renewalOf: string | null;
  admittedAt: Date | null;
  issuedHere: boolean;
  name: string | null;
  hardwareId: string | null;
  simulated: boolean;
};

/** The newest certificates of a key. */
export async function listOfKey(db: DbOrTx, namespaceId: string, spkiSha256: string): Promise<EnrolledRow[]> {
  return db.deviceCertificate.findMany({
    where: { namespaceId, spkiSha256 },
    orderBy: [{ createdAt: "desc" }, { fingerprint: "asc" }],
    take: 50,
    select: COLUMNS,
  });
}

export async function findEnrolled(db: DbOrTx, namespaceId: string, fingerprint: string): Promise<EnrolledRow | null> {
  return db.deviceCertificate.findUnique({
    where: { namespaceId_fingerprint: { namespaceId, fingerprint } },
    select: COLUMNS,
  });
}

/** Is any certificate known that names this device? */
export async function isDeviceNamed(db: DbOrTx, namespaceId: string, deviceUuid: string): Promise<boolean> {
  const row = await db.deviceCertificate.findFirst({
    where: { namespaceId, deviceUuid },
    select: { fingerprint: true },
  });
  return row !== null;
}

export async function countRenewals(
  db: DbOrTx,
  namespaceId: string,
  of: { deviceUuid: string; since: Date },
): Promise<number> {
  return db.deviceCertificate.count({
    where: { namespaceId, deviceUuid: of.deviceUuid, renewalOf: { not: null }, createdAt: { gte: of.since } },
  });
}

/** Supersedes a device's unused renewals but the newest `keep`. @returns their fingerprints */
export async function supersedeRenewals(
  db: DbOrTx,
  namespaceId: string,
  of: { deviceUuid: string; keep: number; at: Date },
): Promise<string[]> {
  const rows = await db.$queryRaw<{ fingerprint: string }[]>`
    UPDATE device_certificate SET state = 'superseded', "decidedAt" = ${of.at.toISOString()}::timestamptz
    WHERE "namespaceId" = ${namespaceId} AND fingerprint IN (
      SELECT fingerprint FROM device_certificate
      WHERE "namespaceId" = ${namespaceId} AND "deviceUuid" = ${of.deviceUuid}::uuid AND state = 'allowed'
        AND "renewalOf" IS NOT NULL AND "admittedAt" IS NULL
      ORDER BY "createdAt" DESC, fingerprint OFFSET ${of.keep}
    )
    RETURNING fingerprint`;
  return rows.map(({ fingerprint }) => fingerprint);
}
