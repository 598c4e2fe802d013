import type { FastifyInstance } from "fastify";
import { z } from "zod";
import { OtaPageQuery } from "#lib/contracts/ota/common.ts";
import { CountInstalled, ListInstalledTargets, RegisterDevice } from "#lib/contracts/ota/director.ts";
import { AppError } from "#lib/errors/app-error.ts";
import { parseEntity } from "#lib/http/ota-parse.ts";
import { addRepo } from "#services/keyserver/service.ts";
import * as admin from "./admin.ts";
import { registerEcus } from "./registration.ts";
import { findRootVersion, getRoot } from "./repository.ts";
import { param, requireRepo, sendSigned, uuidParam, versionParam } from "./request.ts";
import { registerEcuRoutes } from "./routes-ecus.ts";
import { registerKeyRoutes } from "./routes-keys.ts";
import { registerRoleRoutes } from "./routes-roles.ts";

const DevicesQuery = OtaPageQuery.extend({ primaryHardwareId: z.string().max(200).optional() });

/** The repository, devices and ECUs. @see docs/contracts/director.md section 1 and 2 */
export async function registerAdminRoutes(app: FastifyInstance): Promise<void> {
  app.post("/repo", async (req, reply) => {
    await addRepo(req.ctx, "director");
    return reply.code(201).send({});
  });
  app.get("/devices", async (req) => {
    const { primaryHardwareId: hardwareId, ...window } = parseEntity(DevicesQuery, req.query);
    return hardwareId === undefined
      ? admin.listDevices(req.ctx, window)
      : admin.listDevicesByPrimary(req.ctx, { ...window, hardwareId });
  });
  await app.register(registerRepositoryRoutes);
}

/** All that answers 403 while the namespace has no director repository. */
async function registerRepositoryRoutes(app: FastifyInstance): Promise<void> {
  app.addHook("preHandler", requireRepo);
  await app.register(registerEcuRoutes);
  await app.register(registerRoleRoutes);
  await app.register(registerKeyRoutes);
  app.get("/repo/root.json", async (req, reply) => sendSigned(reply, await getRoot(req.ctx)));
  app.get("/repo/:version(^\\d+).root.json", async (req, reply) => {
    const bytes = await findRootVersion(req.ctx, versionParam(req));
    if (bytes === null) throw new AppError("ota.root_role_missing_upstream", "There is no such root version.");
    return sendSigned(reply, bytes);
  });
  app.post("/devices", async (req, reply) => {
    const { deviceId, ...ecus } = parseEntity(RegisterDevice, req.body);
    const outcome = await registerEcus(req.ctx, deviceId, ecus);
    return reply.code(outcome === "created" ? 201 : 200).send({});
  });
  app.get("/devices/hardware_identifiers", async (req) =>
    admin.listHardwareIds(req.ctx, parseEntity(OtaPageQuery, req.query)),
  );
  app.post("/devices/list-installed-targets", async (req) => ({
    values: await admin.listInstalledTargets(req.ctx, parseEntity(ListInstalledTargets, req.body)),
  }));
  app.get("/devices/:deviceId", async (req) => admin.getDevice(req.ctx, uuidParam(req, "deviceId")));
  app.put("/devices/:deviceId/targets.json", async (req, reply) => {
    await admin.outdateDevice(req.ctx, uuidParam(req, "deviceId"));
    return reply.code(202).send({});
  });
  app.post("/images/installed_count", async (req) =>
    admin.countInstalled(req.ctx, parseEntity(CountInstalled, req.body).filepaths),
  );
  app.get("/devices/:deviceId/gatehouse/state", async (req) => admin.getState(req.ctx, uuidParam(req, "deviceId")));
  app.delete("/devices/:deviceId/gatehouse", async (req, reply) => {
    await admin.forgetDevice(req.ctx, uuidParam(req, "deviceId"));
    return reply.code(204).send();
  });
  app.get("/devices/:deviceId/gatehouse/manifests/:sha256", async (req, reply) => {
    const of = { uuid: uuidParam(req, "deviceId"), sha256: param(req, "sha256") };
    return sendSigned(reply, await admin.getManifest(req.ctx, of));
  });
}
