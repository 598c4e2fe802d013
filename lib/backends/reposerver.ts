import { randomUUID } from "node:crypto";
import { PassThrough, type Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { z } from "zod";
import type { Page } from "#lib/contracts/console/common.ts";
import type { ListImages } from "#lib/contracts/console/images.ts";
import { RepoImage, RepoImagePage } from "#lib/contracts/ota/reposerver.ts";
import { AppError } from "#lib/errors/app-error.ts";
import { type BackendCall, type BackendClient, parseReply } from "./http.ts";
import { asImageError, isRefused } from "./image-errors.ts";
import { createImageUploads, type ImageUploads } from "./image-uploads.ts";
import type { Relay } from "./relay.ts";
import { listSignedTargets } from "./signed-targets.ts";

export type NewImage = {
  filename: string;
  name: string;
  version: string;
  hardwareIds: readonly string[];
  /** Of a Gatehouse: bytes of another digest are refused. */
  sha256?: string;
  body: Readable;
};

export type ReposerverBackend = {
  /** What verified an image is known only of a Gatehouse; images of any other repository are "not checked". */
  listImages(call: BackendCall, query: ListImages): Promise<Page<RepoImage>>;
  /** @throws AppError `image.not_found` */
  getImage(call: BackendCall, filename: string): Promise<RepoImage>;
  /**
   * Sends the image as it comes; when `body` breaks, the upload is broken off and leaves nothing.
   *
   * @throws AppError `image.exists` | `image.invalid` | `request.too_large` | whatever broke `body`
   */
  uploadImage(call: BackendCall, image: NewImage): Promise<void>;
  /** @throws AppError `image.not_found` | `image.in_use` */
  deleteImage(call: BackendCall, filename: string): Promise<void>;
  /** Uploads in parts. @throws AppError `backend.refused` by an external repository, which has no such thing */
  readonly uploads: ImageUploads;
  /** Signed metadata as it is served, byte for byte: `root.json`, `3.root.json`, `targets.json`. @returns null when there is none */
  readMetadata(call: BackendCall, name: string): Promise<Buffer | null>;
  /** An image as a device gets it; the status is the caller's to read, the body must be read or resumed. */
  openImage(call: BackendCall, filename: string): Promise<{ status: number; body: Readable }>;
};

const REPO = "/api/v1/user_repo";
const EXTENSION = `${REPO}/gatehouse/targets`;

/**
 * @param isGatehouse whether the service is one of ours and has the extensions
 * @param relay for bytes that are too many to be held
 */
export function createReposerverBackend(
  client: BackendClient,
  isGatehouse: (call: BackendCall) => Promise<boolean>,
  relay: Pick<Relay, "send">,
): ReposerverBackend {
  const get = <T extends z.ZodType>(call: BackendCall, path: string, schema: T): Promise<z.infer<T>> =>
    client.send(call, { method: "GET", path }).then((reply) => parseReply(client, reply, schema), asImageError);
  const signedTargets = async (call: BackendCall) =>
    listSignedTargets(client, await client.send(call, { method: "GET", path: `${REPO}/targets.json` }));
  return {
    async listImages(call, query) {
      if (await isGatehouse(call)) return get(call, `${EXTENSION}?${toQuery(query)}`, RepoImagePage);
      return (await signedTargets(call)).page(query);
    },
    async getImage(call, filename) {
      if (await isGatehouse(call)) return get(call, `${EXTENSION}/${encodeURIComponent(filename)}`, RepoImage);
      return (await signedTargets(call)).get(filename);
    },
    async uploadImage(call, image) {
      const { name, version } = image;
      const query = new URLSearchParams({
        name,
        version,
        hardwareIds: image.hardwareIds.join(","),
        targetFormat: "BINARY",
      });
      if (image.sha256 !== undefined && (await isGatehouse(call))) query.set("sha256", image.sha256);
      const { body, contentType } = toMultipart(image);
      const path = `${REPO}/targets/${toPath(image.filename)}?${query}`;
      await client.send(call, { method: "PUT", path, upload: { body, contentType } }).catch(asImageError);
    },
    async deleteImage(call, filename) {
      await client.send(call, { method: "DELETE", path: `${REPO}/targets/${toPath(filename)}` }).catch((error) => {
        if (isRefused(error, 409)) throw new AppError("image.in_use", error.message, { cause: error });
        return asImageError(error);
      });
    },
    uploads: createImageUploads(client, isGatehouse),
    async readMetadata(call, name) {
      const { status, body } = await client.send(call, { method: "GET", path: `${REPO}/${name}`, accept: [404] });
      return status === 404 ? null : body;
    },
    openImage: (call, filename) =>
      relay.send(call, {
        service: "reposerver",
        method: "GET",
        path: `${REPO}/targets/${toPath(filename)}`,
        headers: {},
        body: null,
      }),
  };
}

function toQuery(query: ListImages): URLSearchParams {
  const given = Object.entries(query).filter(([, value]) => value !== undefined);
  return new URLSearchParams(given.map(([key, value]) => [key, String(value)]));
}

/** A file name may contain `/`, which stays a path separator. */
function toPath(filename: string): string {
  return filename.split("/").map(encodeURIComponent).join("/");
}

/** The way of OTA+ Web: one field `file`; it needs no length in advance, which a browser's upload does not give. */
function toMultipart(image: NewImage): { body: Readable; contentType: string } {
  const boundary = `gatehouse-${randomUUID()}`;
  const head = `--${boundary}\r\ncontent-disposition: form-data; name="file"; filename="image"\r\ncontent-type: application/octet-stream\r\n\r\n`;
  const tail = `\r\n--${boundary}--\r\n`;
  const body = new PassThrough();
  const framed = async function* () {
    yield Buffer.from(head);
    // The caller's stream stays open when the repository has answered early: its client still waits for our reply.
    yield* image.body.iterator({ destroyOnReturn: false });
    yield Buffer.from(tail);
  };
  // A failure of either side destroys the other; the caller hears of it through the request.
  pipeline(framed, body).catch(() => undefined);
  return { body, contentType: `multipart/form-data; boundary=${boundary}` };
}
