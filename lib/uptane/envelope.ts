import { createHash } from "node:crypto";
import { AppError } from "#lib/errors/app-error.ts";
import { canonicalBytes } from "#lib/uptane/canonical.ts";
import { type Json, type JsonLimits, type JsonObject, parseJsonBounded } from "#lib/uptane/json.ts";
import { serverKeyId, type TufKey } from "#lib/uptane/keys.ts";
import { MAX_SIGNATURES } from "#lib/uptane/limits.ts";
import { malformed, member, readArray, readObject, readString } from "#lib/uptane/read.ts";
import { isKnownMethod, verifySignature } from "#lib/uptane/signatures.ts";

export type SignatureEntry = { readonly keyid: string; readonly method: string; readonly sig: string };

/** A parsed document whose signatures nobody has checked yet. Hash and length are those of its canonical form. */
export type Envelope = {
  readonly signatures: readonly SignatureEntry[];
  readonly signed: JsonObject;
  readonly signedBytes: Buffer;
  readonly sha256: string;
  readonly sha512: string;
  readonly length: number;
};

/** Which keys speak for a role, and how many of them must. */
export type RoleKeys = { readonly keyids: readonly string[]; readonly threshold: number };

/**
 * Reads a signed repository document as a device does: parsed, then printed in canonical form for signatures and hashes,
 * so that white space and member order on the wire do not matter.
 *
 * @throws AppError `uptane.malformed` | `uptane.too_large` | `uptane.not_canonical` | `uptane.signature_invalid` (a key id
 *   twice, or a method that devices do not know, even on a superfluous signature)
 * @see contracts/aktualizr-client.md section 5, "Wire vs signed form" and "Signatures"
 */
export function parseEnvelope(bytes: Uint8Array, limits: JsonLimits): Envelope {
  const document = readObject(parseJsonBounded(bytes, limits), "the document");
  const signed = readObject(member(document, "signed"), "signed");
  const signatures = readSignatures(member(document, "signatures"));
  assertUsableSignatures(signatures);
  const canonical = canonicalBytes(document);
  return {
    signatures,
    signed,
    signedBytes: canonicalBytes(signed),
    sha256: createHash("sha256").update(canonical).digest("hex"),
    sha512: createHash("sha512").update(canonical).digest("hex"),
    length: canonical.length,
  };
}

/** The signature list alone, bounded; whether entries repeat or make sense is for the caller. @throws AppError `uptane.malformed` */
export function readSignatures(value: Json | undefined): readonly SignatureEntry[] {
  const list = readArray(value, "signatures");
  if (list.length > MAX_SIGNATURES) throw malformed(`it has more than ${MAX_SIGNATURES} signatures`);
  return list.map((item) => {
    const entry = readObject(item, "a signature");
    return {
      keyid: readString(member(entry, "keyid"), "keyid"),
      method: readString(member(entry, "method"), "method"),
      sig: readString(member(entry, "sig"), "sig"),
    };
  });
}

/**
 * Counts the valid signatures of a role's keys. Signatures by other keys are ignored. What counts is distinct *keys*: one
 * key listed under two ids must not meet a threshold of two.
 *
 * @throws AppError `uptane.threshold_unmet`
 * @see TUF 1.0.31 section 5.3.4; contracts/aktualizr-client.md section 5, "Signatures"
 */
export function assertThreshold(envelope: Envelope, keys: ReadonlyMap<string, TufKey>, role: RoleKeys): void {
  const valid = new Set<string>();
  for (const { keyid, method, sig } of envelope.signatures) {
    const key = role.keyids.includes(keyid) ? keys.get(keyid) : undefined;
    if (key !== undefined && verifySignature(key, method, sig, envelope.signedBytes)) valid.add(serverKeyId(key));
  }
  if (valid.size >= role.threshold) return;
  throw new AppError("uptane.threshold_unmet", "The document is not signed by enough keys of its role.", {
    context: { valid: valid.size, threshold: role.threshold },
  });
}

function assertUsableSignatures(signatures: readonly SignatureEntry[]): void {
  const seen = new Set<string>();
  for (const { keyid, method } of signatures) {
    if (!isKnownMethod(method)) throw refused("A signature uses a method that devices do not know.");
    if (seen.has(keyid)) throw refused("Two signatures name the same key.");
    seen.add(keyid);
  }
}

function refused(message: string): AppError {
  return new AppError("uptane.signature_invalid", message);
}
