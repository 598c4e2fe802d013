import type { FastifyInstance } from "fastify";
import {
  DeltaCommits,
  DeltaEnds,
  DeltaFile,
  DeltaName,
  DeltaPage,
  SuperblockHash,
} from "#lib/contracts/ota/treehub.ts";
import { AppError } from "#lib/errors/app-error.ts";
import { parseEntity } from "#lib/http/ota-parse.ts";
import { type DeltaId, findChecksum, findDeltaId } from "#lib/ostree/deltas.ts";
import { deleteDelta, deltaIndex, deltasByCommit, pathOfDelta, sendDeltaFile, storeDeltaFile } from "./deltas.ts";
import type { OpenTreehub } from "./routes.ts";
import { pageOfDeltas } from "./store-deltas.ts";

type ByDelta = { Params: { start: string; rest: string } };
type ByFile = { Params: { start: string; rest: string; file: string } };

/** Static deltas and their indexes. @see contracts/treehub.md sections 1 and 6 */
export function registerDeltaRoutes(app: FastifyInstance, open: OpenTreehub): void {
  app.get<ByDelta>("/delta-indexes/:start/:rest", async (req, reply) => {
    const { start, rest } = req.params;
    const toCommit = rest.endsWith(".index") ? findChecksum(`${start}${rest.slice(0, -".index".length)}`) : null;
    if (toCommit === null) throw deltaMissing();
    return reply.type("application/octet-stream").send(await deltaIndex(open(req), toCommit));
  });
  app.get<ByFile>("/deltas/:start/:rest/:file", async (req, reply) => {
    const file = DeltaFile.safeParse(req.params.file);
    if (!file.success) throw deltaMissing();
    return sendDeltaFile(open(req), { id: getId(req.params), file: file.data }, { req, reply });
  });
  app.delete<ByDelta>("/deltas/:start/:rest", async (req, reply) => {
    await deleteDelta(open(req), getId(req.params));
    return reply.code(202).send();
  });
  app.get<{ Querystring: Record<string, string> }>("/deltas", async (req, reply) => {
    const ctx = open(req);
    if (req.query.from !== undefined || req.query.to !== undefined) {
      return reply.redirect(`/deltas/${await pathOfDelta(ctx, parseEntity(DeltaEnds, req.query))}`, 302);
    }
    const page = parseEntity(DeltaPage, req.query);
    const { values, total } = await pageOfDeltas(ctx.db, ctx.namespaceId, page);
    return reply.type("text/plain; charset=utf-8").send(JSON.stringify({ values, total, ...page }));
  });
  app.post("/deltas", async (req) => deltasByCommit(open(req), parseEntity(DeltaCommits, req.body).commits));
  registerUpload(app, open);
}

function registerUpload(app: FastifyInstance, open: OpenTreehub): void {
  app.register(async (uploads) => {
    uploads.removeAllContentTypeParsers();
    uploads.addContentTypeParser("*", (_req, _body, done) => done(null));
    uploads.post<ByFile>(
      "/deltas/:start/:rest/:file",
      {
        // What is left of a refused body is read and dropped; else the reply would never reach a client that still sends.
        onError: async (req) => {
          req.raw.resume();
        },
      },
      async (req, reply) => {
        const { start, rest, file } = req.params;
        const superblock = SuperblockHash.safeParse(req.headers["x-trx-superblock-hash"]);
        if (!superblock.success) {
          throw new AppError("ota.missing_superblock_hash", "x-trx-superblock-hash must be the superblock's SHA-256.");
        }
        const upload = {
          id: parseEntity(DeltaName, `${start}${rest}`),
          file: parseEntity(DeltaFile, file),
          superblockSha256: superblock.data,
        };
        await storeDeltaFile(open(req), upload, req.raw);
        return reply.code(200).send();
      },
    );
  });
}

/** @throws AppError `ota.delta_missing`: libostree asks for ids that none has, and goes on at 404 */
function getId({ start, rest }: { start: string; rest: string }): DeltaId {
  const id = start.length === 2 ? findDeltaId(`${start}${rest}`) : null;
  if (id === null) throw deltaMissing();
  return id;
}

function deltaMissing(): AppError {
  return new AppError("ota.delta_missing", "There is no such delta.");
}
