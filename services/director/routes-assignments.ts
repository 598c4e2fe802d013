import type { FastifyInstance } from "fastify";
import { z } from "zod";
import { CorrelationId, OtaUuid } from "#lib/contracts/ota/common.ts";
import {
  type AssignmentOutcome,
  CancelAssignments,
  CreateAssignments,
  CreateMtu,
} from "#lib/contracts/ota/director.ts";
import { AppError } from "#lib/errors/app-error.ts";
import { parseEntity } from "#lib/http/ota-parse.ts";
import type { CheckImages } from "#services/verification/service.ts";
import { createAssignments, createMtu, getMtu, listAffected, listQueues } from "./assignments.ts";
import { cancelAssignments } from "./cancel.ts";
import { idsOf, isForced, requireRepo, sendJson, uuidParam } from "./request.ts";

const MAX_LISTED_DEVICES = 50;
const MAX_ASKED_DEVICES = 1_000;

const AffectedQuery = z.object({
  targetSpecId: OtaUuid.optional(),
  mtuId: OtaUuid.optional(),
  ids: z.string().max(100_000).optional(),
});
/** `list` asks for the older form of the answer, as a campaigner reads it. */
const CreateQuery = z.object({ reply: z.enum(["list", "object"]).default("object") });
const QueueQuery = z.object({ ids: z.string().max(100_000).optional() });

/** Multi-target updates and assignments. @see docs/contracts/director.md section 3 */
export async function registerAssignmentRoutes(
  app: FastifyInstance,
  { checkImages }: { checkImages: CheckImages },
): Promise<void> {
  app.post("/multi_target_updates", async (req, reply) => {
    const { targets } = parseEntity(CreateMtu, req.body);
    return sendJson(reply.code(201), await createMtu(req.ctx, targets));
  });
  app.get("/multi_target_updates/:mtuId", async (req) => {
    const targets = await getMtu(req.ctx, uuidParam(req, "mtuId"));
    return Object.fromEntries(
      Object.entries(targets).map(([hardwareId, { from, to }]) => [hardwareId, explicit(from, to)]),
    );
  });
  app.post("/assignments", async (req, reply) => {
    const request = parseEntity(CreateAssignments, req.body);
    const { reply: form } = parseEntity(CreateQuery, req.query);
    const outcome = await createAssignments({ ...req.ctx, checkImages }, request);
    if (request.dryRun === true) return sendJson(reply, [...new Set(outcome.affected)]);
    if (form === "list") return sendJson(reply.code(outcome.affected.length > 0 ? 201 : 200), outcome.affected);
    return sendJson(reply.code(statusOf(outcome)), outcome);
  });
  app.get("/assignments/devices", async (req) => {
    const query = parseEntity(AffectedQuery, req.query);
    const mtuId = query.targetSpecId ?? query.mtuId;
    if (mtuId === undefined) throw new AppError("ota.invalid_entity", "targetSpecId is needed.");
    return listAffected(req.ctx, mtuId, idsOf(query.ids, MAX_ASKED_DEVICES));
  });
  app.get("/assignments", async (req) => {
    const ids = idsOf(parseEntity(QueueQuery, req.query).ids, MAX_LISTED_DEVICES);
    return Object.fromEntries(await listQueues(req.ctx, ids));
  });
  app.get("/assignments/:deviceId", async (req) => {
    const uuid = uuidParam(req, "deviceId");
    return (await listQueues(req.ctx, [uuid])).get(uuid) ?? [];
  });
  app.patch("/assignments", async (req) => {
    const correlationId = parseEntity(CorrelationId.optional(), req.headers["x-gatehouse-correlation-id"]);
    const devices = parseEntity(CancelAssignments, req.body);
    return cancelAssignments(req.ctx, devices, { force: isForced(req), correlationId });
  });
  app.delete("/assignments/:deviceId", async (req) =>
    cancelAssignments(req.ctx, [uuidParam(req, "deviceId")], { force: isForced(req) }),
  );
  app.patch("/assignments/:deviceId", async (req, reply) => {
    await cancelAssignments(req.ctx, [uuidParam(req, "deviceId")], { force: isForced(req), allOrNothing: true });
    return reply.code(204).send();
  });
  app.put("/admin/devices/:deviceId/multi_target_update/:mtuId", { preHandler: requireRepo }, async (req, reply) => {
    const [device, mtuId] = [uuidParam(req, "deviceId"), uuidParam(req, "mtuId")];
    const correlationId = `urn:here-ota:mtu:${mtuId}`;
    const outcome = await createAssignments({ ...req.ctx, checkImages }, { correlationId, devices: [device], mtuId });
    if (outcome.affected.length > 0) return {};
    const [first] = Object.values(outcome.notAffected[device] ?? {});
    return sendJson(reply.code(400), first ?? outcome);
  });
}

function statusOf(outcome: AssignmentOutcome): number {
  if (outcome.affected.length > 0) return 201;
  return Object.keys(outcome.notAffected).length > 0 ? 400 : 200;
}

type Update = z.output<typeof CreateMtu>["targets"][string];

/** Optional fields are null, never left out. */
function explicit(from: Update["from"], to: Update["to"]): unknown {
  return {
    from: from ?? null,
    to: { ...to, uri: to.uri ?? null, userDefinedCustom: to.userDefinedCustom ?? null },
  };
}
