import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { IMAGE_MAX_BYTES } from "#lib/contracts/console/images.ts";
import {
  PatchTarget,
  PostTarget,
  ProprietaryCustom,
  PutTargetQuery,
  TargetFilename,
  TargetItemsQuery,
} from "#lib/contracts/ota/reposerver.ts";
import { AppError } from "#lib/errors/app-error.ts";
import { parseEntity } from "#lib/http/ota-parse.ts";
import { receiveUpload } from "#lib/http/receive-upload.ts";
import { sendErrorWithoutBody } from "#lib/http/server.ts";
import { describeImage, sendImage } from "./download.ts";
import { editImage, mergeProprietary } from "./edit.ts";
import { downloadImage } from "./fetch-image.ts";
import { addImage, addUnmanagedImage, deleteImage, type ImageRepoCtx } from "./images.ts";
import { type OpenRepo, sendSigned } from "./routes.ts";
import * as store from "./store.ts";
import { toTargetItem } from "./target-item.ts";
import { verifyImage } from "./verification.ts";

type WithFilename = { Params: { "*": string } };

/** Images and their bytes. @see contracts/reposerver-keyserver.md section 3 */
export function registerTargetRoutes(app: FastifyInstance, openRepo: OpenRepo): void {
  registerUpload(app, openRepo);
  registerEdits(app, openRepo);
  app.delete<WithFilename>("/targets/*", async (req, reply) => {
    const { ctx, repoId } = await openRepo(req, reply);
    await deleteImage(ctx, repoId, req.params["*"]);
    return reply.code(204).send();
  });
  app.head<WithFilename>("/targets/*", { errorHandler: sendErrorWithoutBody }, async (req, reply) => {
    const { ctx } = await openRepo(req, reply);
    const image = await describeImage(ctx, req.params["*"], reply);
    return reply.header("content-length", image.length).send();
  });
  app.get<WithFilename>("/targets/*", { errorHandler: sendErrorWithoutBody }, async (req, reply) => {
    const { ctx } = await openRepo(req, reply);
    return sendImage(ctx, req.params["*"], req, reply);
  });
  app.get("/target_items", async (req, reply) => {
    const { ctx } = await openRepo(req, reply);
    const { offset, limit, ...filter } = parseEntity(TargetItemsQuery, req.query);
    const { values, total } = await store.pageOfItems(ctx.db, ctx.namespaceId, { ...filter, offset, limit });
    return { values: values.map(toTargetItem), total, offset, limit };
  });
  app.get<WithFilename>("/target_items/*", async (req, reply) => {
    const { ctx } = await openRepo(req, reply);
    const image = await store.findImage(ctx.db, ctx.namespaceId, req.params["*"]);
    if (image === null) throw new AppError("ota.target_not_found", "There is no such image.");
    return toTargetItem(image);
  });
}

/** What is said of images without sending their bytes here. */
function registerEdits(app: FastifyInstance, openRepo: OpenRepo): void {
  app.post<WithFilename>("/targets/*", async (req, reply) => {
    const { ctx, repoId } = await openRepo(req, reply);
    const filename = parseEntity(TargetFilename, req.params["*"]);
    const image = parseEntity(PostTarget, req.body);
    const targets = await addUnmanagedImage(ctx, repoId, { filename, ...image });
    await verifyAdded(ctx, repoId, filename);
    return sendSigned(reply, targets.bytes, targets.checksum);
  });
  app.patch<WithFilename>("/targets/*", async (req, reply) => {
    const { ctx, repoId } = await openRepo(req, reply);
    const edit = parseEntity(PatchTarget, req.body);
    return toTargetItem(await editImage(ctx, repoId, { filename: req.params["*"], ...edit }));
  });
  app.patch<WithFilename>("/proprietary-custom/*", async (req, reply) => {
    const { ctx, repoId } = await openRepo(req, reply);
    const members = parseEntity(ProprietaryCustom, req.body);
    await mergeProprietary(ctx, repoId, { filename: req.params["*"], members });
    return reply.code(204).send();
  });
}

/** In a scope of its own: here any content type is taken, and the body is left unread for the handler. */
function registerUpload(app: FastifyInstance, openRepo: OpenRepo): void {
  app.register(async (uploads) => {
    uploads.removeAllContentTypeParsers();
    uploads.addContentTypeParser("*", (_req, _body, done) => done(null));
    uploads.put<WithFilename>("/targets/*", async (req, reply) => {
      const { ctx, repoId } = await openRepo(req, reply);
      const missing = missingParameter(req.query);
      if (missing !== null) return sendMissing(req, reply, missing);
      const filename = parseEntity(TargetFilename, req.params["*"]);
      const { sha256, targetFormat, fileUri, ...names } = parseEntity(PutTargetQuery, req.query);
      if (targetFormat === "OSTREE") {
        throw new AppError("ota.invalid_entity", "targetFormat: OSTree commits have no bytes to upload here.");
      }
      const limits = { maxBytes: IMAGE_MAX_BYTES, expectSha256: sha256 };
      const { isForm, staged } =
        fileUri === undefined
          ? await receiveUpload(req.raw, ctx.blobs, limits)
          : { isForm: true, staged: await downloadImage(ctx, fileUri, limits) };
      const targets = await addImage(ctx, repoId, { filename, ...names }, staged);
      await verifyAdded(ctx, repoId, filename);
      reply.header("x-ats-role-checksum", targets.checksum);
      return isForm ? sendSigned(reply, targets.bytes, targets.checksum) : reply.code(204).send();
    });
  });
}

/** The name of the parameter without which the original does not know the address. */
function missingParameter(query: unknown): string | null {
  const has = (name: string) => typeof query === "object" && query !== null && name in query;
  return ["name", "version"].find((name) => !has(name)) ?? null;
}

function sendMissing(req: FastifyRequest, reply: FastifyReply, name: string): FastifyReply {
  req.raw.resume();
  const text = `Request is missing required query parameter '${name}'`;
  return reply.code(404).type("text/plain; charset=utf-8").send(text);
}

/** The image is listed whatever happens here; until it is checked it shows as "not checked". */
async function verifyAdded(ctx: ImageRepoCtx, repoId: string, filename: string): Promise<void> {
  try {
    await verifyImage(ctx, repoId, filename);
  } catch (err) {
    ctx.log.warn({ err, filename }, "a new image could not be checked");
  }
}
