import type { FastifyInstance } from "fastify";
import { Comment, CommentFilenames, CommentFilter } from "#lib/contracts/ota/reposerver.ts";
import { AppError } from "#lib/errors/app-error.ts";
import { parseEntity } from "#lib/http/ota-parse.ts";
import { recordByMachine } from "#services/audit/service.ts";
import type { OpenRepo } from "./routes.ts";
import { findImage } from "./store.ts";
import * as store from "./store-comments.ts";

type WithFilename = { Params: { "*": string } };

/** What people note about images; the list is the plain array of before 2023. @see contracts/reposerver-keyserver.md section 3.2 */
export function registerCommentRoutes(app: FastifyInstance, openRepo: OpenRepo): void {
  app.get("/comments", async (req, reply) => {
    const { ctx } = await openRepo(req, reply);
    return store.listComments(ctx.db, ctx.namespaceId, parseEntity(CommentFilter, req.query));
  });
  app.get<WithFilename>("/comments/*", async (req, reply) => {
    const { ctx } = await openRepo(req, reply);
    const comment = await store.findComment(ctx.db, ctx.namespaceId, req.params["*"]);
    if (comment === null) throw new AppError("ota.missing_entity", "Missing entity: TargetComment");
    return { comment };
  });
  app.put<WithFilename>("/comments/*", async (req, reply) => {
    const { ctx } = await openRepo(req, reply);
    const filename = req.params["*"];
    const { comment } = parseEntity(Comment, req.body);
    if ((await findImage(ctx.db, ctx.namespaceId, filename)) === null) {
      throw new AppError("ota.target_not_found", "There is no such image.");
    }
    await ctx.db.$transaction(async (tx) => {
      await store.putComment(tx, ctx.namespaceId, { filename, comment });
      const target = { kind: "image", id: filename } as const;
      await recordByMachine(tx, ctx, {
        action: "image.change",
        target,
        after: { comment: comment === "" ? "cleared" : "set" },
      });
    });
    return {};
  });
  app.post("/list-target-comments", async (req, reply) => {
    const { ctx } = await openRepo(req, reply);
    const filenames = parseEntity(CommentFilenames, req.body);
    return store.listComments(ctx.db, ctx.namespaceId, { filenames });
  });
}
