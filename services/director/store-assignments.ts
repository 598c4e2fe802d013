import { randomUUID } from "node:crypto";
import { MtuTargets } from "#lib/contracts/ota/director.ts";
import type { DbOrTx, Tx } from "#lib/db/client.ts";
import type { Prisma } from "#lib/db/generated/client.ts";
import type { ListedAssignment } from "./targets.ts";

export type AssignmentRow = ListedAssignment & {
  readonly deviceUuid: string;
  readonly inFlight: boolean;
  readonly createdAt: Date;
};

export async function insertMtu(
  db: DbOrTx,
  namespaceId: string,
  mtu: { targets: MtuTargets; at: Date },
): Promise<string> {
  const id = randomUUID();
  const targets = mtu.targets as Prisma.InputJsonObject; // parsed from JSON by its schema
  await db.directorMtu.create({ data: { id, namespaceId, targets, createdAt: mtu.at }, select: { id: true } });
  return id;
}

export async function findMtu(db: DbOrTx, namespaceId: string, id: string): Promise<MtuTargets | null> {
  const row = await db.directorMtu.findFirst({ where: { id, namespaceId }, select: { targets: true } });
  return row === null ? null : MtuTargets.parse(row.targets);
}

/** The open assignments of these devices, oldest first. */
export async function listAssignments(
  db: DbOrTx,
  namespaceId: string,
  deviceUuids: readonly string[],
): Promise<AssignmentRow[]> {
  const rows = await db.$queryRaw<(Omit<AssignmentRow, "length"> & { length: bigint })[]>`
    SELECT "deviceUuid", "ecuSerial", "correlationId", "targetFilename" AS filename, "targetSha256" AS sha256,
      "targetLength" AS length, "targetUri" AS uri, "targetCustom" AS custom, "inFlight", "createdAt"
    FROM director_assignment
    WHERE "namespaceId" = ${namespaceId} AND "deviceUuid" = ANY(${[...deviceUuids]}::uuid[])
    ORDER BY "createdAt", "deviceUuid", "ecuSerial"`;
  return rows.map((row) => ({ ...row, length: Number(row.length) }));
}

export async function insertAssignments(tx: Tx, namespaceId: string, rows: readonly AssignmentRow[]): Promise<void> {
  if (rows.length === 0) return;
  await tx.$executeRaw`
    INSERT INTO director_assignment ("deviceUuid", "ecuSerial", "namespaceId", "correlationId", "targetFilename", "targetSha256",
      "targetLength", "targetUri", "targetCustom", "inFlight", "createdAt")
    SELECT a."deviceUuid", a."ecuSerial", ${namespaceId}, a."correlationId", a.filename, a.sha256, a.length, a.uri,
      nullif(a.custom, 'null'::jsonb), a."inFlight", a."createdAt"
    FROM jsonb_to_recordset(${JSON.stringify(rows)}::jsonb) AS a("deviceUuid" uuid, "ecuSerial" text, "correlationId" text,
      filename text, sha256 text, length bigint, uri text, custom jsonb, "inFlight" boolean, "createdAt" timestamptz)`;
}

export type ProcessedAssignment = {
  readonly assignment: AssignmentRow;
  readonly successful: boolean;
  readonly canceled: boolean;
  /** The code it ended with; `CANCELLED_BY_PERSON` when a person took it back. */
  readonly result: string;
};

export const CANCELLED_BY_PERSON = "cancelled";

/** Moves assignments from the open to the processed ones. */
export async function closeAssignments(
  tx: Tx,
  of: { namespaceId: string; at: Date },
  processed: readonly ProcessedAssignment[],
): Promise<void> {
  if (processed.length === 0) return;
  const rows = JSON.stringify(processed.map(({ assignment, ...end }) => ({ ...assignment, ...end, id: randomUUID() })));
  await tx.$executeRaw`
    WITH ended AS (
      SELECT * FROM jsonb_to_recordset(${rows}::jsonb) AS p(id uuid, "deviceUuid" uuid, "ecuSerial" text, "correlationId" text,
        filename text, sha256 text, length bigint, successful boolean, canceled boolean, result text, "createdAt" timestamptz)
    ), removed AS (
      DELETE FROM director_assignment AS a USING ended
      WHERE a."deviceUuid" = ended."deviceUuid" AND a."ecuSerial" = ended."ecuSerial"
    )
    INSERT INTO director_processed_assignment (id, "deviceUuid", "ecuSerial", "namespaceId", "correlationId", "targetFilename",
      "targetSha256", "targetLength", successful, canceled, result, "createdAt", "processedAt")
    SELECT id, "deviceUuid", "ecuSerial", ${of.namespaceId}, "correlationId", filename, sha256, length, successful, canceled,
      result, "createdAt", ${of.at} FROM ended`;
}

