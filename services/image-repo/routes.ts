import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import type { BlobStore } from "#lib/blobs/store.ts";
import { RepoId } from "#lib/contracts/ota/keyserver.ts";
import { CreateRepo } from "#lib/contracts/ota/reposerver.ts";
import { DEFAULT_NAMESPACE } from "#lib/ctx.ts";
import { AppError } from "#lib/errors/app-error.ts";
import { parseEntity } from "#lib/http/ota-parse.ts";
import { sendSignedBytes } from "#lib/http/signed-reply.ts";
import { addRepo, currentRoot, ensureRepo, findRepo, findRoot } from "#services/keyserver/service.ts";
import type { ImageRepoCtx } from "./images.ts";
import { type RoleName, readRole } from "./roles.ts";
import { registerCommentRoutes } from "./routes-comments.ts";
import { registerDelegationRoutes } from "./routes-delegations.ts";
import { registerExtensionRoutes } from "./routes-extension.ts";
import { registerRootRoutes, registerSignedTargetsRoute } from "./routes-roles.ts";
import { registerSbomRoutes, registerSearchRoutes } from "./routes-search.ts";
import { registerTargetRoutes } from "./routes-targets.ts";
import { registerUploadRoutes } from "./routes-uploads.ts";

/** The repository of a request's namespace. Also puts its id on the reply, as every answer below a repository carries it. */
export type OpenRepo = (req: FastifyRequest, reply: FastifyReply) => Promise<{ ctx: ImageRepoCtx; repoId: string }>;

type Named = { Params: { repoId: string } };

const ROLES: readonly RoleName[] = ["targets", "snapshot", "timestamp"];

/**
 * The image repository's contract, under both its addresses: `user_repo` finds the repository by namespace, `repo/{id}`
 * names one, which must be the namespace's own.
 *
 * @see contracts/reposerver-keyserver.md sections 1 to 4 and 9
 */
export function registerImageRepoRoutes(app: FastifyInstance, { blobs }: { blobs: BlobStore }): void {
  const openRepo: OpenRepo = async (req, reply) => {
    const ctx: ImageRepoCtx = { ...req.ctx, blobs };
    const repoId = await requireRepo(ctx);
    reply.header("x-ats-tuf-repo-id", repoId);
    return { ctx, repoId };
  };
  app.post("/api/v1/user_repo", (req, reply) => createRepo(req, reply));
  app.post<Named>("/api/v1/repo/:repoId", (req, reply) =>
    createRepo(req, reply, parseEntity(RepoId, req.params.repoId)),
  );
  app.register(async (repo) => registerSearchRoutes(repo, openRepo), { prefix: "/api/v2/user_repo" });
  app.register(async (repo) => registerSbomRoutes(repo), { prefix: "/api/v1/sboms" });
  for (const prefix of ["/api/v1/user_repo", "/api/v1/repo/:repoId"]) {
    app.register(
      async (repo) => {
        repo.addHook("onRequest", requireNamed);
        registerRoleRoutes(repo, openRepo);
        registerRootRoutes(repo, openRepo);
        registerSignedTargetsRoute(repo, openRepo);
        registerTargetRoutes(repo, openRepo);
        registerCommentRoutes(repo, openRepo);
        registerExtensionRoutes(repo, openRepo);
        registerUploadRoutes(repo, openRepo);
        registerDelegationRoutes(repo, openRepo);
      },
      { prefix },
    );
  }
}

function registerRoleRoutes(app: FastifyInstance, openRepo: OpenRepo): void {
  app.get("/root.json", async (req, reply) => {
    const { ctx, repoId } = await openRepo(req, reply);
    const { bytes, checksum } = await currentRoot(ctx, repoId);
    return sendSigned(reply, bytes, checksum);
  });
  app.get<{ Params: { version: string } }>("/:version(^\\d+).root.json", async (req, reply) => {
    const { ctx, repoId } = await openRepo(req, reply);
    const bytes = await findRoot(ctx.db, repoId, Number(req.params.version));
    // 404 is what ends a device's walk; anything else would be an error to it.
    if (bytes === null) throw new AppError("ota.root_role_not_found", "There is no root of this version.");
    return sendSigned(reply, bytes, null);
  });
  for (const role of ROLES) {
    app.get(`/${role}.json`, async (req, reply) => {
      const { ctx, repoId } = await openRepo(req, reply);
      const { bytes, checksum } = await readRole(ctx, repoId, role);
      return sendSigned(reply, bytes, checksum);
    });
  }
}

/** Metadata as it was signed, byte for byte. */
export function sendSigned(reply: FastifyReply, bytes: Buffer, checksum: string | null): Promise<FastifyReply> {
  if (checksum !== null) reply.header("x-ats-role-checksum", checksum);
  return sendSignedBytes(reply, bytes);
}

/** @throws AppError `ota.malformed_body` (plain text, for a type of key that devices refuse) | `ota.conflicting_entity` */
async function createRepo(req: FastifyRequest, reply: FastifyReply, wanted?: string): Promise<FastifyReply> {
  const parsed = CreateRepo.safeParse(req.body ?? {});
  if (!parsed.success) {
    throw new AppError("ota.malformed_body", `keyType ${parsed.error.issues[0]?.message}`, { cause: parsed.error });
  }
  const { keyType } = parsed.data;
  const { repoId } = await addRepo(req.ctx, "image", { keyType, ...(wanted === undefined ? {} : { repoId: wanted }) });
  return reply.type("application/json").send(JSON.stringify(repoId));
}

/** The default namespace's repository is made when it is first needed; another's by POST. @throws AppError `ota.no_repo_for_namespace` */
async function requireRepo(ctx: ImageRepoCtx): Promise<string> {
  const found = await findRepo(ctx.db, ctx.namespaceId, "image");
  if (found !== null) return found.repoId;
  if (ctx.namespaceId === DEFAULT_NAMESPACE) return (await ensureRepo(ctx, "image")).repoId;
  throw new AppError("ota.no_repo_for_namespace", "This namespace has no image repository yet.");
}

/**
 * An address that names a repository is there for its own namespace only, whatever comes after the id.
 *
 * @see contracts/README.md section 3, "namespace mismatch"
 */
async function requireNamed(req: FastifyRequest, reply: FastifyReply): Promise<FastifyReply | undefined> {
  if (typeof req.params !== "object" || req.params === null || !("repoId" in req.params)) return undefined;
  const own = await findRepo(req.ctx.db, req.ctx.namespaceId, "image");
  if (own?.repoId === req.params.repoId) return undefined;
  const text = "The supplied authentication is not authorized to access this resource";
  return reply.code(403).type("text/plain; charset=utf-8").send(text);
}
