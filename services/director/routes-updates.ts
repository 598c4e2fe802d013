import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { OtaPageQuery } from "#lib/contracts/ota/common.ts";
import { UpdateDevice, UpdateDevices } from "#lib/contracts/ota/director.ts";
import { parseEntity } from "#lib/http/ota-parse.ts";
import { listCorrelatedEvents } from "#services/device-registry/service.ts";
import type { CheckImages } from "#services/verification/service.ts";
import { isForced, requireRepo, sendJson, uuidParam } from "./request.ts";
import { correlationIdOf } from "./update-id.ts";
import {
  cancelUpdate,
  cancelUpdateOfDevice,
  getUpdateOfDevice,
  listUpdates,
  listUpdatesOfDevice,
  requireUpdateDevice,
  updateDevice,
  updateDevices,
} from "./updates.ts";

/** Updates of the newer generation. @see docs/contracts/director.md section 7 */
export async function registerUpdateRoutes(
  app: FastifyInstance,
  { checkImages }: { checkImages: CheckImages },
): Promise<void> {
  app.addHook("preHandler", requireRepo);
  app.get("/", async (req) => {
    const window = parseEntity(OtaPageQuery, req.query);
    return { ...(await listUpdates(req.ctx, window)), ...window };
  });
  app.patch("/:updateId", async (req, reply) => {
    await cancelUpdate(req.ctx, uuidParam(req, "updateId"));
    return reply.code(204).send();
  });
  app.post("/devices", async (req) => updateDevices({ ...req.ctx, checkImages }, parseEntity(UpdateDevices, req.body)));
  app.get("/devices/:deviceId", async (req) => {
    const window = parseEntity(OtaPageQuery, req.query);
    return { ...(await listUpdatesOfDevice(req.ctx, uuidParam(req, "deviceId"), window)), ...window };
  });
  app.post("/devices/:deviceId", async (req, reply) => {
    const { targets, scheduledFor } = parseEntity(UpdateDevice, req.body);
    const request = { targets, scheduledFor: scheduledFor ?? null };
    return sendJson(reply, await updateDevice({ ...req.ctx, checkImages }, uuidParam(req, "deviceId"), request));
  });
  app.get("/devices/:deviceId/:updateId", async (req) => getUpdateOfDevice(req.ctx, idsOfPath(req)));
  app.patch("/devices/:deviceId/:updateId", async (req, reply) => {
    await cancelUpdateOfDevice(req.ctx, { ...idsOfPath(req), force: isForced(req) });
    return reply.code(204).send();
  });
  app.get("/devices/:deviceId/:updateId/events", async (req, reply) => sendEvents(req, reply));
}

async function sendEvents(req: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
  const { deviceUuid, updateId } = await requireUpdateDevice(req.ctx, idsOfPath(req));
  return sendJson(
    reply,
    await listCorrelatedEvents(req.ctx.db, { deviceUuid, correlationId: correlationIdOf(updateId) }),
  );
}

function idsOfPath(req: FastifyRequest): { deviceUuid: string; updateId: string } {
  return { deviceUuid: uuidParam(req, "deviceId"), updateId: uuidParam(req, "updateId") };
}
