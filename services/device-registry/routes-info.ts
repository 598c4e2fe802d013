import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { z } from "zod";
import { otaInstant } from "#lib/contracts/ota/common.ts";
import {
  InstalledPackages,
  NetworkInfo,
  PACKAGES_BODY_MAX_BYTES,
  SYSTEM_INFO_MAX_BYTES,
} from "#lib/contracts/ota/device-registry.ts";
import { AppError } from "#lib/errors/app-error.ts";
import { parseEntity } from "#lib/http/ota-parse.ts";
import { parseJsonBounded } from "#lib/uptane/json.ts";
import { missingDevice } from "./devices.ts";
import { openDevice, pageOf, paramOf, sliceOf } from "./request.ts";
import { lockDevice } from "./store-devices.ts";
import * as store from "./store-info.ts";
import { isClientConfig, numberObjects } from "./system-info.ts";

const CONFIG_MAX_BYTES = 262_144;
const STORED_LIMITS = { maxBytes: SYSTEM_INFO_MAX_BYTES, maxDepth: 64, maxNodes: 250_000 };

/** What a device tells of itself: hardware, network, packages. @see contracts/device-registry.md sections 4 and 7 */
export function registerInfoRoutes(app: FastifyInstance): void {
  registerSystemInfoRoutes(app);
  registerPackageRoutes(app);
  app.get("/api/v1/devices/:uuid/system_info/network", async (req, reply) => {
    const device = await openDevice(req, reply);
    return device === null ? reply : store.readNetwork(req.ctx.db, device.uuid);
  });
  app.put("/api/v1/devices/:uuid/system_info/network", async (req, reply) => {
    const device = await openDevice(req, reply);
    if (device === null) return reply;
    const network = parseEntity(NetworkInfo, req.body);
    await withDevice(req, device.uuid, (tx) =>
      store.upsertNetwork(tx, device.uuid, { ...network, at: req.ctx.clock() }),
    );
    return reply.code(204).send();
  });
  app.register(async (scope) => {
    scope.addContentTypeParser(
      "application/toml",
      { parseAs: "string", bodyLimit: CONFIG_MAX_BYTES },
      async (_req: FastifyRequest, body: string) => body,
    );
    // It holds paths and may hold passwords, and nobody reads it here: looked at, and dropped.
    scope.post("/api/v1/devices/:uuid/system_info/config", async (req, reply) => {
      const device = await openDevice(req, reply);
      if (device === null) return reply;
      if (typeof req.body !== "string") {
        return reply
          .code(415)
          .type("text/plain; charset=utf-8")
          .send("The request's Content-Type is not supported. Expected: application/toml");
      }
      if (!isClientConfig(req.body))
        throw new AppError("ota.malformed_input", "The configuration must have the sections pacman and uptane.");
      return reply.code(204).send();
    });
  });
}

function registerSystemInfoRoutes(app: FastifyInstance): void {
  const options = { bodyLimit: SYSTEM_INFO_MAX_BYTES };
  const put = async (req: FastifyRequest, reply: FastifyReply) => {
    const device = await openDevice(req, reply);
    if (device === null) return reply;
    const body = bytesOf(req);
    await withDevice(req, device.uuid, (tx) => store.upsertSystemInfo(tx, device.uuid, { body, at: req.ctx.clock() }));
    return {};
  };
  app.put("/api/v1/devices/:uuid/system_info", options, put);
  app.put("/api/v1/mydevice/:uuid/system_info", options, put);
  app.post("/api/v1/devices/:uuid/system_info", options, async (req, reply) => {
    const device = await openDevice(req, reply);
    if (device === null) return reply;
    const body = bytesOf(req);
    await withDevice(req, device.uuid, async (tx) => {
      if ((await store.findSystemInfo(tx, device.uuid)) !== null)
        throw new AppError("ota.conflicting_entity", "Entity already exists: SystemInfo");
      await store.upsertSystemInfo(tx, device.uuid, { body, at: req.ctx.clock() });
    });
    return reply.code(201).send({});
  });
  app.get("/api/v1/devices/:uuid/system_info", async (req, reply) => {
    const device = await openDevice(req, reply);
    if (device === null) return reply;
    const stored = await store.findSystemInfo(req.ctx.db, device.uuid);
    const info = stored === null ? "{}" : JSON.stringify(numberObjects(parseJsonBounded(stored, STORED_LIMITS)));
    return reply.type("application/json").send(info);
  });
}

function registerPackageRoutes(app: FastifyInstance): void {
  app.put("/api/v1/mydevice/:uuid/packages", { bodyLimit: PACKAGES_BODY_MAX_BYTES }, async (req, reply) => {
    const device = await openDevice(req, reply);
    if (device === null) return reply;
    const packages = parseEntity(InstalledPackages, req.body);
    const of = { namespaceId: req.ctx.namespaceId, deviceUuid: device.uuid, at: req.ctx.clock() };
    await withDevice(req, device.uuid, (tx) => store.replacePackages(tx, of, packages));
    return reply.code(204).send();
  });
  app.get("/api/v1/devices/:uuid/packages", async (req, reply) => {
    const device = await openDevice(req, reply);
    if (device === null) return reply;
    const slice = sliceOf(req);
    const { nameContains } = parseEntity(z.object({ nameContains: z.string().max(200).optional() }), req.query);
    const { values, total } = await store.listDevicePackages(
      req.ctx.db,
      { deviceUuid: device.uuid, nameContains },
      slice,
    );
    const packages = values.map(({ name, version, lastModified }) => ({
      device: device.uuid,
      packageId: { name, version },
      lastModified: otaInstant(lastModified),
    }));
    return pageOf(packages, { total, ...slice });
  });
  app.get("/api/v1/device_packages", async (req) => {
    const slice = sliceOf(req);
    const { values, total } = await store.listPackages(req.ctx.db, req.ctx.namespaceId, slice);
    return pageOf(values, { total, ...slice });
  });
  app.get("/api/v1/device_packages/:name", async (req) => {
    const slice = sliceOf(req);
    const of = { namespaceId: req.ctx.namespaceId, name: paramOf(req, "name") };
    const { values, total } = await store.listPackageVersions(req.ctx.db, of, slice);
    return pageOf(values, { total, ...slice });
  });
}

/** Keeps the device from being deleted meanwhile, so that nothing is stored for one that is gone. @throws AppError `device.not_found` */
async function withDevice(
  req: FastifyRequest,
  uuid: string,
  write: (tx: Parameters<typeof lockDevice>[0]) => Promise<void>,
): Promise<void> {
  await req.ctx.db.$transaction(async (tx) => {
    if (!(await lockDevice(tx, req.ctx.namespaceId, uuid))) throw missingDevice();
    await write(tx);
  });
}

function bytesOf(req: FastifyRequest): Buffer {
  if (req.rawBody === null || req.rawBody.length === 0)
    throw new AppError("ota.malformed_body", "The request content was malformed: JSON expected.");
  return req.rawBody;
}
