import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import {
  DeviceList,
  NetworkInfo,
  Observation,
  Observations,
  SYSTEM_INFO_MAX_BYTES,
} from "#lib/contracts/ota/device-registry.ts";
import { AppError } from "#lib/errors/app-error.ts";
import { parseEntity } from "#lib/http/ota-parse.ts";
import { parseJsonBounded } from "#lib/uptane/json.ts";
import { type Generation, openDevice, withDevice } from "./request.ts";
import * as store from "./store-info.ts";
import { isClientConfig, numberObjects } from "./system-info.ts";

const CONFIG_MAX_BYTES = 262_144;
const STORED_LIMITS = { maxBytes: SYSTEM_INFO_MAX_BYTES, maxDepth: 64, maxNodes: 250_000 };

/** What a device tells of itself: hardware, network, observations. @see contracts/device-registry.md sections 2 and 4 */
export function registerInfoRoutes(app: FastifyInstance, generation: Generation): void {
  registerSystemInfoRoutes(app);
  registerConfigRoute(app);
  registerNetworkRoutes(app, generation);
  registerMonitoringRoutes(app, generation);
}

function registerNetworkRoutes(app: FastifyInstance, generation: Generation): void {
  app.get("/devices/:uuid/system_info/network", async (req, reply) => {
    const device = await openDevice(req, reply);
    if (device === null) return reply;
    const known = (await store.readNetworks(req.ctx.db, [device.uuid])).get(device.uuid);
    if (generation === "B") return toNetwork(device.uuid, known);
    return known ?? { local_ipv4: "", mac: "", hostname: "" };
  });
  app.put("/devices/:uuid/system_info/network", async (req, reply) => {
    const device = await openDevice(req, reply);
    if (device === null) return reply;
    const network = parseEntity(NetworkInfo, req.body);
    await withDevice(req, device.uuid, (tx) =>
      store.upsertNetwork(tx, device.uuid, { ...network, at: req.ctx.clock() }),
    );
    return reply.code(204).send();
  });
  if (generation === "A") return;
  app.post("/devices/list-network-info", async (req) => {
    const asked = parseEntity(DeviceList, req.body);
    const { db, namespaceId } = req.ctx;
    const [own, networks] = await Promise.all([store.keepKnown(db, namespaceId, asked), store.readNetworks(db, asked)]);
    return asked.map((uuid) => toNetwork(uuid, own.has(uuid) ? networks.get(uuid) : undefined));
  });
}

/** As [B] says it: null for what is not known. */
function toNetwork(deviceUuid: string, known: NetworkInfo | undefined) {
  const { local_ipv4 = "", mac = "", hostname = "" } = known ?? {};
  return { deviceUuid, local_ipv4: local_ipv4 || null, mac: mac || null, hostname: hostname || null };
}

/** Observations are checked and acknowledged. The original hands them to its message bus; nobody listens here, so they end here. */
function registerMonitoringRoutes(app: FastifyInstance, generation: Generation): void {
  app.post("/devices/:uuid/monitoring", async (req, reply) => {
    const device = await openDevice(req, reply);
    if (device === null) return reply;
    parseEntity(Observation, req.body);
    return reply.code(204).send();
  });
  if (generation === "A") return;
  app.post("/devices/:uuid/monitoring/fluentbit-metrics", async (req, reply) => {
    const device = await openDevice(req, reply);
    if (device === null) return reply;
    const outcomes = parseEntity(Observations, req.body).map((given) => {
      const { success } = Observation.safeParse(given);
      return { publishedSuccessfully: success, msg: success ? "" : "date must be a number" };
    });
    const accepted = outcomes.every(({ publishedSuccessfully }) => publishedSuccessfully);
    return accepted ? reply.code(204).send() : reply.code(416).send(outcomes);
  });
}

function registerConfigRoute(app: FastifyInstance): void {
  app.register(async (scope) => {
    scope.addContentTypeParser(
      "application/toml",
      { parseAs: "string", bodyLimit: CONFIG_MAX_BYTES },
      async (_req: FastifyRequest, body: string) => body,
    );
    // It holds paths and may hold passwords, and nobody reads it here: looked at, and dropped.
    scope.post("/devices/:uuid/system_info/config", async (req, reply) => {
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
  app.put("/devices/:uuid/system_info", options, put);
  app.put("/mydevice/:uuid/system_info", options, put);
  app.post("/devices/:uuid/system_info", options, async (req, reply) => {
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
  app.get("/devices/:uuid/system_info", async (req, reply) => {
    const device = await openDevice(req, reply);
    if (device === null) return reply;
    const stored = await store.findSystemInfo(req.ctx.db, device.uuid);
    const info = stored === null ? "{}" : JSON.stringify(numberObjects(parseJsonBounded(stored, STORED_LIMITS)));
    return reply.type("application/json").send(info);
  });
}

function bytesOf(req: FastifyRequest): Buffer {
  if (req.rawBody === null || req.rawBody.length === 0)
    throw new AppError("ota.malformed_body", "The request content was malformed: JSON expected.");
  return req.rawBody;
}
