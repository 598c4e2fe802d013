import { createHash, randomBytes } from "node:crypto";

const SECRET_BYTES = 32;

/** API tokens are known by their look, so that scanners of leaked secrets find them. */
export const TOKEN_PREFIX = "gh_";
/** The secret of a machine client. */
export const MACHINE_SECRET_PREFIX = "ghs_";
/** With which a device asks for its first certificate. */
export const ENROLMENT_TOKEN_PREFIX = "ght_";
const TOKEN = /^gh_[A-Za-z0-9_-]{43}$/;

/** A secret that a person or machine is given once; we keep its hash. 256 random bits need no slow hash. */
export type SecretText = { readonly text: string; readonly hash: Uint8Array<ArrayBuffer> };

export function newSecretText(prefix = ""): SecretText {
  const text = prefix + randomBytes(SECRET_BYTES).toString("base64url");
  return { text, hash: hashSecretText(text) };
}

export function hashSecretText(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(createHash("sha256").update(text, "utf8").digest());
}

export function looksLikeToken(text: string): boolean {
  return TOKEN.test(text);
}
