import type { FastifyInstance } from "fastify";
import { IMAGE_MAX_BYTES } from "#lib/contracts/console/images.ts";
import { otaInstant } from "#lib/contracts/ota/common.ts";
import { PutTargetQuery, TargetFilename, TargetItemsQuery } from "#lib/contracts/ota/reposerver.ts";
import { AppError } from "#lib/errors/app-error.ts";
import { parseEntity } from "#lib/http/ota-parse.ts";
import { receiveUpload } from "#lib/http/receive-upload.ts";
import { sendErrorWithoutBody } from "#lib/http/server.ts";
import { describeImage, sendImage } from "./download.ts";
import { addImage, deleteImage, type ImageRepoCtx } from "./images.ts";
import { type OpenRepo, sendSigned } from "./routes.ts";
import * as store from "./store.ts";
import { verifyImage } from "./verification.ts";

type WithFilename = { Params: { "*": string } };

/** Images and their bytes. @see contracts/reposerver-keyserver.md section 3 */
export function registerTargetRoutes(app: FastifyInstance, openRepo: OpenRepo): void {
  registerUpload(app, openRepo);
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

/** In a scope of its own: here any content type is taken, and the body is left unread for the handler. */
function registerUpload(app: FastifyInstance, openRepo: OpenRepo): void {
  app.register(async (uploads) => {
    uploads.removeAllContentTypeParsers();
    uploads.addContentTypeParser("*", (_req, _body, done) => done(null));
    uploads.put<WithFilename>("/targets/*", async (req, reply) => {
      const { ctx, repoId } = await openRepo(req, reply);
      const filename = parseEntity(TargetFilename, req.params["*"]);
      assertOffered(req.query);
      const { sha256, targetFormat, ...names } = parseEntity(PutTargetQuery, req.query);
      if (targetFormat === "OSTREE") {
        throw new AppError("ota.invalid_entity", "targetFormat: OSTree commits have no bytes to upload here.");
      }
      const { isForm, staged } = await receiveUpload(req.raw, ctx.blobs, {
        maxBytes: IMAGE_MAX_BYTES,
        expectSha256: sha256,
      });
      const targets = await addImage(ctx, repoId, { filename, ...names }, staged);
      await verifyUploaded(ctx, repoId, filename);
      reply.header("x-ats-role-checksum", targets.checksum);
      return isForm ? sendSigned(reply, targets.bytes, targets.checksum) : reply.code(204).send();
    });
  });
}

/** The image is listed whatever happens here; until it is checked it shows as "not checked". */
async function verifyUploaded(ctx: ImageRepoCtx, repoId: string, filename: string): Promise<void> {
  try {
    await verifyImage(ctx, repoId, filename);
  } catch (err) {
    ctx.log.warn({ err, filename }, "a new image could not be checked");
  }
}

/** Fetching an address that a caller names is no job for this server. @throws AppError `ota.not_implemented` */
function assertOffered(query: unknown): void {
  if (typeof query !== "object" || query === null || !("fileUri" in query)) return;
  throw new AppError("ota.not_implemented", "fileUri: images are uploaded, not fetched.");
}

function toTargetItem(image: store.ImageRow) {
  const { name, version, hardwareIds, length } = image;
  return {
    hashes: { sha256: image.sha256 },
    length,
    custom: {
      name,
      version,
      hardwareIds,
      targetFormat: "BINARY",
      uri: null,
      createdAt: otaInstant(image.createdAt),
      updatedAt: otaInstant(image.updatedAt),
    },
  };
}
