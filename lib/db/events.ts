import type { DbOrTx } from "#lib/db/client.ts";

/** What changed, for pages that follow it: `subjectId` is the id of the thing, or "" for many at once. */
export type ConsoleTopic =
  | "device"
  | "certificate"
  | "refusal"
  | "image"
  | "update"
  | "account"
  | "audit"
  | "simulation"
  | "notice"
  | "key";

export const EVENTS_CHANNEL = "gatehouse_events";
export const ADMISSION_CHANNEL = "gatehouse_admission";
/** A bare `clientId`: what the tools door remembers of it is no longer true. */
export const MACHINE_CLIENT_CHANNEL = "gatehouse_machine_client";
/** What gateways tell each other of the test that header mode depends on; services/header-mode has the words. */
export const HEADER_MODE_CHANNEL = "gatehouse_header_mode";
export const SIMULATION_CHANNEL = "gatehouse_simulation";

export type ConsoleEventMessage = { id: string; ns: string; topic: ConsoleTopic; subjectId: string };

/** Tells the console's pages, when the transaction commits. Stored too, so that a page that lost its stream catches up. */
export async function publishEvent(
  tx: DbOrTx,
  namespaceId: string,
  event: { topic: ConsoleTopic; subjectId: string },
): Promise<void> {
  await tx.$executeRaw`
    WITH stored AS (
      INSERT INTO console_event ("namespaceId", topic, "subjectId") VALUES (${namespaceId}, ${event.topic}, ${event.subjectId})
      RETURNING id
    )
    SELECT pg_notify(${EVENTS_CHANNEL}, json_build_object('id', stored.id::text, 'ns', ${namespaceId}::text,
      'topic', ${event.topic}::text, 'subjectId', ${event.subjectId}::text)::text) FROM stored`;
}

/** Announces a bare message when the transaction commits; at most 7,999 bytes. */
export async function notify(tx: DbOrTx, channel: string, payload: string): Promise<void> {
  await tx.$queryRaw`SELECT 1 FROM (SELECT pg_notify(${channel}, ${payload})) AS sent`;
}
