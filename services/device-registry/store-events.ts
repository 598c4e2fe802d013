import type { DbOrTx, Tx } from "#lib/db/client.ts";

const EVENTS_KEPT = 10_000;
const QUARANTINED_KEPT = 200;
const EVENTS_SHOWN = 1_000;

export type NewEvent = {
  eventId: string;
  eventType: string;
  eventVersion: number;
  deviceTime: Date;
  indexedType: string | null;
  correlationId: string | null;
  ecu: string | null;
  success: boolean;
  /** JSON as the device meant it: escapes keep what PostgreSQL's own JSON refuses. */
  payload: Buffer;
};

/** The same id again overwrites. @returns the ids that were not there before */
export async function upsertEvents(
  tx: Tx,
  of: { deviceUuid: string; at: Date },
  events: readonly NewEvent[],
): Promise<Set<string>> {
  if (events.length === 0) return new Set();
  const rows = events.map(({ payload, success: _, ...row }) => ({ ...row, payload: payload.toString("base64") }));
  const stored = await tx.$queryRaw<{ eventId: string; isNew: boolean }[]>`
    INSERT INTO registry_event ("deviceUuid", "eventId", "eventType", "eventVersion", "deviceTime", "receivedAt", "indexedType",
      "correlationId", ecu, payload)
    SELECT ${of.deviceUuid}::uuid, e."eventId", e."eventType", e."eventVersion", e."deviceTime", ${of.at}::timestamptz,
      e."indexedType", e."correlationId", e.ecu, decode(e.payload, 'base64')
    FROM jsonb_to_recordset(${JSON.stringify(rows)}::jsonb) AS e("eventId" text, "eventType" text, "eventVersion" int,
      "deviceTime" timestamptz, "indexedType" text, "correlationId" text, ecu text, payload text)
    ON CONFLICT ("deviceUuid", "eventId") DO UPDATE SET "eventType" = excluded."eventType",
      "eventVersion" = excluded."eventVersion", "deviceTime" = excluded."deviceTime", "receivedAt" = excluded."receivedAt",
      "indexedType" = excluded."indexedType", "correlationId" = excluded."correlationId", ecu = excluded.ecu,
      payload = excluded.payload
    RETURNING "eventId", (xmax = 0) AS "isNew"`;
  const fresh = new Set(stored.filter(({ isNew }) => isNew).map(({ eventId }) => eventId));
  if (fresh.size > 0) await dropOldest(tx, of.deviceUuid);
  return fresh;
}

async function dropOldest(tx: Tx, deviceUuid: string): Promise<void> {
  await tx.$executeRaw`
    DELETE FROM registry_event WHERE "deviceUuid" = ${deviceUuid}::uuid AND "receivedAt" < (
      SELECT "receivedAt" FROM registry_event WHERE "deviceUuid" = ${deviceUuid}::uuid
      ORDER BY "receivedAt" DESC OFFSET ${EVENTS_KEPT - 1} LIMIT 1)`;
}

export async function insertQuarantined(
  tx: Tx,
  of: { deviceUuid: string; at: Date },
  events: readonly { id: string; reason: string; body: Buffer }[],
): Promise<void> {
  if (events.length === 0) return;
  await tx.registryQuarantinedEvent.createMany({
    data: events.map(({ id, reason, body }) => ({
      id,
      reason,
      body: Uint8Array.from(body),
      deviceUuid: of.deviceUuid,
      receivedAt: of.at,
    })),
  });
  await tx.$executeRaw`
    DELETE FROM registry_quarantined_event WHERE "deviceUuid" = ${of.deviceUuid}::uuid AND id NOT IN (
      SELECT id FROM registry_quarantined_event WHERE "deviceUuid" = ${of.deviceUuid}::uuid
      ORDER BY "receivedAt" DESC, id LIMIT ${QUARANTINED_KEPT})`;
}

export type StoredEvent = {
  eventId: string;
  eventType: string;
  eventVersion: number;
  deviceTime: Date;
  receivedAt: Date;
  indexedType: string | null;
  correlationId: string | null;
  ecu: string | null;
  payload: Uint8Array;
};

/** With a correlation id the indexed events of it, by the device's time; else the latest of the journal. */
export async function listEvents(
  db: DbOrTx,
  deviceUuid: string,
  filter: { correlationId?: string | undefined; types: readonly string[] },
): Promise<StoredEvent[]> {
  const { correlationId, types } = filter;
  return db.registryEvent.findMany({
    where: {
      deviceUuid,
      ...(correlationId === undefined ? {} : { correlationId, indexedType: { not: null } }),
      ...(types.length === 0 ? {} : { eventType: { in: [...types] } }),
    },
    orderBy: correlationId === undefined ? [{ receivedAt: "desc" }, { eventId: "asc" }] : [{ deviceTime: "desc" }],
    take: EVENTS_SHOWN,
    omit: { deviceUuid: true },
  });
}
