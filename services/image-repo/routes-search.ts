import type { FastifyInstance } from "fastify";
import { OtaPageQuery, otaInstant } from "#lib/contracts/ota/common.ts";
import {
  GroupedSearchQuery,
  PackageQuery,
  PutSbom,
  SearchFilter,
  SearchQuery,
} from "#lib/contracts/ota/image-search.ts";
import { TargetFilename } from "#lib/contracts/ota/reposerver.ts";
import { AppError } from "#lib/errors/app-error.ts";
import { parseEntity } from "#lib/http/ota-parse.ts";
import { isJsonObject, type Json } from "#lib/uptane/json.ts";
import { proprietaryPart } from "./custom.ts";
import type { OpenRepo } from "./routes.ts";
import * as sboms from "./store-sboms.ts";
import * as store from "./store-search.ts";

type WithFilename = { Params: { "*": string } };

/** Search over own and delegated images. @see contracts/reposerver-keyserver.md section 9 */
export function registerSearchRoutes(app: FastifyInstance, openRepo: OpenRepo): void {
  app.post("/search", async (req, reply) => {
    const { ctx } = await openRepo(req, reply);
    const query = parseEntity(SearchQuery, req.query);
    const filter = parseEntity(SearchFilter, req.body ?? {});
    const { values, total } = await store.searchPackages(ctx.db, ctx.namespaceId, { ...query, filter });
    return { values: values.map(toPackage), total, offset: query.offset, limit: query.limit };
  });
  app.get("/grouped-search", async (req, reply) => {
    const { ctx } = await openRepo(req, reply);
    const { offset, limit, sortBy, sortDirection, ...filter } = parseEntity(GroupedSearchQuery, req.query);
    const query = { offset, limit, sortBy, sortDirection, filter };
    const { values, total } = await store.searchGroups(ctx.db, ctx.namespaceId, query);
    const groups = values.map((group) => ({ ...group, lastVersionAt: otaInstant(group.lastVersionAt) }));
    return { values: groups, total, offset, limit };
  });
  app.get<WithFilename>("/packages/*", async (req, reply) => {
    const { ctx } = await openRepo(req, reply);
    const { originNot } = parseEntity(PackageQuery, req.query);
    const found = await store.findPackage(ctx.db, ctx.namespaceId, { filename: req.params["*"], originNot });
    if (found === null) throw new AppError("ota.target_not_found", "There is no such image.");
    return toPackage(found);
  });
  app.get("/hardwareids-packages", async (req, reply) => {
    const { ctx } = await openRepo(req, reply);
    const values = await store.hardwareIdsOfPackages(ctx.db, ctx.namespaceId);
    return { values, total: values.length, offset: 0, limit: values.length };
  });
}

/** Where the bill of materials of an image is; of a namespace's own images only, unlike in the original. */
export function registerSbomRoutes(app: FastifyInstance): void {
  app.get("/", async (req) => {
    const query = parseEntity(OtaPageQuery, req.query);
    const { values, total } = await sboms.pageOfSboms(req.ctx.db, req.ctx.namespaceId, query);
    return { values, total, ...query };
  });
  app.get<WithFilename>("/raw/*", async (req, reply) => {
    const uri = await sboms.findSbom(req.ctx.db, req.ctx.namespaceId, req.params["*"]);
    if (uri === null) throw notFound();
    return reply.redirect(uri, 302);
  });
  app.get<WithFilename>("/*", async (req) => {
    const uri = await sboms.findSbom(req.ctx.db, req.ctx.namespaceId, req.params["*"]);
    if (uri === null) throw notFound();
    return { uri };
  });
  app.put<WithFilename>("/*", async (req) => {
    const filename = parseEntity(TargetFilename, req.params["*"]);
    const { uri } = parseEntity(PutSbom, req.body);
    await sboms.putSbom(req.ctx.db, req.ctx.namespaceId, { filename, uri, updatedAt: req.ctx.clock() });
    return {};
  });
  app.delete<WithFilename>("/*", async (req, reply) => {
    if (!(await sboms.deleteSbom(req.ctx.db, req.ctx.namespaceId, req.params["*"]))) throw notFound();
    return reply.code(204).send();
  });
}

function toPackage({ sha256, createdAt, custom, ...found }: store.FoundPackage) {
  return { ...found, hashes: { sha256 }, createdAt: otaInstant(createdAt), customData: customData(custom) };
}

function customData(custom: Json): Json {
  const own = isJsonObject(custom) ? proprietaryPart(custom) : {};
  return Object.keys(own).length === 0 ? null : own;
}

function notFound(): AppError {
  return new AppError("ota.sbom_not_found", "There is no bill of materials of this image.");
}
