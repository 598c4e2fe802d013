import type { FastifyInstance } from "fastify";
import { ListRepoImages, type RepoImage } from "#lib/contracts/ota/reposerver.ts";
import { AppError } from "#lib/errors/app-error.ts";
import { parseEntity } from "#lib/http/ota-parse.ts";
import type { ImageRepoCtx } from "./images.ts";
import type { OpenRepo } from "./routes.ts";
import { registerKeyRoutes } from "./routes-keys.ts";
import { listPage } from "./store-list.ts";
import { verifyImage } from "./verification.ts";

type ByFilename = { Params: { filename: string } };

/**
 * Not part of the contract: pages of images with their verification, for the console. Another image repository answers
 * 404 here, and the console then does without.
 */
export function registerExtensionRoutes(app: FastifyInstance, openRepo: OpenRepo): void {
  registerKeyRoutes(app, openRepo);
  app.get("/gatehouse/targets", async (req, reply) => {
    const { ctx } = await openRepo(req, reply);
    return listPage(ctx.db, ctx.namespaceId, parseEntity(ListRepoImages, req.query));
  });
  app.get<ByFilename>("/gatehouse/targets/:filename", async (req, reply) => {
    const { ctx } = await openRepo(req, reply);
    return getImage(ctx, req.params.filename);
  });
  app.post<ByFilename>("/gatehouse/targets/:filename/verify", async (req, reply) => {
    const { ctx, repoId } = await openRepo(req, reply);
    await verifyImage(ctx, repoId, req.params.filename);
    return getImage(ctx, req.params.filename);
  });
}

/** An image as the console is told of it. @throws AppError `ota.target_not_found` */
export async function getImage(ctx: ImageRepoCtx, filename: string): Promise<RepoImage> {
  const { data } = await listPage(ctx.db, ctx.namespaceId, { limit: 1, sort: "filename", exactly: filename });
  const [image] = data;
  if (image === undefined) throw new AppError("ota.target_not_found", "There is no such image.");
  return image;
}
