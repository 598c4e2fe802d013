import type { DbOrTx } from "#lib/db/client.ts";
import { storableText } from "#lib/domain/storable-text.ts";

export type DeviceCounts = {
  recent: number;
  hibernated: number;
  offline: number;
  updatePending: number;
  /** The contract's own spelling. */
  updateInProgess: number;
  updateFailed: number;
  updateScheduled: number;
};

/** @see contracts/device-registry.md section 2, `GET /devices/count` of [B] */
export async function countDevices(
  db: DbOrTx,
  of: { namespaceId: string; recentSince: Date; offlineSince: Date },
): Promise<DeviceCounts> {
  const [counts] = await db.$queryRaw<DeviceCounts[]>`
    SELECT count(*) FILTER (WHERE "createdAt" >= ${of.recentSince}::timestamptz)::int AS recent,
      count(*) FILTER (WHERE hibernated)::int AS hibernated,
      count(*) FILTER (WHERE "lastSeen" < ${of.offlineSince}::timestamptz)::int AS offline,
      count(*) FILTER (WHERE status = 'UpdatePending')::int AS "updatePending",
      count(*) FILTER (WHERE status = 'Outdated')::int AS "updateInProgess",
      count(*) FILTER (WHERE status = 'Error')::int AS "updateFailed",
      count(*) FILTER (WHERE status = 'UpdateScheduled')::int AS "updateScheduled"
    FROM registry_device WHERE "namespaceId" = ${of.namespaceId}`;
  if (counts === undefined) throw new Error("an aggregate without a row");
  return counts;
}

/** Devices with start <= activatedAt < end. */
export async function countActivated(
  db: DbOrTx,
  namespaceId: string,
  { start, end }: { start: Date; end: Date },
): Promise<number> {
  return db.registryDevice.count({ where: { namespaceId, activatedAt: { gte: start, lt: end } } });
}

export type ResultCount = { code: string; success: boolean; total: number };

/** How an update ended: by devices, or by each ECU's latest result. */
export async function countResults(
  db: DbOrTx,
  namespaceId: string,
  of: { correlationId: string; level: "device" | "ecu" },
): Promise<ResultCount[]> {
  const correlationId = storableText(of.correlationId);
  return of.level === "device"
    ? db.$queryRaw<ResultCount[]>`
        SELECT "resultCode" AS code, success, count(*)::int AS total FROM registry_installation_report
        WHERE "namespaceId" = ${namespaceId} AND "correlationId" = ${correlationId}
        GROUP BY "resultCode", success ORDER BY "resultCode", success`
    : db.$queryRaw<ResultCount[]>`
        SELECT "resultCode" AS code, success, count(*)::int AS total FROM registry_ecu_result
        WHERE "namespaceId" = ${namespaceId} AND "correlationId" = ${correlationId}
        GROUP BY "resultCode", success ORDER BY "resultCode", success`;
}
