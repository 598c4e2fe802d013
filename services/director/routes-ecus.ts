import type { FastifyInstance, FastifyRequest } from "fastify";
import { z } from "zod";
import { OtaPageQuery } from "#lib/contracts/ota/common.ts";
import { parseEntity } from "#lib/http/ota-parse.ts";
import { getPublicKey, listEcusByDevice } from "./admin.ts";
import { addAutoUpdate, listAutoUpdates, removeAutoUpdate } from "./auto-updates.ts";
import { param, uuidParam } from "./request.ts";

const TargetName = z
  .string()
  .min(1)
  .max(200)
  .refine((name) => !name.includes("\0"), "must not contain NUL");

/** Single ECUs and what is to be installed on them by itself. @see docs/contracts/director.md section 2 and 6 */
export async function registerEcuRoutes(app: FastifyInstance): Promise<void> {
  app.get("/devices/ecus", async (req) => listEcusByDevice(req.ctx, parseEntity(OtaPageQuery, req.query)));
  app.get("/devices/:deviceId/ecus/:serial/public_key", async (req) => {
    const { deviceUuid, ecuSerial } = ecuOf(req);
    return getPublicKey(req.ctx, { uuid: deviceUuid, serial: ecuSerial });
  });
  app.get("/devices/:deviceId/ecus/:serial/auto_update", async (req) => listAutoUpdates(req.ctx, ecuOf(req)));
  app.put("/devices/:deviceId/ecus/:serial/auto_update/:targetName", async (req, reply) => {
    await addAutoUpdate(req.ctx, definitionOf(req));
    return reply.code(204).send();
  });
  app.delete("/devices/:deviceId/ecus/:serial/auto_update/:targetName", async (req, reply) => {
    await removeAutoUpdate(req.ctx, definitionOf(req));
    return reply.code(204).send();
  });
}

function ecuOf(req: FastifyRequest): { deviceUuid: string; ecuSerial: string } {
  return { deviceUuid: uuidParam(req, "deviceId"), ecuSerial: param(req, "serial") };
}

function definitionOf(req: FastifyRequest): { deviceUuid: string; ecuSerial: string; targetName: string } {
  return { ...ecuOf(req), targetName: parseEntity(TargetName, param(req, "targetName")) };
}
