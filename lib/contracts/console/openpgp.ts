import { z } from "zod";
import { Empty, Instant, TargetFilename } from "./common.ts";
import { endpoint } from "./endpoint.ts";
import { Image } from "./images.ts";

const MAX_KEY_CHARACTERS = 200_000;
const MAX_SIGNATURE_CHARACTERS = 100_000;
const MAX_DOCUMENT_CHARACTERS = 1_400_000;

const Base64 = z.string().regex(/^[A-Za-z0-9+/]+={0,2}$/, "must be base64");

/** A public key whose signatures over images count here. */
export const OpenpgpKey = z.object({
  fingerprint: z.string(),
  name: z.string(),
  expiresAt: Instant.nullable(),
  addedBy: z.string(),
  addedAt: Instant,
});
export type OpenpgpKey = z.infer<typeof OpenpgpKey>;

export const AddSignature = z.strictObject({
  /** The signature's file, armored or binary, in base64. */
  signature: Base64.max(MAX_SIGNATURE_CHARACTERS),
  /** A `sha256sum.txt` that a signature apart from it is about, in base64. */
  document: Base64.max(MAX_DOCUMENT_CHARACTERS).optional(),
});
export type AddSignature = z.infer<typeof AddSignature>;

export const listOpenpgpKeys = endpoint({
  method: "GET",
  path: "/api/v1/openpgp-keys",
  permission: "image.read",
  summary: "OpenPGP keys whose signatures over images count",
  reply: z.object({ data: z.array(OpenpgpKey) }),
});

export const addOpenpgpKey = endpoint({
  method: "POST",
  path: "/api/v1/openpgp-keys",
  permission: "image.trust",
  summary: "Trust an OpenPGP public key",
  body: z.strictObject({ armored: z.string().min(1).max(MAX_KEY_CHARACTERS) }),
  maxBodyBytes: 262_144,
  status: 201,
  reply: OpenpgpKey,
});

export const removeOpenpgpKey = endpoint({
  method: "DELETE",
  path: "/api/v1/openpgp-keys/{fingerprint}",
  permission: "image.trust",
  summary: "Trust an OpenPGP key no longer",
  params: z.strictObject({ fingerprint: z.string().regex(/^[0-9a-f]{40,64}$/) }),
  reply: Empty,
});

export const addImageSignature = endpoint({
  method: "POST",
  path: "/api/v1/images/{filename}/signatures",
  permission: "image.upload",
  summary:
    "Add an OpenPGP signature by a trusted key: of the container form, a signed sha256sum.txt, or detached over the image's bytes",
  params: z.strictObject({ filename: TargetFilename }),
  body: AddSignature,
  maxBodyBytes: 1_600_000,
  status: 201,
  reply: Image,
});
