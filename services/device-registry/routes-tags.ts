import type { FastifyInstance } from "fastify";
import { RenameTag, SetTag, TagId } from "#lib/contracts/ota/device-groups.ts";
import { parseEntity } from "#lib/http/ota-parse.ts";
import { acceptForms, readFormField } from "./form-file.ts";
import { openDevice, paramOf } from "./request.ts";
import { listTagsOf } from "./store-tags.ts";
import { parseTagTable } from "./tag-table.ts";
import { importTags, listTags, removeTag, renameTag, setTag } from "./tags.ts";

/** "Custom device fields". @see contracts/device-registry.md section 6 */
export function registerTagRoutes(app: FastifyInstance): void {
  app.register(async (scope) => {
    acceptForms(scope);
    scope.post("/device_tags", async (req, reply) => {
      await importTags(req.ctx, parseTagTable(await readFormField(req, "custom-device-fields")));
      return reply.code(204).send();
    });
  });
  app.get("/device_tags", async (req) => listTags(req.ctx));
  app.put("/device_tags/:tagId", async (req) => {
    const tagId = parseEntity(TagId, paramOf(req, "tagId"));
    await renameTag(req.ctx, tagId, parseEntity(RenameTag, req.body).tagId);
    return {};
  });
  app.delete("/device_tags/:tagId", async (req) => {
    await removeTag(req.ctx, parseEntity(TagId, paramOf(req, "tagId")));
    return {};
  });
  app.get("/devices/:uuid/device_tags", async (req, reply) => {
    const device = await openDevice(req, reply);
    return device === null ? reply : ((await listTagsOf(req.ctx.db, [device.uuid])).get(device.uuid) ?? []);
  });
  app.patch("/devices/:uuid/device_tags", async (req, reply) => {
    const device = await openDevice(req, reply);
    if (device === null) return reply;
    await setTag(req.ctx, device.uuid, parseEntity(SetTag, req.body));
    return (await listTagsOf(req.ctx.db, [device.uuid])).get(device.uuid) ?? [];
  });
}
