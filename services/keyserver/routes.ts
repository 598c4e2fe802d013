import { randomUUID } from "node:crypto";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { CreateRoot, ExpireNotBeforeHeader, RootVersion } from "#lib/contracts/ota/keyserver.ts";
import { AppError, isAppError } from "#lib/errors/app-error.ts";
import { parseEntity } from "#lib/http/ota-parse.ts";
import { sendErrorWithoutBody } from "#lib/http/server.ts";
import { takeSignedBodies } from "#lib/http/signed-body.ts";
import { isJsonObject, type Json, type JsonObject, parseJsonBounded } from "#lib/uptane/json.ts";
import { METADATA_LIMITS } from "#lib/uptane/limits.ts";
import * as requests from "./requests.ts";
import { deletePrivateKey, ensureRole, exportKey, findRoot, targetsKeyPairs, unsignedRoot } from "./service.ts";

type OfRepo = { Params: { repoId: string } };
type OfVersion = { Params: { repoId: string; version: string } };
type OfKey = { Params: { repoId: string; keyId: string } };
type OfRole = { Params: { repoId: string; roletype: string } };

/** One key-generation request a role, in the original. */
const ROLES_OF_NEW_ROOT = 4;

/**
 * The keyserver's contract, for whoever holds the services token. It gives private keys away, so no door and no proxy leads here.
 *
 * Keys are made before the answer, so "not ready" (423) and "failed" (500) never come.
 *
 * @see contracts/reposerver-keyserver.md section 7
 */
export async function registerKeyserverRoutes(app: FastifyInstance): Promise<void> {
  app.register(registerRoots, { prefix: "/api/v1/root/:repoId" });
  app.register(registerKeys, { prefix: "/api/v1/root/:repoId" });
  app.register(registerDocuments, { prefix: "/api/v1/root/:repoId" });
}

async function registerRoots(app: FastifyInstance): Promise<void> {
  app.post<OfRepo>("", async (req, reply) => {
    const wanted = parseEntity(CreateRoot, req.body ?? {});
    await requests.createRoot(req.ctx, req.params.repoId, wanted);
    const requestIds = Array.from({ length: ROLES_OF_NEW_ROOT }, () => randomUUID());
    return reply.code(wanted.forceSync ? 201 : 202).send(requestIds);
  });
  app.put<OfRepo>("", async (req) => {
    await requests.requireOwnRepo(req.ctx, req.params.repoId);
    return {};
  });
  app.get<OfRepo>("", async (req, reply) => {
    const notBefore = parseEntity(ExpireNotBeforeHeader, req.headers["x-trx-expire-not-before"]);
    return sendJson(reply, await requests.readRoot(req.ctx, req.params.repoId, notBefore));
  });
  app.get<OfVersion>("/:version", async (req, reply) => {
    const { repoId } = await requests.requireOwnRepo(req.ctx, req.params.repoId);
    const version = RootVersion.safeParse(req.params.version);
    const bytes = version.success ? await findRoot(req.ctx.db, repoId, version.data) : null;
    if (bytes === null) throw new AppError("ota.root_role_not_found", "There is no root of this version.");
    return sendJson(reply, bytes);
  });
  app.get<OfRepo>("/unsigned", async (req) => {
    const { repoId } = await requests.requireOwnRepo(req.ctx, req.params.repoId);
    return unsignedRoot(req.ctx, repoId);
  });
  app.put<OfRepo>("/rotate", async (req) => {
    await requests.rotate(req.ctx, req.params.repoId);
    return {};
  });
  for (const role of ["offline-updates", "remote-sessions"] as const) {
    app.put<OfRepo>(`/roles/${role}`, async (req) => {
      const { repoId } = await requests.requireOwnRepo(req.ctx, req.params.repoId);
      await ensureRole(req.ctx, repoId, role);
      return {};
    });
  }
}

async function registerKeys(app: FastifyInstance): Promise<void> {
  app.get<OfKey>("/keys/:keyId", async (req, reply) => {
    const { repoId } = await requests.requireOwnRepo(req.ctx, req.params.repoId);
    return reply.header("cache-control", "no-store").send(await exportKey(req.ctx, repoId, req.params.keyId));
  });
  app.delete<OfKey>("/private_keys/:keyId", async (req, reply) => {
    const { repoId } = await requests.requireOwnRepo(req.ctx, req.params.repoId);
    await deletePrivateKey(req.ctx, repoId, req.params.keyId);
    return reply.code(204).send();
  });
  app.get<OfRepo>("/keys/targets/pairs", async (req, reply) => {
    const { repoId } = await requests.requireOwnRepo(req.ctx, req.params.repoId);
    const pairs = await targetsKeyPairs(req.ctx, repoId);
    if (pairs === null) throw offline();
    req.ctx.log.info({ repoId }, "the private keys of the targets were handed out");
    return reply.header("cache-control", "no-store").send(pairs);
  });
  app.head<OfRepo>("/keys/targets/pairs", { errorHandler: sendErrorWithoutBody }, async (req, reply) => {
    if (!(await requests.hasTargetsKeys(req.ctx, req.params.repoId))) throw offline();
    return reply.send();
  });
}

/** In a scope of its own: targets to be signed are as long as devices accept. */
async function registerDocuments(app: FastifyInstance): Promise<void> {
  takeSignedBodies(app, METADATA_LIMITS.imageTargets.maxBytes);
  app.post<OfRepo>("/unsigned", async (req, reply) => {
    await requests.push(req.ctx, req.params.repoId, documentOf(req));
    return reply.code(204).send();
  });
  app.post<OfRole>("/:roletype", async (req, reply) => {
    const { repoId, roletype: role } = req.params;
    return sendJson(reply, await requests.sign(req.ctx, repoId, { role, payload: documentOf(req) }));
  });
}

/** @throws AppError `ota.malformed_body` | `uptane.too_large` */
function documentOf(req: FastifyRequest): JsonObject {
  const document = parseDocument(req.rawBody ?? Buffer.alloc(0));
  if (isJsonObject(document)) return document;
  throw new AppError("ota.malformed_body", "The request content was malformed: it is not a JSON object.");
}

function parseDocument(bytes: Buffer): Json {
  try {
    return parseJsonBounded(bytes, METADATA_LIMITS.imageTargets);
  } catch (cause) {
    if (!isAppError(cause, "uptane.malformed")) throw cause;
    throw new AppError("ota.malformed_body", `The request content was malformed: ${cause.message}`, { cause });
  }
}

function sendJson(reply: FastifyReply, bytes: Buffer): FastifyReply {
  return reply.type("application/json").send(bytes);
}

function offline(): AppError {
  return new AppError("ota.role_keys_not_found", "The private keys of the targets are not here.");
}
