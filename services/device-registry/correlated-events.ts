import { otaInstant } from "#lib/contracts/ota/common.ts";
import type { DbOrTx } from "#lib/db/client.ts";
import { listEvents } from "./store-events.ts";

/** @see contracts/director.md section 7, "events" */
export type CorrelatedEvent = {
  deviceId: string;
  eventType: { id: string; version: number };
  deviceTime: string;
  receivedAt: string;
  success: boolean | null;
  ecu: string | null;
};

/** What the device's journal says of one correlation id, latest first. The caller has seen to it that the device is the namespace's. */
export async function listCorrelatedEvents(
  db: DbOrTx,
  of: { deviceUuid: string; correlationId: string },
): Promise<CorrelatedEvent[]> {
  const events = await listEvents(db, of.deviceUuid, { correlationId: of.correlationId, types: [] });
  return events.map(({ eventType, eventVersion, deviceTime, receivedAt, ecu, payload }) => ({
    deviceId: of.deviceUuid,
    eventType: { id: eventType, version: eventVersion },
    deviceTime: otaInstant(deviceTime),
    receivedAt: otaInstant(receivedAt),
    success: successOf(payload),
    ecu,
  }));
}

function successOf(payload: Uint8Array): boolean | null {
  const said: unknown = JSON.parse(Buffer.from(payload).toString("utf8"));
  if (typeof said !== "object" || said === null || !("success" in said)) return null;
  return typeof said.success === "boolean" ? said.success : null;
}
