import type { FastifyInstance } from "fastify";
import { RegisterEcus } from "#lib/contracts/ota/director.ts";
import { AppError } from "#lib/errors/app-error.ts";
import { parseEntity } from "#lib/http/ota-parse.ts";
import { noteSeen } from "./announce.ts";
import { receiveManifest } from "./manifest.ts";
import { getDeviceRole } from "./metadata.ts";
import { registerEcus } from "./registration.ts";
import { findRootVersion, getRoot } from "./repository.ts";
import { requireRepo, sendSigned, uuidParam, versionParam } from "./request.ts";
import { registerDeviceRoleRoutes } from "./routes-roles.ts";

/** What devices call, with the id that the gateway took from their certificate. @see docs/contracts/director.md section 4 */
export async function registerDeviceRoutes(app: FastifyInstance): Promise<void> {
  app.addHook("preHandler", requireRepo);
  await app.register(registerDeviceRoleRoutes);
  app.post("/ecus", async (req, reply) => {
    const deviceUuid = uuidParam(req, "deviceId");
    const outcome = await registerEcus(req.ctx, deviceUuid, parseEntity(RegisterEcus, req.body));
    return reply.code(outcome === "created" ? 201 : 200).send({});
  });
  app.put("/manifest", async (req, reply) => {
    const deviceUuid = uuidParam(req, "deviceId");
    if (req.rawBody === null) throw new AppError("ota.signature_not_valid", "A manifest is needed.");
    await receiveManifest(req.ctx, deviceUuid, req.rawBody);
    return reply.code(200).send();
  });
  app.get("/root.json", async (req, reply) => {
    const deviceUuid = uuidParam(req, "deviceId");
    const bytes = await getRoot(req.ctx);
    await noteSeen(req.ctx, deviceUuid);
    return sendSigned(reply, bytes);
  });
  app.get("/:version(^\\d+).root.json", async (req, reply) => {
    const deviceUuid = uuidParam(req, "deviceId");
    const bytes = await findRootVersion(req.ctx, versionParam(req));
    await noteSeen(req.ctx, deviceUuid);
    // 404 is how a device's walk along the roots ends; the original's 424 would do, but looks like trouble.
    if (bytes === null) throw new AppError("ota.root_role_not_found", "There is no such root version.");
    return sendSigned(reply, bytes);
  });
  for (const role of ["targets", "snapshot", "timestamp"] as const) {
    app.get(`/${role}.json`, async (req, reply) =>
      sendSigned(reply, await getDeviceRole(req.ctx, uuidParam(req, "deviceId"), role)),
    );
  }
}
