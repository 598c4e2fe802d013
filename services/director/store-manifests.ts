import type { DbOrTx, Tx } from "#lib/db/client.ts";

const KEPT_MANIFESTS = 200;
/** Of what is kept beyond the newest: a device may send 4 MiB each time. */
const KEPT_BYTES = 33_554_432;

export type ArchivedManifest = {
  readonly id: string;
  readonly deviceUuid: string;
  readonly sha256: string;
  readonly digest: string;
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly evidence: boolean;
  readonly receivedAt: Date;
};

/** What an idle poll needs, in one statement. */
export type ManifestFacts = {
  readonly primarySerial: string | null;
  readonly mayStillInstall: boolean;
  readonly lastManifestDigest: string | null;
  readonly lastManifestAt: Date | null;
  readonly assigned: boolean;
  readonly ecus: readonly { serial: string; keyType: string; publicValue: string }[];
};

export async function findManifestFacts(
  db: DbOrTx,
  namespaceId: string,
  deviceUuid: string,
): Promise<ManifestFacts | null> {
  const [row] = await db.$queryRaw<ManifestFacts[]>`
    SELECT d."primarySerial", d."mayStillInstall", d."lastManifestDigest", d."lastManifestAt",
      EXISTS (SELECT 1 FROM director_assignment a WHERE a."deviceUuid" = d.uuid) AS assigned,
      coalesce((
        SELECT jsonb_agg(jsonb_build_object('serial', e.serial, 'keyType', e."keyType", 'publicValue', e."publicValue"))
        FROM director_ecu e WHERE e."deviceUuid" = d.uuid AND e."removedAt" IS NULL
      ), '[]'::jsonb) AS ecus
    FROM director_device d
    WHERE d.uuid = ${deviceUuid}::uuid AND d."namespaceId" = ${namespaceId} AND d."deletedAt" IS NULL`;
  return row ?? null;
}

/**
 * Keeps the manifest, unless one of the same content is there and this one proves nothing new; then drops the oldest beyond the last 200
 * or 32 MiB. Manifests that are evidence stay.
 *
 * @returns the id of the row that holds this manifest or its equal
 */
export async function archive(tx: Tx, manifest: ArchivedManifest): Promise<string> {
  const known = await tx.directorManifest.findFirst({
    where: manifest.evidence
      ? { deviceUuid: manifest.deviceUuid, sha256: manifest.sha256 }
      : { deviceUuid: manifest.deviceUuid, digest: manifest.digest },
    orderBy: { receivedAt: "desc" },
    select: { id: true, evidence: true },
  });
  if (known !== null) {
    if (manifest.evidence && !known.evidence) {
      await tx.directorManifest.update({ where: { id: known.id }, data: { evidence: true }, select: { id: true } });
    }
    return known.id;
  }
  await tx.directorManifest.create({ data: manifest, select: { id: true } });
  await tx.$executeRaw`
    DELETE FROM director_manifest WHERE id IN (
      SELECT id FROM (
        SELECT id, evidence, row_number() OVER newest AS place, sum(octet_length(bytes)) OVER newest AS total
        FROM director_manifest WHERE "deviceUuid" = ${manifest.deviceUuid}::uuid
        WINDOW newest AS (PARTITION BY evidence ORDER BY "receivedAt" DESC, id)
      ) AS kept
      WHERE NOT evidence AND place > 1 AND (place > ${KEPT_MANIFESTS} OR total > ${KEPT_BYTES}))`;
  return manifest.id;
}

export async function findManifestBytes(
  db: DbOrTx,
  of: { namespaceId: string; deviceUuid: string; sha256: string },
): Promise<Uint8Array | null> {
  const [row] = await db.$queryRaw<{ bytes: Uint8Array }[]>`
    SELECT m.bytes FROM director_manifest m JOIN director_device d ON d.uuid = m."deviceUuid"
    WHERE d."namespaceId" = ${of.namespaceId} AND d.uuid = ${of.deviceUuid}::uuid AND m.sha256 = ${of.sha256}
    ORDER BY m."receivedAt" DESC LIMIT 1`;
  return row?.bytes ?? null;
}
