import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { z } from "zod";
import {
  CreateGroup,
  GroupCountQuery,
  GroupName,
  ListGroups,
  MembershipQuery,
} from "#lib/contracts/ota/device-groups.ts";
import { SetHibernation } from "#lib/contracts/ota/device-registry.ts";
import { parseEntity } from "#lib/http/ota-parse.ts";
import { acceptForms, isForm, readFormField } from "./form-file.ts";
import * as groups from "./groups.ts";
import { type Generation, hasParameters, openDevice, openGroup, pageOf, sendJson, sliceOf } from "./request.ts";
import { type GroupRow, listGroups } from "./store-groups.ts";
import * as members from "./store-members.ts";
import { parseOemIds } from "./tag-table.ts";

const NameQuery = z.object({ groupName: GroupName });

/** Static and smart groups. @see contracts/device-registry.md section 5 */
export function registerGroupRoutes(app: FastifyInstance, generation: Generation): void {
  app.register(async (scope) => {
    acceptForms(scope);
    scope.post("/device_groups", async (req, reply) => {
      if (isForm(req) && !hasParameters(req, reply, ["groupName"])) return reply;
      return sendJson(reply.code(201), isForm(req) ? await createFromForm(req) : await create(req));
    });
  });
  app.get("/device_groups", async (req) => {
    const slice = sliceOf(req);
    const { sortBy, nameContains } = parseEntity(ListGroups, req.query);
    const of = { namespaceId: req.ctx.namespaceId, sortBy, nameContains };
    const { rows, total } = await listGroups(req.ctx.db, of, slice);
    return pageOf(rows.map(groups.toGroup), { total, ...slice });
  });
  app.get("/device_groups/:groupId", (req, reply) => withGroup(req, reply, async (group) => groups.toGroup(group)));
  app.delete("/device_groups/:groupId", (req, reply) =>
    withGroup(req, reply, async (group) => {
      await groups.removeGroup(req.ctx, group.id);
      return reply.code(204).send();
    }),
  );
  app.put("/device_groups/:groupId/rename", (req, reply) =>
    withGroup(req, reply, async (group) => {
      if (!hasParameters(req, reply, ["groupName"])) return reply;
      await groups.renameGroup(req.ctx, group.id, parseEntity(NameQuery, req.query).groupName);
      return {};
    }),
  );
  app.post("/device_groups/:groupId/hibernation", (req, reply) =>
    withGroup(req, reply, async (group) => {
      await groups.hibernateGroup(req.ctx, group.id, parseEntity(SetHibernation, req.body).status);
      return {};
    }),
  );
  registerMemberRoutes(app);
  if (generation === "B") registerStatisticsRoutes(app);
}

async function create(req: FastifyRequest): Promise<string> {
  return groups.addGroup(req.ctx, parseEntity(CreateGroup, req.body));
}

async function createFromForm(req: FastifyRequest): Promise<string> {
  const { groupName } = parseEntity(NameQuery, req.query);
  return groups.addGroupOf(req.ctx, groupName, parseOemIds(await readFormField(req, "deviceIds")));
}

function registerMemberRoutes(app: FastifyInstance): void {
  app.get("/devices/:uuid/groups", async (req, reply) => {
    const device = await openDevice(req, reply);
    if (device === null) return reply;
    const slice = sliceOf(req);
    const { values, total } = await members.listGroupsOfDevice(req.ctx.db, device.uuid, slice);
    return pageOf(values, { total, ...slice });
  });
  app.get("/device_groups/:groupId/count", (req, reply) =>
    withGroup(req, reply, async (group) => sendJson(reply, await members.countMembers(req.ctx.db, group.id))),
  );
  app.get("/device_groups/:groupId/devices", (req, reply) =>
    withGroup(req, reply, async (group) => {
      const slice = sliceOf(req);
      const { values, total } = await members.listMembers(req.ctx.db, group.id, slice);
      return pageOf(values, { total, ...slice });
    }),
  );
  app.post("/device_groups/:groupId/devices/:uuid", (req, reply) =>
    withGroup(req, reply, async (group) => {
      const device = await openDevice(req, reply);
      if (device === null) return reply;
      await groups.addMember(req.ctx, { groupId: group.id, deviceUuid: device.uuid });
      return {};
    }),
  );
  app.delete("/device_groups/:groupId/devices/:uuid", (req, reply) =>
    withGroup(req, reply, async (group) => {
      const device = await openDevice(req, reply);
      if (device === null) return reply;
      await groups.removeMember(req.ctx, group, device.uuid);
      return {};
    }),
  );
}

/** What only [B] has. */
function registerStatisticsRoutes(app: FastifyInstance): void {
  app.get("/device_groups/membership", async (req, reply) => {
    if (!hasParameters(req, reply, ["deviceUuids"])) return reply;
    const { deviceUuids } = parseEntity(MembershipQuery, req.query);
    return Object.fromEntries(await members.readMembership(req.ctx.db, req.ctx.namespaceId, deviceUuids));
  });
  app.get("/device_groups/count", async (req, reply) => {
    if (!hasParameters(req, reply, ["groupIds"])) return reply;
    const { groupIds } = parseEntity(GroupCountQuery, req.query);
    return { values: Object.fromEntries(await members.countMembersOf(req.ctx.db, req.ctx.namespaceId, groupIds)) };
  });
  app.get("/device_groups/:groupId/device-stats", (req, reply) =>
    withGroup(req, reply, (group) => {
      const of = { namespaceId: req.ctx.namespaceId, groupId: group.id, now: req.ctx.clock() };
      return members.readGroupStats(req.ctx.db, of);
    }),
  );
}

async function withGroup<T>(
  req: FastifyRequest,
  reply: FastifyReply,
  run: (group: GroupRow) => Promise<T>,
): Promise<T | FastifyReply> {
  const group = await openGroup(req, reply);
  return group === null ? reply : run(group);
}
