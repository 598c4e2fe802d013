import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { z } from "zod";
import { otaInstant } from "#lib/contracts/ota/common.ts";
import { EVENTS_BODY_MAX_BYTES, type JournalEvent } from "#lib/contracts/ota/device-registry.ts";
import { AppError, isAppError } from "#lib/errors/app-error.ts";
import { parseEntity } from "#lib/http/ota-parse.ts";
import { acceptEvents } from "./events.ts";
import { openDevice } from "./request.ts";
import { listEvents, type StoredEvent } from "./store-events.ts";

/** A device's journal. @see contracts/device-registry.md section 3 and aktualizr-client.md section 8 */
export function registerEventRoutes(app: FastifyInstance): void {
  app.register(async (scope) => {
    scope.removeContentTypeParser("application/json");
    scope.addContentTypeParser(
      "application/json",
      { parseAs: "buffer", bodyLimit: EVENTS_BODY_MAX_BYTES },
      async (_req: FastifyRequest, body: Buffer) => parseLeniently(body),
    );
    // Before the general handler: this client reads nothing but the status, and halves its batch upon 413.
    scope.setErrorHandler((error, _req, reply) => {
      if (isTooLarge(error)) return reply.code(413).header("content-length", "0").send();
      throw error;
    });
    scope.post("/devices/:uuid/events", async (req, reply) => {
      const device = await openDevice(req, reply);
      if (device === null) return reply;
      await acceptEvents(req.ctx, device.uuid, req.body);
      return reply.code(204).send();
    });
  });
  app.get("/devices/:uuid/events", async (req, reply) => {
    const device = await openDevice(req, reply);
    if (device === null) return reply;
    const { correlationId, eventTypes } = parseEntity(EventQuery, req.query);
    const types = (eventTypes ?? "").split(",").filter((type) => type !== "");
    const events = await listEvents(req.ctx.db, device.uuid, { correlationId, types });
    return sendEvents(
      reply,
      events.map((event) => toJournal(device.uuid, event)),
    );
  });
}

/** The same journal as [A] gives it below `/api/v2`: indexed events only. */
export function registerIndexedEventRoutes(app: FastifyInstance): void {
  app.get("/devices/:uuid/events", async (req, reply) => {
    const device = await openDevice(req, reply);
    if (device === null) return reply;
    const { updateId } = parseEntity(EventQuery, req.query);
    const events = await listEvents(req.ctx.db, device.uuid, { correlationId: updateId, types: [] });
    const indexed = events.filter(({ indexedType }) => indexedType !== null);
    return {
      deviceUuid: device.uuid,
      events: indexed.map((event) => ({
        ecuId: event.ecu,
        updateId: event.correlationId,
        name: event.indexedType,
        receivedTime: otaInstant(event.receivedAt),
        deviceTime: otaInstant(event.deviceTime),
      })),
    };
  });
}

const Filter = z
  .string()
  .max(1_000)
  .refine((text) => !text.includes("\0"), "must not contain NUL")
  .optional();
const EventQuery = z.object({ correlationId: Filter, updateId: Filter, eventTypes: Filter });

/** Bytes that are no UTF-8 become U+FFFD: an event with a strange name in it must not hold back the others. */
function parseLeniently(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString("utf8"));
  } catch (cause) {
    throw new AppError("ota.malformed_body", "The request content was malformed: a JSON array of events is expected.", {
      cause,
    });
  }
}

function isTooLarge(error: unknown): boolean {
  if (isAppError(error, "ota.payload_too_large")) return true;
  return error instanceof Error && "statusCode" in error && error.statusCode === 413;
}

function toJournal(deviceUuid: string, event: StoredEvent): JournalEvent {
  return {
    deviceUuid,
    eventId: event.eventId,
    eventType: { id: event.eventType, version: event.eventVersion },
    deviceTime: otaInstant(event.deviceTime),
    receivedAt: otaInstant(event.receivedAt),
    ecu: event.ecu,
    payload: JSON.parse(Buffer.from(event.payload).toString("utf8")),
  };
}

function sendEvents(reply: FastifyReply, events: JournalEvent[]): FastifyReply {
  return reply.type("application/json").send(JSON.stringify(events));
}
