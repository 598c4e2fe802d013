import type { FastifyInstance } from "fastify";
import {
  ChangeDevice,
  CreateDevice,
  ReplaceDevice,
  SearchDevices,
  SetHibernation,
} from "#lib/contracts/ota/device-registry.ts";
import { AppError } from "#lib/errors/app-error.ts";
import { parseEntity } from "#lib/http/ota-parse.ts";
import { addDevice, changeDevice, deleteDevice, type OnDelete, provisionDevice, toContract } from "./devices.ts";
import { openDevice, pageOf, sendJson, sliceOf } from "./request.ts";
import { registerEventRoutes } from "./routes-events.ts";
import { registerInfoRoutes } from "./routes-info.ts";
import { registerReportRoutes } from "./routes-reports.ts";
import * as store from "./store-devices.ts";

/**
 * The device registry's contract, below `/api/v1`.
 *
 * @param options.onDelete what other services forget with a device, in the transaction that deletes it
 * @see docs/contracts/device-registry.md
 */
export function registerDeviceRegistryRoutes(app: FastifyInstance, options: { onDelete: OnDelete }): void {
  registerDeviceRoutes(app, options.onDelete);
  registerSearchRoutes(app);
  registerInfoRoutes(app);
  registerEventRoutes(app);
  registerReportRoutes(app);
}

function registerDeviceRoutes(app: FastifyInstance, onDelete: OnDelete): void {
  app.post("/api/v1/devices", async (req, reply) => {
    const uuid = await addDevice(req.ctx, parseEntity(CreateDevice, req.body));
    return sendJson(reply.code(201).header("location", `/devices/${uuid}`), uuid);
  });
  app.put("/api/v1/devices", async (req, reply) =>
    sendJson(reply, await provisionDevice(req.ctx, parseEntity(CreateDevice, req.body))),
  );
  app.get("/api/v1/devices/:uuid", async (req, reply) => {
    const device = await openDevice(req, reply);
    return device === null ? reply : toContract(device);
  });
  app.get("/api/v1/mydevice/:uuid", async (req, reply) => {
    const device = await openDevice(req, reply);
    return device === null ? reply : toContract(device);
  });
  app.put("/api/v1/devices/:uuid", async (req, reply) => {
    const device = await openDevice(req, reply);
    if (device === null) return reply;
    const { deviceName, notes } = parseEntity(ReplaceDevice, req.body);
    await changeDevice(req.ctx, device.uuid, { deviceName, notes: notes ?? null });
    return {};
  });
  app.patch("/api/v1/devices/:uuid", async (req, reply) => {
    const device = await openDevice(req, reply);
    if (device === null) return reply;
    const { deviceName, notes } = parseEntity(ChangeDevice, req.body);
    await changeDevice(req.ctx, device.uuid, {
      ...(deviceName == null ? {} : { deviceName }),
      ...(notes == null ? {} : { notes }),
    });
    return {};
  });
  app.delete("/api/v1/devices/:uuid", async (req, reply) => {
    const device = await openDevice(req, reply);
    if (device === null) return reply;
    await deleteDevice(req.ctx, device.uuid, onDelete);
    return reply.code(202).send({});
  });
  app.post("/api/v1/devices/:uuid/hibernation", async (req, reply) => {
    const device = await openDevice(req, reply);
    if (device === null) return reply;
    await changeDevice(req.ctx, device.uuid, { hibernated: parseEntity(SetHibernation, req.body).status });
    return {};
  });
  app.get("/api/v1/devices/:uuid/public_credentials", async (req, reply) => {
    const device = await openDevice(req, reply);
    if (device === null) return reply;
    const found = await store.findCredentials(req.ctx.db, device.uuid);
    if (found === null) throw new AppError("ota.missing_entity", "Missing entity: DevicePublicCredentials");
    return { uuid: device.uuid, credentialsType: found.type, credentials: found.credentials };
  });
}

function registerSearchRoutes(app: FastifyInstance): void {
  app.get("/api/v1/devices", async (req) => {
    const slice = sliceOf(req);
    const query = parseEntity(SearchDevices, req.query);
    const input = { query, slice, now: req.ctx.clock() };
    const { rows, total } = await store.searchDevices(req.ctx.db, req.ctx.namespaceId, input);
    return pageOf(rows.map(toContract), { total, ...slice });
  });
}
