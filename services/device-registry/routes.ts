import type { FastifyInstance } from "fastify";
import { ChangeDevice, CreateDevice, ReplaceDevice, SetHibernation } from "#lib/contracts/ota/device-registry.ts";
import { AppError } from "#lib/errors/app-error.ts";
import { parseEntity } from "#lib/http/ota-parse.ts";
import { addDevice, changeDevice, deleteDevice, type OnDelete, provisionDevice, toContract } from "./devices.ts";
import { openDevice, sendJson } from "./request.ts";
import { registerEventRoutes, registerIndexedEventRoutes } from "./routes-events.ts";
import { registerGroupRoutes } from "./routes-groups.ts";
import { registerInfoRoutes } from "./routes-info.ts";
import { registerPackageRoutes } from "./routes-packages.ts";
import { registerReportRoutes } from "./routes-reports.ts";
import { registerSearchRoutes } from "./routes-search.ts";
import { registerTagRoutes } from "./routes-tags.ts";
import * as store from "./store-devices.ts";

/**
 * The device registry's contract, of both generations: [A] below `/api/v1` (and one route below `/api/v2`), [B] below
 * `/device-registry/api/v1`.
 *
 * @param options.onDelete what other services forget with a device, in the transaction that deletes it
 * @see docs/contracts/device-registry.md
 */
export function registerDeviceRegistryRoutes(app: FastifyInstance, options: { onDelete: OnDelete }): void {
  for (const [prefix, generation] of [
    ["/api/v1", "A"],
    ["/device-registry/api/v1", "B"],
  ] as const) {
    app.register(
      async (scope) => {
        registerDeviceRoutes(scope, options.onDelete);
        registerSearchRoutes(scope, generation);
        registerInfoRoutes(scope, generation);
        registerPackageRoutes(scope);
        registerEventRoutes(scope);
        registerReportRoutes(scope);
        registerGroupRoutes(scope, generation);
        registerTagRoutes(scope);
      },
      { prefix },
    );
  }
  app.register(async (scope) => registerIndexedEventRoutes(scope), { prefix: "/api/v2" });
}

function registerDeviceRoutes(app: FastifyInstance, onDelete: OnDelete): void {
  app.post("/devices", async (req, reply) => {
    const uuid = await addDevice(req.ctx, parseEntity(CreateDevice, req.body));
    return sendJson(reply.code(201).header("location", `/devices/${uuid}`), uuid);
  });
  app.put("/devices", async (req, reply) =>
    sendJson(reply, await provisionDevice(req.ctx, parseEntity(CreateDevice, req.body))),
  );
  app.get("/devices/:uuid", async (req, reply) => {
    const device = await openDevice(req, reply);
    return device === null ? reply : toContract(device);
  });
  app.get("/mydevice/:uuid", async (req, reply) => {
    const device = await openDevice(req, reply);
    return device === null ? reply : toContract(device);
  });
  app.put("/devices/:uuid", async (req, reply) => {
    const device = await openDevice(req, reply);
    if (device === null) return reply;
    const { deviceName, notes } = parseEntity(ReplaceDevice, req.body);
    await changeDevice(req.ctx, device.uuid, { deviceName, notes: notes ?? null });
    return {};
  });
  app.patch("/devices/:uuid", async (req, reply) => {
    const device = await openDevice(req, reply);
    if (device === null) return reply;
    const { deviceName, notes } = parseEntity(ChangeDevice, req.body);
    await changeDevice(req.ctx, device.uuid, {
      ...(deviceName == null ? {} : { deviceName }),
      ...(notes == null ? {} : { notes }),
    });
    return {};
  });
  app.delete("/devices/:uuid", async (req, reply) => {
    const device = await openDevice(req, reply);
    if (device === null) return reply;
    await deleteDevice(req.ctx, device.uuid, onDelete);
    return reply.code(202).send({});
  });
  app.post("/devices/:uuid/hibernation", async (req, reply) => {
    const device = await openDevice(req, reply);
    if (device === null) return reply;
    await changeDevice(req.ctx, device.uuid, { hibernated: parseEntity(SetHibernation, req.body).status });
    return {};
  });
  app.get("/devices/:uuid/public_credentials", async (req, reply) => {
    const device = await openDevice(req, reply);
    if (device === null) return reply;
    const found = await store.findCredentials(req.ctx.db, device.uuid);
    if (found === null) throw new AppError("ota.missing_entity", "Missing entity: DevicePublicCredentials");
    return { uuid: device.uuid, credentialsType: found.type, credentials: found.credentials };
  });
}
