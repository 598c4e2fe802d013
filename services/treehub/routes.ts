import type { FastifyInstance, FastifyRequest } from "fastify";
import type { BlobStore } from "#lib/blobs/store.ts";
import { CommitChecksum, RefName, RepoManifest } from "#lib/contracts/ota/treehub.ts";
import { AppError } from "#lib/errors/app-error.ts";
import { parseEntity } from "#lib/http/ota-parse.ts";
import type { TreehubCtx } from "./objects.ts";
import { findLength } from "./objects.ts";
import { moveRef } from "./refs.ts";
import { registerDeltaRoutes } from "./routes-deltas.ts";
import { registerObjectRoutes } from "./routes-objects.ts";
import { checkCommit, measureUsage } from "./service.ts";
import * as store from "./store.ts";

/** The process's context with the request's namespace, and the blobs. */
export type OpenTreehub = (req: FastifyRequest) => TreehubCtx;

/** Indexes of deltas are made here, so libostree may ask for them. @see contracts/treehub.md section 2 */
const REPOSITORY_CONFIG = "[core]\nrepo_version=1\nmode=archive-z2\nindexed-deltas=true\n";
const REF_BODY_BYTES = 1_024;

type ByName = { Params: { "*": string } };
type ByCommit = { Params: { commit: string } };

/**
 * TreeHub's contract, under both its addresses, and what we add to it under `/gatehouse`.
 *
 * @see contracts/treehub.md
 */
export function registerTreehubRoutes(app: FastifyInstance, { blobs }: { blobs: BlobStore }): void {
  const open: OpenTreehub = (req) => ({ ...req.ctx, blobs });
  for (const prefix of ["/api/v2", "/api/v3"]) {
    app.register(
      async (hub) => {
        hub.get("/config", async (_req, reply) => reply.type("text/plain; charset=utf-8").send(REPOSITORY_CONFIG));
        registerObjectRoutes(hub, open);
        registerRefRoutes(hub, open);
        registerManifestRoute(hub, open);
        registerDeltaRoutes(hub, open);
        hub.get<ByCommit>("/gatehouse/commits/:commit/check", async (req) =>
          checkCommit(open(req), parseEntity(CommitChecksum, req.params.commit)),
        );
        hub.get("/gatehouse/usage", async (req) => measureUsage(open(req)));
      },
      { prefix },
    );
  }
}

/** In a scope of its own: garage-push sends a commit under any content type. */
function registerRefRoutes(app: FastifyInstance, open: OpenTreehub): void {
  app.get<ByName>("/refs/*", async (req, reply) => {
    const { db, namespaceId } = open(req);
    const commit = await store.findRef(db, namespaceId, req.params["*"]);
    if (commit === null) throw new AppError("ota.missing_entity", "There is no such ref.");
    return reply.type("text/plain; charset=utf-8").send(commit);
  });
  app.register(async (refs) => {
    refs.removeAllContentTypeParsers();
    refs.addContentTypeParser(
      "*",
      { parseAs: "string", bodyLimit: REF_BODY_BYTES },
      async (_req: unknown, body: string) => body,
    );
    refs.post<ByName>("/refs/*", async (req, reply) => {
      const name = parseEntity(RefName, req.params["*"]);
      const commit = parseEntity(CommitChecksum, req.body);
      const force = req.headers["x-ats-ostree-force"] === "true";
      if (await moveRef(open(req), { name, commit, force })) {
        return reply.type("application/json").send(JSON.stringify(commit));
      }
      return reply.code(412).type("text/plain; charset=utf-8").send("Cannot force push");
    });
  });
}

function registerManifestRoute(app: FastifyInstance, open: OpenTreehub): void {
  app.put<ByCommit>("/manifests/:commit", async (req, reply) => {
    const ctx = open(req);
    const commit = parseEntity(CommitChecksum, req.params.commit);
    parseEntity(RepoManifest, req.body);
    if ((await findLength(ctx, { checksum: commit, kind: "commit" })) === null) {
      throw new AppError("ota.commit_missing", "Push the commit before its manifest.");
    }
    const bytes = req.rawBody ?? Buffer.alloc(0);
    await store.putManifest(ctx.db, ctx.namespaceId, { commit, bytes, receivedAt: ctx.clock() });
    return reply.code(200).send();
  });
}
