import type { FastifyInstance, FastifyRequest } from "fastify";
import { z } from "zod";
import { SetOfflineUpdates, SetRemoteCommands, SetRemoteSessions } from "#lib/contracts/ota/director.ts";
import { AppError } from "#lib/errors/app-error.ts";
import { parseEntity } from "#lib/http/ota-parse.ts";
import type { Json } from "#lib/uptane/json.ts";
import { deletePrivateKey, exportKey } from "#services/keyserver/service.ts";
import * as offline from "./offline-roles.ts";
import * as remote from "./remote-roles.ts";
import { pushDirectorRoot, requireDirectorRepo, rotateDirectorRoot } from "./repository.ts";
import { param, sendSigned, versionParam } from "./request.ts";

const RoleName = z.string().regex(/^[A-Za-z0-9_-]{1,253}$/, "must be letters, digits, _ and -");

/** The repository's root, keys and own roles. Keys go to whoever holds the services token; no door leads here. @see docs/contracts/director.md section 1 */
export async function registerRoleRoutes(app: FastifyInstance): Promise<void> {
  app.post("/repo/root", async (req) => {
    await pushDirectorRoot(req.ctx, bodyOf(req));
    return {};
  });
  app.put("/repo/root/rotate", async (req) => {
    await rotateDirectorRoot(req.ctx);
    return {};
  });
  app.get("/repo/private_keys/:keyId", async (req) =>
    exportKey(req.ctx, await requireDirectorRepo(req.ctx), param(req, "keyId")),
  );
  app.delete("/repo/private_keys/:keyId", async (req) => {
    await deletePrivateKey(req.ctx, await requireDirectorRepo(req.ctx), param(req, "keyId"));
    return {};
  });
  app.post("/repo/offline-updates/:name", async (req, reply) => {
    const name = parseEntity(RoleName, param(req, "name"));
    const { bytes } = await offline.setOfflineUpdates(req.ctx, name, parseEntity(SetOfflineUpdates, req.body));
    return sendSigned(reply, bytes);
  });
  app.delete("/repo/offline-updates/:name", async (req) => {
    await offline.deleteOfflineUpdates(req.ctx, parseEntity(RoleName, param(req, "name")));
    return {};
  });
  app.get("/repo/offline-updates/:file", async (req, reply) => sendSigned(reply, await offlineUpdatesOf(req)));
  app.get("/repo/offline-snapshot.json", async (req, reply) =>
    sendSigned(reply, await offline.getOfflineSnapshot(req.ctx)),
  );
  app.get("/repo/:version(^\\d+).offline-snapshot.json", async (req, reply) =>
    sendSigned(reply, await offline.getOfflineSnapshot(req.ctx, versionParam(req))),
  );
  app.post("/remote-sessions", async (req, reply) =>
    sendSigned(reply, await remote.setRemoteSessions(req.ctx, parseEntity(SetRemoteSessions, req.body))),
  );
  app.post("/remote-commands", async (req, reply) => {
    await remote.setRemoteCommands(req.ctx, parseEntity(SetRemoteCommands, req.body));
    return reply.code(202).send({});
  });
  app.get("/remote-sessions.json", async (req, reply) => sendSigned(reply, await remote.getRemoteSessions(req.ctx)));
  app.post("/remote-sessions.json", async (req) => {
    await remote.pushRemoteSessions(req.ctx, bodyOf(req));
    return {};
  });
}

/** The same roles as devices ask for them. @see docs/contracts/director.md section 4.2 */
export async function registerDeviceRoleRoutes(app: FastifyInstance): Promise<void> {
  app.get("/offline-updates/:file", async (req, reply) => sendSigned(reply, await offlineUpdatesOf(req)));
  app.get("/offline-snapshot.json", async (req, reply) => sendSigned(reply, await offline.getOfflineSnapshot(req.ctx)));
  app.get("/remote-sessions.json", async (req, reply) => sendSigned(reply, await remote.getRemoteSessions(req.ctx)));
}

/** `{name}.json` or `{version}.{name}.json`. */
async function offlineUpdatesOf(req: FastifyRequest): Promise<Buffer> {
  const [, version, name] = /^(?:([0-9]{1,10})\.)?([A-Za-z0-9_-]{1,253})\.json$/.exec(param(req, "file")) ?? [];
  if (name === undefined) throw offline.missingRole();
  return offline.getOfflineUpdates(req.ctx, name, version === undefined ? undefined : Number(version));
}

/** @throws AppError `ota.invalid_entity` */
function bodyOf(req: FastifyRequest): Json {
  if (req.body === undefined || req.body === null)
    throw new AppError("ota.invalid_entity", "A signed document is needed.");
  return req.body as Json; // what the server's own parser has read
}
