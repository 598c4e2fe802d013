import type { FastifyInstance } from "fastify";
import { otaInstant } from "#lib/contracts/ota/common.ts";
import { PatchDelegationInfo, RemoteDelegation } from "#lib/contracts/ota/delegations.ts";
import { TargetItemsQuery } from "#lib/contracts/ota/reposerver.ts";
import { AppError } from "#lib/errors/app-error.ts";
import { parseEntity } from "#lib/http/ota-parse.ts";
import { takeSignedBodies } from "#lib/http/signed-body.ts";
import { buildDelegations } from "#lib/uptane/delegations.ts";
import { isJsonArray, isJsonObject, type Json } from "#lib/uptane/json.ts";
import { METADATA_LIMITS } from "#lib/uptane/limits.ts";
import { getInfo, listInfo, setFriendlyName } from "./delegation-info.ts";
import {
  getDelegated,
  putDelegated,
  readDelegations,
  removeTrusted,
  setDelegationKeys,
  setTrusted,
} from "./delegations.ts";
import { refreshRemote, setRemote } from "./delegations-remote.ts";
import { type OpenRepo, sendSigned } from "./routes.ts";
import * as store from "./store-delegations.ts";

type ByName = { Params: { name: string } };
const MAX_SAME_NAME = 100;

/** Whom the namespace lets sign for a part of its images, and what they signed. @see contracts/reposerver-keyserver.md section 4 */
export function registerDelegationRoutes(app: FastifyInstance, openRepo: OpenRepo): void {
  registerTrusted(app, openRepo);
  registerRemotes(app, openRepo);
  registerDocuments(app, openRepo);
  registerItems(app, openRepo);
}

function registerTrusted(app: FastifyInstance, openRepo: OpenRepo): void {
  app.get("/trusted-delegations", async (req, reply) => {
    const { ctx } = await openRepo(req, reply);
    return buildDelegations(await readDelegations(ctx)).roles;
  });
  app.put("/trusted-delegations", async (req, reply) => {
    const { ctx, repoId } = await openRepo(req, reply);
    await setTrusted(ctx, repoId, bodyList(req.body));
    return reply.code(204).send();
  });
  app.delete<ByName>("/trusted-delegations/:name", async (req, reply) => {
    const { ctx, repoId } = await openRepo(req, reply);
    await removeTrusted(ctx, repoId, req.params.name);
    return reply.code(204).send();
  });
  app.get("/trusted-delegations/keys", async (req, reply) => {
    const { ctx } = await openRepo(req, reply);
    const { keys } = await readDelegations(ctx);
    return [...keys.values()];
  });
  app.put("/trusted-delegations/keys", async (req, reply) => {
    const { ctx, repoId } = await openRepo(req, reply);
    await setDelegationKeys(ctx, repoId, bodyList(req.body));
    return reply.code(204).send();
  });
}

function registerRemotes(app: FastifyInstance, openRepo: OpenRepo): void {
  app.put<ByName>("/trusted-delegations/:name/remote", async (req, reply) => {
    const { ctx, repoId } = await openRepo(req, reply);
    const { uri, remoteHeaders, friendlyName } = parseEntity(RemoteDelegation, req.body);
    const remote = { uri, headers: remoteHeaders ?? {}, friendlyName: friendlyName ?? undefined };
    await setRemote(ctx, repoId, { name: req.params.name, ...remote });
    return reply.code(201).send({});
  });
  app.put<ByName>("/trusted-delegations/:name/remote/refresh", async (req, reply) => {
    const { ctx, repoId } = await openRepo(req, reply);
    await refreshRemote(ctx, repoId, req.params.name);
    return {};
  });
  app.get("/trusted-delegations/info", async (req, reply) => {
    const { ctx } = await openRepo(req, reply);
    return listInfo(ctx);
  });
  app.get<ByName>("/trusted-delegations/:name/info", async (req, reply) => {
    const { ctx } = await openRepo(req, reply);
    return getInfo(ctx, req.params.name);
  });
  app.patch<ByName>("/trusted-delegations/:name/info", async (req, reply) => {
    const { ctx, repoId } = await openRepo(req, reply);
    const fields = Object.keys(isJsonObject(req.body as Json) ? (req.body as object) : {});
    if (fields.some((field) => field !== "friendlyName")) {
      throw new AppError("ota.immutable_fields_specified", "Only friendlyName can be changed.");
    }
    const { friendlyName } = parseEntity(PatchDelegationInfo, req.body);
    await setFriendlyName(ctx, repoId, { name: req.params.name, friendlyName });
    return {};
  });
}

function registerDocuments(app: FastifyInstance, openRepo: OpenRepo): void {
  app.get<ByName>("/delegations/:name.json", async (req, reply) => {
    const { ctx } = await openRepo(req, reply);
    const { bytes, lastFetchedAt } = await getDelegated(ctx, req.params.name);
    if (lastFetchedAt !== null) reply.header("x-ats-delegation-last-fetched-at", otaInstant(lastFetchedAt));
    return sendSigned(reply, bytes, null);
  });
  app.register(async (uploads) => {
    takeSignedBodies(uploads, METADATA_LIMITS.imageTargets.maxBytes);
    uploads.put<ByName>("/delegations/:name.json", async (req, reply) => {
      const { ctx, repoId } = await openRepo(req, reply);
      const bytes = req.rawBody ?? Buffer.alloc(0);
      await putDelegated(ctx, repoId, { name: req.params.name, bytes, source: null });
      return reply.code(204).send();
    });
  });
}

function registerItems(app: FastifyInstance, openRepo: OpenRepo): void {
  app.get("/delegations_items", async (req, reply) => {
    const { ctx } = await openRepo(req, reply);
    const query = parseEntity(TargetItemsQuery, req.query);
    const { values, total } = await store.pageOfDelegated(ctx.db, ctx.namespaceId, query);
    return { values: values.map(toItem), total, offset: query.offset, limit: query.limit };
  });
  app.get<{ Params: { "*": string } }>("/delegations_items/*", async (req, reply) => {
    const { ctx } = await openRepo(req, reply);
    const query = { exactly: req.params["*"], offset: 0, limit: MAX_SAME_NAME };
    const { values } = await store.pageOfDelegated(ctx.db, ctx.namespaceId, query);
    if (values.length === 0) {
      throw new AppError("ota.invalid_delegated_target", "No delegated role lists a target of this name.");
    }
    return values.map(toItem);
  });
}

function toItem({ filename, role, sha256, length, custom }: store.DelegatedItem) {
  return {
    targetFilename: filename,
    delegatedRoleName: role,
    clientTargetItem: { hashes: { sha256 }, length, custom },
  };
}

/** @throws AppError `ota.invalid_entity` */
function bodyList(body: unknown): readonly Json[] {
  const value = body as Json;
  if (isJsonArray(value)) return value;
  throw new AppError("ota.invalid_entity", "The body must be an array.");
}
