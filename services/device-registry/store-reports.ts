import { randomUUID } from "node:crypto";
import { otaInstant } from "#lib/contracts/ota/common.ts";
import type { InstallationReport } from "#lib/contracts/ota/device-registry.ts";
import type { DbOrTx, Tx } from "#lib/db/client.ts";
import { storableText } from "#lib/domain/storable-text.ts";
import type { EcuReplacement } from "./service.ts";

export type NewReport = Omit<InstallationReport, "eventTime"> & { at: Date };

/** @returns "device correlation" of those events whose successful report is already here */
export async function listSuccessful(
  tx: Tx,
  events: readonly { deviceUuid: string; correlationId: string }[],
): Promise<Set<string>> {
  const pairs = events.map(({ deviceUuid, correlationId }) => ({
    deviceUuid,
    correlationId: storableText(correlationId),
  }));
  const rows = await tx.$queryRaw<{ key: string }[]>`
    SELECT DISTINCT r."deviceUuid" || ' ' || r."correlationId" AS key
    FROM jsonb_to_recordset(${JSON.stringify(pairs)}::jsonb) AS p("deviceUuid" uuid, "correlationId" text)
    JOIN registry_installation_report AS r ON r."deviceUuid" = p."deviceUuid" AND r."correlationId" = p."correlationId"
    WHERE r.success`;
  return new Set(rows.map(({ key }) => key));
}

/** A later report of the same device and correlation id takes the place of the earlier one. */
export async function upsertReports(tx: Tx, namespaceId: string, reports: readonly NewReport[]): Promise<void> {
  if (reports.length === 0) return;
  const rows = reports.map((report) => ({
    deviceUuid: report.deviceUuid,
    correlationId: storableText(report.correlationId),
    success: report.result.success,
    resultCode: storableText(report.result.code, 200),
    eventTime: report.at,
    body: Buffer.from(JSON.stringify(toContract(report))).toString("base64"),
  }));
  await tx.$executeRaw`
    INSERT INTO registry_installation_report ("deviceUuid", "correlationId", "namespaceId", success, "resultCode", "eventTime", report)
    SELECT r."deviceUuid", r."correlationId", ${namespaceId}, r.success, r."resultCode", r."eventTime", decode(r.body, 'base64')
    FROM jsonb_to_recordset(${JSON.stringify(rows)}::jsonb) AS r("deviceUuid" uuid, "correlationId" text, success boolean,
      "resultCode" text, "eventTime" timestamptz, body text)
    ON CONFLICT ("deviceUuid", "correlationId") DO UPDATE SET success = excluded.success, "resultCode" = excluded."resultCode",
      "eventTime" = excluded."eventTime", report = excluded.report, "receivedAt" = now()`;
  await upsertEcuResults(tx, namespaceId, reports);
}

/** Of each ECU the latest result counts. Rows go in one order, so that two transactions wait for each other instead of deadlocking. */
async function upsertEcuResults(tx: Tx, namespaceId: string, reports: readonly NewReport[]): Promise<void> {
  const results = reports.flatMap((report) =>
    Object.entries(report.ecuReports).map(([ecu, { result }]) => ({
      deviceUuid: report.deviceUuid,
      ecuSerial: storableText(ecu, 200),
      correlationId: storableText(report.correlationId),
      resultCode: storableText(result.code, 200),
      success: result.success,
    })),
  );
  const latest = new Map(results.map((result) => [`${result.deviceUuid} ${result.ecuSerial}`, result]));
  await tx.$executeRaw`
    INSERT INTO registry_ecu_result ("deviceUuid", "ecuSerial", "namespaceId", "correlationId", "resultCode", success)
    SELECT r."deviceUuid", r."ecuSerial", ${namespaceId}, r."correlationId", r."resultCode", r.success
    FROM jsonb_to_recordset(${JSON.stringify([...latest.values()])}::jsonb) AS r("deviceUuid" uuid, "ecuSerial" text,
      "correlationId" text, "resultCode" text, success boolean)
    ORDER BY 1, 2
    ON CONFLICT ("deviceUuid", "ecuSerial") DO UPDATE SET "namespaceId" = excluded."namespaceId",
      "correlationId" = excluded."correlationId", "resultCode" = excluded."resultCode", success = excluded.success`;
}

function toContract({ at, ...report }: NewReport): InstallationReport {
  return { ...report, eventTime: otaInstant(at) };
}

export async function insertReplacements(tx: Tx, replacements: readonly EcuReplacement[]): Promise<void> {
  await tx.registryEcuReplacement.createMany({
    data: replacements.map((replacement) => {
      const { success, deviceUuid, at } = replacement;
      const units = replacement.success
        ? { former: toUnit(replacement.former), current: toUnit(replacement.current) }
        : {};
      const body = { success, deviceUuid, ...units, eventTime: otaInstant(at) };
      return { id: randomUUID(), deviceUuid, success, body, eventTime: at };
    }),
  });
}

function toUnit(unit: { ecuId: string; hardwareId: string }) {
  return { ecuId: storableText(unit.ecuId), hardwareId: storableText(unit.hardwareId) };
}

type Slice = { offset: number; limit: number };

/** Reports as stored, newest first. */
export async function listReports(
  db: DbOrTx,
  deviceUuid: string,
  slice: Slice,
): Promise<{ values: unknown[]; total: number }> {
  const [rows, total] = await Promise.all([
    db.registryInstallationReport.findMany({
      where: { deviceUuid },
      orderBy: [{ eventTime: "desc" }, { correlationId: "asc" }],
      skip: slice.offset,
      take: slice.limit,
      select: { report: true },
    }),
    db.registryInstallationReport.count({ where: { deviceUuid } }),
  ]);
  return { values: rows.map(({ report }) => fromBytes(report)), total };
}

/** Reports and ECU replacements in one order, latest first. */
export async function listHistory(
  db: DbOrTx,
  deviceUuid: string,
  slice: Slice,
): Promise<{ values: unknown[]; total: number }> {
  const [rows, [counted]] = await Promise.all([
    db.$queryRaw<{ report: Uint8Array | null; body: unknown }[]>`
      SELECT report, NULL::jsonb AS body, "eventTime", "correlationId" AS tie FROM registry_installation_report
      WHERE "deviceUuid" = ${deviceUuid}::uuid
      UNION ALL
      SELECT NULL, body, "eventTime", id::text FROM registry_ecu_replacement WHERE "deviceUuid" = ${deviceUuid}::uuid
      ORDER BY "eventTime" DESC, tie OFFSET ${slice.offset} LIMIT ${slice.limit}`,
    db.$queryRaw<{ total: number }[]>`
      SELECT ((SELECT count(*) FROM registry_installation_report WHERE "deviceUuid" = ${deviceUuid}::uuid)
        + (SELECT count(*) FROM registry_ecu_replacement WHERE "deviceUuid" = ${deviceUuid}::uuid))::int AS total`,
  ]);
  return {
    values: rows.map(({ report, body }) => (report === null ? body : fromBytes(report))),
    total: counted?.total ?? 0,
  };
}

function fromBytes(bytes: Uint8Array): unknown {
  return JSON.parse(Buffer.from(bytes).toString("utf8"));
}
