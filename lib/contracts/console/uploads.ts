import { z } from "zod";
import { Empty, HardwareId, MetadataName, Sha256, TargetFilename, Uuid } from "./common.ts";
import { endpoint } from "./endpoint.ts";
import { Image } from "./images.ts";

/** 8 GiB, in parts of {@link UPLOAD_PART_MAX_BYTES} at most. */
export const UPLOAD_MAX_BYTES = 8_589_934_592;
export const UPLOAD_PART_MAX_BYTES = 16_777_216;

/** What an image is called, and the file name that follows from it. */
export const OpenUpload = z
  .strictObject({
    name: MetadataName(200),
    version: MetadataName(200),
    hardwareIds: z.array(HardwareId).min(1).max(50),
    length: z.number().int().min(1).max(UPLOAD_MAX_BYTES),
    sha256: Sha256,
  })
  .refine(({ name, version }) => TargetFilename.safeParse(`${name}_${version}`).success, {
    path: ["name"],
    message: "and version together must make a file name: at most 253 characters, no .. and no leading /",
  });
export type OpenUpload = z.infer<typeof OpenUpload>;

/** Part `n`, from 1, has the bytes from `(n - 1) * partSize` on; all but the last have that size. */
export const Upload = z.object({
  id: z.string(),
  filename: z.string(),
  length: z.number().int(),
  partSize: z.number().int(),
  partCount: z.number().int(),
  /** Those that are here and durable. */
  parts: z.array(z.object({ number: z.number().int(), sha256: Sha256 })),
});
export type Upload = z.infer<typeof Upload>;

const ById = z.strictObject({ id: Uuid });

export const openUpload = endpoint({
  method: "POST",
  path: "/api/v1/uploads",
  permission: "image.upload",
  summary: "Begin an upload in parts, which can go on after any break; the file name becomes <name>_<version>",
  body: OpenUpload,
  status: 201,
  reply: Upload,
});

export const getUpload = endpoint({
  method: "GET",
  path: "/api/v1/uploads/{id}",
  permission: "image.upload",
  summary: "Which parts of an upload are here",
  params: ById,
  reply: Upload,
});

export const putUploadPart = endpoint({
  method: "PUT",
  path: "/api/v1/uploads/{id}/parts/{number}",
  permission: "image.upload",
  summary: "Send one part: its bytes as the body; it may be sent again",
  params: z.strictObject({ id: Uuid, number: z.coerce.number().int().min(1).max(10_000) }),
  query: z.strictObject({ sha256: Sha256.optional() }),
  stream: { contentType: "application/octet-stream", maxBytes: UPLOAD_PART_MAX_BYTES },
  reply: Empty,
});

export const completeUpload = endpoint({
  method: "POST",
  path: "/api/v1/uploads/{id}/complete",
  permission: "image.upload",
  summary: "Make an image of the parts, when the whole has the digest that was announced",
  params: ById,
  status: 201,
  reply: Image,
});

export const deleteUpload = endpoint({
  method: "DELETE",
  path: "/api/v1/uploads/{id}",
  permission: "image.upload",
  summary: "Give up an upload",
  params: ById,
  reply: Empty,
});
