import type { DbOrTx, Tx } from "#lib/db/client.ts";

export type DeviceRoleName = "targets" | "snapshot" | "timestamp";

export type RoleRow = {
  readonly role: DeviceRoleName;
  readonly version: number;
  readonly bytes: Uint8Array;
  readonly checksum: string;
  readonly expiresAt: Date;
};

/** A stored role with what decides whether it may be served as it is. */
export type ServedRole = RoleRow & {
  readonly metadataOutdated: boolean;
  readonly targetsFetchedVersion: number | null;
};

/** `role` and the targets it depends on, in one statement; empty when nothing was made for this id yet. */
export async function findServed(
  db: DbOrTx,
  of: { namespaceId: string; deviceUuid: string },
  role: DeviceRoleName,
): Promise<ServedRole[]> {
  return db.$queryRaw<ServedRole[]>`
    SELECT r.role, r.version, r.bytes, r.checksum, r."expiresAt", d."metadataOutdated", d."targetsFetchedVersion"
    FROM director_device AS d JOIN director_role AS r ON r."deviceUuid" = d.uuid
    WHERE d.uuid = ${of.deviceUuid}::uuid AND d."namespaceId" = ${of.namespaceId} AND r.role IN ('targets', ${role})`;
}

export async function listRoles(db: DbOrTx, deviceUuid: string): Promise<Map<DeviceRoleName, RoleRow>> {
  const rows = await db.$queryRaw<RoleRow[]>`
    SELECT role, version, bytes, checksum, "expiresAt" FROM director_role WHERE "deviceUuid" = ${deviceUuid}::uuid`;
  return new Map(rows.map((row) => [row.role, row]));
}

/** One statement, so that no reader sees a targets file with another snapshot. */
export async function saveRoles(
  tx: Tx,
  of: { deviceUuid: string; at: Date },
  roles: readonly RoleRow[],
): Promise<void> {
  const rows = JSON.stringify(
    roles.map(({ bytes, ...role }) => ({ ...role, bytesHex: Buffer.from(bytes).toString("hex") })),
  );
  await tx.$executeRaw`
    INSERT INTO director_role ("deviceUuid", role, version, bytes, checksum, "expiresAt", "updatedAt")
    SELECT ${of.deviceUuid}::uuid, r.role, r.version, decode(r."bytesHex", 'hex'), r.checksum, r."expiresAt", ${of.at}
    FROM jsonb_to_recordset(${rows}::jsonb)
      AS r(role text, version integer, "bytesHex" text, checksum text, "expiresAt" timestamptz)
    ON CONFLICT ("deviceUuid", role) DO UPDATE SET version = excluded.version, bytes = excluded.bytes,
      checksum = excluded.checksum, "expiresAt" = excluded."expiresAt", "updatedAt" = excluded."updatedAt"`;
}

export type ExpiringDevice = { readonly namespaceId: string; readonly uuid: string };

/** Devices whose targets in force run out before `before`; those marked outdated are made anew at their next fetch anyway. */
export async function listExpiring(
  db: DbOrTx,
  before: Date,
  page: { after: string; take: number },
): Promise<ExpiringDevice[]> {
  return db.$queryRaw<ExpiringDevice[]>`
    SELECT d."namespaceId", d.uuid FROM director_role AS r JOIN director_device AS d ON d.uuid = r."deviceUuid"
    WHERE r.role = 'targets' AND r."expiresAt" < ${before} AND NOT d."metadataOutdated" AND d."deletedAt" IS NULL
      AND d.uuid > ${page.after}::uuid
    ORDER BY d.uuid LIMIT ${page.take}`;
}
