import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { z } from "zod";
import {
  ActiveBetween,
  CountDevices,
  DevicesByIds,
  InstallationStatsQuery,
  SearchDevices,
} from "#lib/contracts/ota/device-search.ts";
import { AppError } from "#lib/errors/app-error.ts";
import { parseEntity } from "#lib/http/ota-parse.ts";
import type { JsonObject } from "#lib/uptane/json.ts";
import { toContract } from "./devices.ts";
import { countMatching } from "./groups.ts";
import { type Generation, hasParameters, openDevice, pageOf, readLookupBody, sendJson, sliceOf } from "./request.ts";
import { countActivated, countDevices, countResults } from "./store-counts.ts";
import type { RegistryRow } from "./store-devices.ts";
import { findDevices, searchDevices } from "./store-search.ts";
import { listTagsOf } from "./store-tags.ts";

/** Devices searched, looked up and counted. @see contracts/device-registry.md sections 2 and 2.1 */
export function registerSearchRoutes(app: FastifyInstance, generation: Generation): void {
  app.get("/devices", async (req, reply) => {
    const body = await readLookupBody(req, reply);
    return body === null ? search(req) : lookUp(req, body, generation);
  });
  const countByExpression = async (req: FastifyRequest, reply: FastifyReply) => {
    if (!hasParameters(req, reply, ["expression"])) return reply;
    const { expression } = parseEntity(z.object({ expression: z.string() }), req.query);
    return sendJson(reply, await countMatching(req.ctx, expression));
  };
  if (generation === "A") app.get("/devices/count", countByExpression);
  else {
    app.get("/devices/dynamic-group-count", countByExpression);
    app.get("/devices/count", async (req) => {
      const { recentSinceSecs, offlineSinceSecs } = parseEntity(CountDevices, req.query);
      const now = req.ctx.clock().getTime();
      return countDevices(req.ctx.db, {
        namespaceId: req.ctx.namespaceId,
        recentSince: new Date(now - recentSinceSecs * 1_000),
        offlineSince: new Date(now - offlineSinceSecs * 1_000),
      });
    });
  }
  app.get("/devices/stats", async (req, reply) => {
    if (!hasParameters(req, reply, ["correlationId"])) return reply;
    const { correlationId, reportLevel: level } = parseEntity(InstallationStatsQuery, req.query);
    const counts = await countResults(req.ctx.db, req.ctx.namespaceId, { correlationId, level });
    return counts.map(({ code, total, success }) => ({ resultCode: { value: code }, total, success }));
  });
  app.get("/active_device_count", answerActivated);
  // The contract has it here too, where the device does not matter.
  app.get("/devices/:uuid/active_device_count", async (req, reply) => {
    const device = await openDevice(req, reply);
    return device === null ? reply : answerActivated(req, reply);
  });
}

async function search(req: FastifyRequest) {
  const slice = sliceOf(req);
  const query = parseEntity(SearchDevices, req.query);
  const { db, namespaceId } = req.ctx;
  const { rows, total } = await searchDevices(db, namespaceId, { query, slice, now: req.ctx.clock() });
  const tags = await listTagsOf(
    db,
    rows.map(({ uuid }) => uuid),
  );
  const devices = rows.map((row) => toContract(row, Object.fromEntries(tags.get(row.uuid) ?? [])));
  return pageOf(devices, { total, ...slice });
}

/** [A] refuses when any id is unknown and says which; [B] leaves them out. */
async function lookUp(req: FastifyRequest, body: JsonObject, generation: Generation) {
  const ids = parseEntity(DevicesByIds, body);
  const rows = await findDevices(req.ctx.db, req.ctx.namespaceId, ids);
  if (generation === "A") assertComplete(ids, rows);
  return rows.map((row) => toContract(row));
}

function assertComplete(ids: DevicesByIds, rows: readonly RegistryRow[]): void {
  const oemIds = new Set(rows.map(({ deviceId }) => deviceId));
  const uuids = new Set(rows.map(({ uuid }) => uuid));
  const missingOemIds = ids.oemIds.filter((id) => !oemIds.has(id));
  const missingDeviceUuids = ids.deviceUuids.filter((uuid) => !uuids.has(uuid));
  if (missingOemIds.length + missingDeviceUuids.length === 0) return;
  throw new AppError("device.not_found", "Some of these devices are not there.", {
    detail: { missingOemIds: missingOemIds.join(","), missingDeviceUuids: missingDeviceUuids.join(",") },
  });
}

async function answerActivated(req: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
  if (!hasParameters(req, reply, ["start", "end"])) return reply;
  const between = parseEntity(ActiveBetween, req.query);
  return sendJson(reply, await countActivated(req.ctx.db, req.ctx.namespaceId, between));
}
