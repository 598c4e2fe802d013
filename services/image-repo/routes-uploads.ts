import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import {
  CompleteUpload,
  InitiateQuery,
  OpenUpload,
  PartUrlQuery,
  UploadLinkQuery,
  UploadPartParams,
  UploadPartQuery,
  type UploadState,
} from "#lib/contracts/ota/image-uploads.ts";
import { TargetFilename } from "#lib/contracts/ota/reposerver.ts";
import { AppError } from "#lib/errors/app-error.ts";
import { parseEntity } from "#lib/http/ota-parse.ts";
import type { ImageRepoCtx } from "./images.ts";
import type { OpenRepo } from "./routes.ts";
import { getImage } from "./routes-extension.ts";
import type { UploadRow } from "./store-uploads.ts";
import { makeUploadLink, openUploadLink } from "./upload-links.ts";
import {
  abortUpload,
  assertNameFree,
  completeImageUpload,
  completeToolUpload,
  getUpload,
  openUpload,
  partCount,
  partLength,
  receivePart,
  receiveToolFile,
} from "./uploads.ts";
import { verifyImage } from "./verification.ts";

type WithFilename = { Params: { "*": string } };
type ByUpload = { Params: { uploadId: string } };

/** Bytes that come in pieces: from signing tools as in object storage, and from the console. @see contracts/reposerver-keyserver.md section 3.3 */
export function registerUploadRoutes(app: FastifyInstance, openRepo: OpenRepo): void {
  registerToolUploads(app, openRepo);
  registerImageUploads(app, openRepo);
  app.register(async (bodies) => {
    bodies.removeAllContentTypeParsers();
    bodies.addContentTypeParser("*", (_req, _body, done) => done(null));
    registerBodies(bodies, openRepo);
  });
}

function registerToolUploads(app: FastifyInstance, openRepo: OpenRepo): void {
  app.post<WithFilename>("/multipart/initiate/*", async (req, reply) => {
    const { ctx } = await openRepo(req, reply);
    const filename = parseEntity(TargetFilename, req.params["*"]);
    const { fileSize } = parseEntity(InitiateQuery, req.query);
    const { id, partSize } = await openUpload(ctx, { filename, length: fileSize, fields: null });
    return { uploadId: id, partSize };
  });
  app.get<WithFilename>("/multipart/url/*", async (req, reply) => {
    const { ctx } = await openRepo(req, reply);
    const { part, uploadId, md5, contentLength } = parseEntity(PartUrlQuery, req.query);
    const upload = await getUpload(ctx, uploadId);
    if (upload.kind !== "cli" || upload.filename !== req.params["*"]) {
      throw new AppError("ota.missing_entity", "Missing entity: Upload");
    }
    const length = partLength(upload, part);
    if (contentLength > length) throw new AppError("ota.payload_too_large", `Part ${part} has ${length} bytes.`);
    if (contentLength < length) throw new AppError("ota.invalid_entity", `Part ${part} has ${length} bytes.`);
    const { namespaceId } = ctx;
    const claims = { namespaceId, filename: upload.filename, length, part: { uploadId, number: part, md5 } };
    return { uri: makeUploadLink(ctx, claims) };
  });
  app.put<WithFilename>("/multipart/complete/*", async (req, reply) => {
    const { ctx } = await openRepo(req, reply);
    const { uploadId, partETags } = parseEntity(CompleteUpload, req.body);
    const eTags = new Map(partETags.map(({ part, eTag }) => [part, eTag]));
    await completeToolUpload(ctx, { uploadId, filename: req.params["*"], eTags });
    return {};
  });
}

/** Our own, for the console: what it needs to go on after a break, and an end that lists the image. */
function registerImageUploads(app: FastifyInstance, openRepo: OpenRepo): void {
  app.post("/gatehouse/uploads", async (req, reply) => {
    const { ctx } = await openRepo(req, reply);
    const { name, version, hardwareIds, ...upload } = parseEntity(OpenUpload, req.body);
    const opened = await openUpload(ctx, { ...upload, fields: { name, version, hardwareIds } });
    return reply.code(201).send(toState(opened));
  });
  app.get<ByUpload>("/gatehouse/uploads/:uploadId", async (req, reply) => {
    const { ctx } = await openRepo(req, reply);
    return toState(await requireUpload(ctx, req.params));
  });
  app.post<ByUpload>("/gatehouse/uploads/:uploadId/complete", async (req, reply) => {
    const { ctx, repoId } = await openRepo(req, reply);
    const { id } = await requireUpload(ctx, req.params);
    const filename = await completeImageUpload(ctx, repoId, id);
    await verifyImage(ctx, repoId, filename);
    return getImage(ctx, filename);
  });
  app.delete<ByUpload>("/gatehouse/uploads/:uploadId", async (req, reply) => {
    const { ctx } = await openRepo(req, reply);
    const { id } = await requireUpload(ctx, req.params);
    await abortUpload(ctx, id);
    return reply.code(204).send();
  });
}

