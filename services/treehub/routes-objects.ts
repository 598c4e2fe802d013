import type { FastifyInstance } from "fastify";
import { AppError } from "#lib/errors/app-error.ts";
import { findObjectName, type ObjectName } from "#lib/ostree/names.ts";
import { deleteObject, findLength, sendObject, storeObject } from "./objects.ts";
import type { OpenTreehub } from "./routes.ts";

type ByObject = { Params: { start: string; rest: string } };

const OBJECT = "/objects/:start/:rest";

/** @see contracts/treehub.md sections 1, 3 and 7 */
export function registerObjectRoutes(app: FastifyInstance, open: OpenTreehub): void {
  // Nothing but 200 and 404: garage-push takes anything else for trouble and asks again. Always with a length: without one, some
  // clients don't use the connection again.
  app.head<ByObject>(OBJECT, async (req, reply) => {
    const name = findName(req.params);
    const length = name === null ? null : await findLength(open(req), name);
    return reply
      .code(length === null ? 404 : 200)
      .header("content-length", length ?? 0)
      .send();
  });
  app.get<ByObject>(OBJECT, async (req, reply) => sendObject(open(req), getName(req.params), req, reply));
  app.delete<ByObject>(OBJECT, async (req, reply) => {
    await deleteObject(open(req), getName(req.params));
    return reply.code(204).send();
  });
  registerUpload(app, open);
}

/** In a scope of its own: here any content type is taken, and the body is left unread for the handler. */
function registerUpload(app: FastifyInstance, open: OpenTreehub): void {
  app.register(async (uploads) => {
    uploads.removeAllContentTypeParsers();
    uploads.addContentTypeParser("*", (_req, _body, done) => done(null));
    uploads.post<ByObject>(OBJECT, async (req, reply) => {
      const name = findName(req.params);
      if (name === null) {
        req.raw.resume();
        throw new AppError("ota.invalid_entity", "This is no name of an OSTree object.");
      }
      if (req.headers["x-ats-accept-redirect"] === "true" && isEmpty(req.headers["content-length"])) {
        // Bytes that go past us could not be checked before they count.
        throw new AppError("ota.out_of_band_storage_not_supported", "Send the object's bytes here.");
      }
      const { isForm } = await storeObject(open(req), name, req.raw);
      return reply.code(isForm ? 200 : 204).send();
    });
    uploads.put<ByObject>(OBJECT, async (req) => {
      req.raw.resume();
      throw new AppError("ota.object_missing", "No client is uploading this object past this service.");
    });
  });
}

function isEmpty(contentLength: string | undefined): boolean {
  return contentLength === undefined || Number(contentLength) === 0;
}

function findName({ start, rest }: { start: string; rest: string }): ObjectName | null {
  return start.length === 2 ? findObjectName(`${start}${rest}`) : null;
}

/** @throws AppError `ota.object_missing`: what can't be a name names nothing */
function getName(params: { start: string; rest: string }): ObjectName {
  const name = findName(params);
  if (name === null) throw new AppError("ota.object_missing", "There is no such object.");
  return name;
}
