import { z } from "zod";
import { HardwareId, MetadataName, Sha256 } from "#lib/contracts/console/common.ts";
import { TargetFilename } from "#lib/contracts/ota/reposerver.ts";

/*
 * Uploads by parts: of signing tools as contracts/reposerver-keyserver.md section 3.3 has them, and our own below
 * `…/gatehouse/uploads`, where the parts of one image come in any order and as often as it takes.
 */

export const UPLOAD_MAX_BYTES = 8_589_934_592;
/** What signing tools are told; theirs is the same number. */
export const TOOL_PART_BYTES = 104_857_600;
export const UPLOAD_PART_BYTES = 16_777_216;

const Base64Md5 = z.string().regex(/^[A-Za-z0-9+/]{22}==$/, "must be the MD5 of the part in base64");
const PartNumber = z.coerce.number().int().min(1).max(10_000);

export const InitiateQuery = z.object({ fileSize: z.coerce.number().int().min(1).max(Number.MAX_SAFE_INTEGER) });
export const PartUrlQuery = z.object({
  part: PartNumber,
  uploadId: z.guid(),
  md5: Base64Md5,
  contentLength: z.coerce.number().int().min(1),
});
/** What an address that we gave out says of itself. */
export const UploadLinkQuery = z.object({ link: z.string().max(4_000).optional() });
export const CompleteUpload = z.object({
  uploadId: z.guid(),
  partETags: z.array(z.object({ part: PartNumber, eTag: z.string().max(100) })).max(10_000),
});

/** Body of POST `…/gatehouse/uploads`: an image that is listed once all its parts are here. */
export const OpenUpload = z.object({
  filename: TargetFilename,
  length: z.number().int().min(1).max(UPLOAD_MAX_BYTES),
  sha256: Sha256.optional(),
  name: MetadataName(200),
  version: MetadataName(200),
  hardwareIds: z.array(HardwareId).max(100).default([]),
});
export type OpenUpload = z.infer<typeof OpenUpload>;

export const UploadPartParams = z.object({ uploadId: z.guid(), number: PartNumber });
export const UploadPartQuery = z.object({ sha256: Sha256.optional() });

export const UploadPart = z.object({ number: z.number().int(), length: z.number().int(), sha256: Sha256 });

/** Answer about an upload: part `n` holds the bytes from `(n - 1) * partSize` on; all but the last have that size. */
export const UploadState = z.object({
  uploadId: z.string(),
  filename: z.string(),
  length: z.number().int(),
  partSize: z.number().int(),
  partCount: z.number().int(),
  state: z.enum(["open", "received"]),
  parts: z.array(UploadPart),
});
export type UploadState = z.infer<typeof UploadState>;
