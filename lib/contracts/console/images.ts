import { z } from "zod";
import { Empty, Instant, ListQuery, pageOf, Sha256, TargetFilename } from "./common.ts";
import { endpoint } from "./endpoint.ts";

export const IMAGE_MAX_BYTES = 536_872_000; // the contract's limit of a direct upload

export const VerificationState = z.enum(["verified", "mismatch", "not_checked"]);
export type VerificationState = z.infer<typeof VerificationState>;

/** In the order in which they are made: an OSTree commit has `commit` where a file has length and digest. */
export const VERIFICATION_CHECKS = [
  "root",
  "timestamp",
  "snapshot",
  "targets",
  "length",
  "digest",
  "commit",
  "openpgp",
] as const;

export const VerificationCheck = z.object({
  check: z.enum(VERIFICATION_CHECKS),
  result: z.enum(["ok", "failed", "not_checked"]),
  /** Why it failed, for programs: an error code of the verifier. */
  code: z.string().nullable().default(null),
  text: z.string(),
  keyIds: z.array(z.string()),
  at: Instant.nullable(),
});
export type VerificationCheck = z.infer<typeof VerificationCheck>;

export const Verification = z.object({ state: VerificationState, checks: z.array(VerificationCheck) });

export const Image = z.object({
  filename: z.string(),
  name: z.string(),
  version: z.string(),
  hardwareIds: z.array(z.string()),
  sha256: Sha256,
  length: z.number().int(),
  format: z.enum(["BINARY", "OSTREE"]),
  createdAt: Instant,
  verification: Verification,
  /** Devices that report it installed, and those that it is assigned to. */
  installedOn: z.number().int(),
  assignedTo: z.number().int(),
});
export type Image = z.infer<typeof Image>;

const ByFilename = z.strictObject({ filename: TargetFilename });

export const IMAGE_SORTS = ["-createdAt", "createdAt", "filename", "-filename"] as const;
export const ListImages = ListQuery.extend({
  sort: z.enum(IMAGE_SORTS).default("-createdAt"),
  hardware: z.string().max(200).optional(),
});
export type ListImages = z.infer<typeof ListImages>;

export const listImages = endpoint({
  method: "GET",
  path: "/api/v1/images",
  permission: "image.read",
  summary: "Images of the repository",
  query: ListImages,
  reply: pageOf(Image),
});

export const uploadImage = endpoint({
  method: "POST",
  path: "/api/v1/images",
  permission: "image.upload",
  summary:
    "Upload an image: multipart/form-data with the fields name, version, hardwareIds (comma separated), optionally sha256, then file. The file name becomes <name>_<version>",
  stream: { contentType: "multipart/form-data", maxBytes: IMAGE_MAX_BYTES + 65_536 },
  status: 201,
  reply: Image,
});

export const getImage = endpoint({
  method: "GET",
  path: "/api/v1/images/{filename}",
  permission: "image.read",
  summary: "One image",
  params: ByFilename,
  reply: Image,
});

export const verifyImage = endpoint({
  method: "POST",
  path: "/api/v1/images/{filename}/verification",
  permission: "image.upload",
  summary:
    "Recompute every check of an image now: metadata from the pinned root on, length and digest of the stored bytes",
  params: ByFilename,
  reply: Verification,
});

export const getVerification = endpoint({
  method: "GET",
  path: "/api/v1/images/{filename}/verification",
  permission: "image.read",
  summary: "What the last verification of an image found",
  params: ByFilename,
  reply: Verification,
});

export const deleteImage = endpoint({
  method: "DELETE",
  path: "/api/v1/images/{filename}",
  permission: "image.delete",
  summary: "Delete an image; refused while it is assigned",
  params: ByFilename,
  reply: Empty,
});
