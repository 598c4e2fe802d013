import { createPublicKey, type KeyObject, verify, X509Certificate } from "node:crypto";
import type { CertificateFacts } from "#lib/pki/certificates.ts";
import { keyDigest } from "#services/mender/service.ts";

/** An authentication request as the device signed it. */
export type AuthRequest = {
  readonly identity: Readonly<Record<string, unknown>>;
  readonly identityText: string;
  readonly pubkeyPem: string;
  readonly key: KeyObject;
  readonly keySha256: string;
};

const LIMITS = { identityBytes: 16_384, identityDepth: 8, pemCharacters: 16_384 } as const;
/** What the server's decoder finds under these names in any spelling; we would read another field than it. */
const READ_FIELDS: ReadonlySet<string> = new Set(["id_data", "pubkey", "tenant_token", "tier"]);
const KEY_TYPES: ReadonlySet<string | undefined> = new Set(["rsa", "ec", "ed25519"]);

/**
 * Reads the body of an authentication request.
 *
 * NOTE: the server decodes names without regard to case. A body that says `pubkey` and `PubKey` would show us one key and the
 * server another, so other spellings are refused.
 *
 * @returns the request, or a sentence why it is none
 * @see docs/contracts/mender.md section 2
 */
export function readAuthRequest(body: Buffer): AuthRequest | string {
  const given = parseObject(body.toString("utf8"));
  if (given === null) return "the body is not a JSON object";
  for (const name of Object.keys(given)) {
    const folded = name.normalize("NFKC").toLowerCase();
    if (folded !== name && READ_FIELDS.has(folded)) return `${folded} is spelled in another way`;
  }
  const { id_data: identityText, pubkey } = given;
  if (typeof identityText !== "string" || Buffer.byteLength(identityText) > LIMITS.identityBytes) {
    return "id_data: must be a string that holds a JSON object";
  }
  const identity = parseObject(identityText);
  if (identity === null || Object.keys(identity).length === 0) return "id_data: must hold a JSON object with a field";
  if (!isShallow(identity, LIMITS.identityDepth)) return "id_data: nested too deeply";
  const key = typeof pubkey === "string" ? readKey(pubkey) : null;
  if (key === null || typeof pubkey !== "string")
    return "pubkey: must be a PEM of the kind PUBLIC KEY (RSA, ECDSA or Ed25519)";
  return { identity, identityText, pubkeyPem: pubkey, key, keySha256: keyDigest(key) };
}

/** Whether X-MEN-Signature is this key's signature over exactly these bytes: RSA PKCS#1 v1.5 or ECDSA with SHA-256, or Ed25519. */
export function isSignedBy(body: Buffer, signature: string, key: KeyObject): boolean {
  if (!/^[A-Za-z0-9+/]{16,4096}={0,2}$/.test(signature)) return false;
  const algorithm = key.asymmetricKeyType === "ed25519" ? null : "sha256";
  return verify(algorithm, body, key, Buffer.from(signature, "base64"));
}

/** Whether the request's key is the certificate's, by what they are, not by how they are written. */
export function isKeyOf(request: Pick<AuthRequest, "keySha256">, leaf: CertificateFacts): boolean {
  return request.keySha256 === keyDigest(new X509Certificate(leaf.der).publicKey);
}

function readKey(pem: string): KeyObject | null {
  if (
    pem.length > LIMITS.pemCharacters ||
    !/^\s*-----BEGIN PUBLIC KEY-----[A-Za-z0-9+/=\s]+-----END PUBLIC KEY-----\s*$/.test(pem)
  ) {
    return null;
  }
  try {
    const key = createPublicKey(pem);
    return KEY_TYPES.has(key.asymmetricKeyType) ? key : null;
  } catch {
    return null; // no key at all
  }
}

function parseObject(text: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? value : null;
  } catch {
    return null;
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isShallow(value: unknown, depth: number): boolean {
  if (typeof value !== "object" || value === null) return true;
  return depth > 0 && Object.values(value).every((inner) => isShallow(inner, depth - 1));
}