export type PastAssignment = {
  readonly ecuSerial: string;
  readonly filename: string;
  readonly sha256: string;
  readonly result: string | null;
};

/** The ended assignments of one correlation id, the latest of each ECU. */
export async function listPast(
  db: DbOrTx,
  of: { namespaceId: string; deviceUuid: string; correlationId: string },
): Promise<PastAssignment[]> {
  return db.$queryRaw<PastAssignment[]>`
    SELECT DISTINCT ON ("ecuSerial") "ecuSerial", "targetFilename" AS filename, "targetSha256" AS sha256, result
    FROM director_processed_assignment
    WHERE "namespaceId" = ${of.namespaceId} AND "deviceUuid" = ${of.deviceUuid}::uuid AND "correlationId" = ${of.correlationId}
    ORDER BY "ecuSerial", "processedAt" DESC`;
}

export type EndedAssignment = {
  readonly ecuSerial: string;
  readonly correlationId: string;
  readonly successful: boolean;
  readonly canceled: boolean;
  readonly result: string | null;
};

/** The ended assignments of a device, the latest of each ECU and correlation id, among its last fifty. */
export async function listEnded(
  db: DbOrTx,
  of: { namespaceId: string; deviceUuid: string },
): Promise<EndedAssignment[]> {
  return db.$queryRaw<EndedAssignment[]>`
    SELECT DISTINCT ON ("correlationId", "ecuSerial") "ecuSerial", "correlationId", successful, canceled, result
    FROM (
      SELECT * FROM director_processed_assignment
      WHERE "namespaceId" = ${of.namespaceId} AND "deviceUuid" = ${of.deviceUuid}::uuid
      ORDER BY "processedAt" DESC LIMIT 50
    ) AS latest
    ORDER BY "correlationId", "ecuSerial", "processedAt" DESC`;
}

/** A cancelled assignment was reported on after all: another report on it is a repeat. */
export async function concludePast(
  tx: Tx,
  of: { namespaceId: string; deviceUuid: string; correlationId: string },
  result: string,
): Promise<void> {
  await tx.directorProcessedAssignment.updateMany({
    where: { ...of, result: CANCELLED_BY_PERSON },
    data: { result },
  });
}

/** The device has fetched metadata that lists them. @returns the correlation ids that were not known to be there before */
export async function markInFlight(tx: Tx, deviceUuid: string): Promise<string[]> {
  const rows = await tx.$queryRaw<{ correlationId: string }[]>`
    UPDATE director_assignment SET "inFlight" = true WHERE "deviceUuid" = ${deviceUuid}::uuid AND NOT "inFlight"
    RETURNING "correlationId"`;
  return [...new Set(rows.map(({ correlationId }) => correlationId))];
}

/** Those that become outdated by new or withdrawn assignments, one statement for many devices. */
export async function flagChanged(
  tx: Tx,
  changes: readonly { uuid: string; withdrawnCorrelationId?: string | null; mayStillInstall?: boolean }[],
): Promise<void> {
  if (changes.length === 0) return;
  await tx.$executeRaw`
    UPDATE director_device AS d SET "metadataOutdated" = true,
      "withdrawnCorrelationId" = coalesce(c."withdrawnCorrelationId", d."withdrawnCorrelationId"),
      "mayStillInstall" = coalesce(c."mayStillInstall", d."mayStillInstall")
    FROM jsonb_to_recordset(${JSON.stringify(changes)}::jsonb)
      AS c(uuid uuid, "withdrawnCorrelationId" text, "mayStillInstall" boolean)
    WHERE d.uuid = c.uuid`;
}