/** In a scope of its own: any content type is taken, and the body is left for the handler to read. */
function registerBodies(app: FastifyInstance, openRepo: OpenRepo): void {
  app.put("/gatehouse/uploads/:uploadId/parts/:number", async (req, reply) => {
    const { ctx } = await openRepo(req, reply);
    const { uploadId, number } = parseEntity(UploadPartParams, req.params);
    const { sha256 } = parseEntity(UploadPartQuery, req.query);
    await requireUpload(ctx, { uploadId });
    const md5 = req.headers["content-md5"];
    const expected = { uploadId, number, sha256, md5: typeof md5 === "string" ? md5 : null };
    const part = await receivePart(ctx, req.raw, expected);
    return reply.header("etag", `"${part.md5}"`).send({ number, length: part.length, sha256: part.sha256 });
  });
  app.put<WithFilename>("/multipart/part/*", async (req, reply) => {
    const { ctx } = await openRepo(req, reply);
    const { link } = parseEntity(UploadLinkQuery, req.query);
    return receiveByLink(ctx, req, reply, link ?? "");
  });
  app.put<WithFilename>("/uploads/*", async (req, reply) => {
    const { ctx } = await openRepo(req, reply);
    const { link } = parseEntity(UploadLinkQuery, req.query);
    return link === undefined ? redirectUpload(ctx, req, reply) : receiveByLink(ctx, req, reply, link);
  });
}

type FileRequest = FastifyRequest<WithFilename>;

async function receiveByLink(
  ctx: ImageRepoCtx,
  req: FileRequest,
  reply: FastifyReply,
  link: string,
): Promise<FastifyReply> {
  const { part, filename, length } = openUploadLink(ctx, link, req.params["*"]);
  const stated = req.headers["content-md5"];
  const md5 = part?.md5 ?? (typeof stated === "string" ? stated : null);
  const received =
    part === null
      ? await receiveToolFile(ctx, req.raw, { filename, length, md5 })
      : await receivePart(ctx, req.raw, { ...part, md5 });
  return reply.header("etag", `"${received.md5}"`).send();
}

/** The client may have begun to send; it reads the reply only when somebody takes what it sends. */
async function redirectUpload(ctx: ImageRepoCtx, req: FileRequest, reply: FastifyReply): Promise<FastifyReply> {
  req.raw.resume();
  const filename = parseEntity(TargetFilename, req.params["*"]);
  const stated = req.headers["content-length"];
  if (stated === undefined) {
    return reply.code(411).type("text/plain; charset=utf-8").send("The request must state its Content-Length.");
  }
  const { fileSize: length } = parseEntity(InitiateQuery, { fileSize: stated });
  await assertNameFree(ctx, { filename, length });
  return reply.redirect(makeUploadLink(ctx, { namespaceId: ctx.namespaceId, filename, length, part: null }), 302);
}

/** Of the console's uploads; a tool's are none of its business. */
async function requireUpload(ctx: ImageRepoCtx, params: { uploadId: string }): Promise<UploadRow> {
  const { uploadId } = parseEntity(UploadPartParams.pick({ uploadId: true }), params);
  const upload = await getUpload(ctx, uploadId);
  if (upload.kind !== "image") throw new AppError("ota.missing_entity", "Missing entity: Upload");
  return upload;
}

function toState(upload: UploadRow): UploadState {
  const { id, filename, length, partSize, state, parts } = upload;
  return {
    ...{ uploadId: id, filename, length, partSize, partCount: partCount(upload), state },
    parts: parts.map((part) => ({ number: part.number, length: part.length, sha256: part.sha256 })),
  };
}
