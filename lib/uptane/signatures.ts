import { constants, createHash, verify } from "node:crypto";
import { AppError } from "#lib/errors/app-error.ts";
import { canonicalBytes } from "#lib/uptane/canonical.ts";
import type { Json } from "#lib/uptane/json.ts";
import { publicKeyObject, type Signer, type TufKey } from "#lib/uptane/keys.ts";

/** A signed document as it is stored and served: never print it again, send `bytes`. `checksum` is lower-case hex SHA-256. */
export type SignedDocument = { readonly bytes: Buffer; readonly checksum: string; readonly length: number };

/**
 * Checks one signature. A method that does not belong to the key's type, and base64 or a length that is off, are simply
 * not a valid signature.
 *
 * RSA is PSS with SHA-256 and MGF1-SHA-256 under both method names, with whatever salt length the signer chose, as devices do.
 *
 * @throws AppError `uptane.malformed` when the key itself is unusable
 * @see contracts/aktualizr-client.md section 5, "Signatures"; contracts/uptane-metadata.md section 3.1
 */
export function verifySignature(key: TufKey, method: string, sigBase64: string, bytes: Uint8Array): boolean {
  const signature = decodeBase64(sigBase64);
  if (signature === null || !isMethodOf(key, method)) return false;
  const publicKey = publicKeyObject(key);
  if (key.keytype === "ED25519") return verify(null, bytes, publicKey, signature);
  const padding = { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_AUTO };
  return verify("sha256", bytes, { key: publicKey, ...padding }, signature);
}

/** True for the methods that devices know, in any case; one other method anywhere makes them refuse the document. */
export function isKnownMethod(method: string): boolean {
  return ["ed25519", "rsassa-pss", "rsassa-pss-sha256"].includes(method.toLowerCase());
}

/**
 * Signs the canonical form of `signed` and prints the canonical envelope around it. Hash and length are those of the whole
 * envelope, as snapshot, timestamp and `x-ats-role-checksum` state them.
 *
 * @param maxBytes what devices accept for the role, see `METADATA_LIMITS`; a longer document is not signed into the world
 * @throws AppError `uptane.not_canonical` | `uptane.too_large`
 * @see contracts/uptane-metadata.md section 1 and 7
 */
export function signDocument(
  signed: Json,
  signers: readonly Signer[],
  maxBytes = Number.MAX_SAFE_INTEGER,
): SignedDocument {
  const input = canonicalBytes(signed);
  const signatures = signers.map((signer) => ({ keyid: signer.keyId, method: signer.method, sig: signer.sign(input) }));
  const bytes = canonicalBytes({ signatures, signed });
  if (bytes.length > maxBytes) {
    throw new AppError(
      "uptane.too_large",
      `The document would be larger than the ${maxBytes} bytes that devices accept.`,
      {
        context: { length: bytes.length, maxBytes },
      },
    );
  }
  return { bytes, checksum: createHash("sha256").update(bytes).digest("hex"), length: bytes.length };
}

function isMethodOf(key: TufKey, method: string): boolean {
  const isEd25519 = method.toLowerCase() === "ed25519";
  return isKnownMethod(method) && isEd25519 === (key.keytype === "ED25519");
}

/** Buffer.from skips what is not base64, so that one signature would have endless spellings. */
function decodeBase64(text: string): Buffer | null {
  if (text.length > 1024 || !/^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(text)) return null;
  return Buffer.from(text, "base64");
}
