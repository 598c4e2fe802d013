import type { Readable } from "node:stream";
import type { OpenUpload } from "#lib/contracts/ota/image-uploads.ts";
import { UploadState } from "#lib/contracts/ota/image-uploads.ts";
import { AppError } from "#lib/errors/app-error.ts";
import type { BackendCall, BackendClient, BackendRequest } from "./http.ts";
import { parseReply } from "./http.ts";
import { asImageError, isRefused } from "./image-errors.ts";

export type ImageUploads = {
  /** @throws AppError `upload.unsupported` (a repository that is no Gatehouse) | `image.exists` | `image.invalid` */
  open(call: BackendCall, upload: OpenUpload): Promise<UploadState>;
  /** @throws AppError `upload.not_found` */
  get(call: BackendCall, id: string): Promise<UploadState>;
  /** Sends a part as it comes. @throws AppError `upload.not_found` | `image.invalid` (length or digest) | whatever broke `body` */
  putPart(call: BackendCall, part: { id: string; number: number; sha256?: string; body: Readable }): Promise<void>;
  /** @throws AppError `upload.not_found` | `image.exists` | `image.invalid` (parts are missing, or the whole has another digest) */
  complete(call: BackendCall, id: string): Promise<void>;
  /** @throws AppError `upload.not_found` */
  abort(call: BackendCall, id: string): Promise<void>;
};

const PATH = "/api/v1/user_repo/gatehouse/uploads";
/** Putting eight gigabytes together, signing and reading them again. */
const COMPLETE_MS = 600_000;

/** Uploads in parts are our own extension of the contract. */
export function createImageUploads(
  client: BackendClient,
  isGatehouse: (call: BackendCall) => Promise<boolean>,
): ImageUploads {
  const send = (call: BackendCall, request: BackendRequest) =>
    client.send(call, request).catch((error: unknown) => {
      if (isRefused(error, 404)) throw new AppError("upload.not_found", "There is no such upload.", { cause: error });
      return asImageError(error);
    });
  return {
    async open(call, upload) {
      if (!(await isGatehouse(call))) {
        throw new AppError("upload.unsupported", "The image repository takes an image in one piece only.");
      }
      return parseReply(client, await send(call, { method: "POST", path: PATH, json: upload }), UploadState);
    },
    async get(call, id) {
      return parseReply(client, await send(call, { method: "GET", path: `${PATH}/${id}` }), UploadState);
    },
    async putPart(call, { id, number, sha256, body }) {
      const query = sha256 === undefined ? "" : `?sha256=${sha256}`;
      const upload = { body, contentType: "application/octet-stream" };
      await send(call, { method: "PUT", path: `${PATH}/${id}/parts/${number}${query}`, upload });
    },
    async complete(call, id) {
      await send(call, { method: "POST", path: `${PATH}/${id}/complete`, withinMs: COMPLETE_MS });
    },
    async abort(call, id) {
      await send(call, { method: "DELETE", path: `${PATH}/${id}` });
    },
  };
}
