import "reflect-metadata";
import { createHash, createPublicKey, type KeyObject, verify } from "node:crypto";
import { Pkcs10CertificateRequest } from "@peculiar/x509";
import { AppError } from "#lib/errors/app-error.ts";
import { KEY_TYPES, type PublicKeyFacts, publicKeyFacts } from "#lib/pki/certificates.ts";
import { signedPartOf } from "#lib/pki/der.ts";

/** A request for a certificate whose sender has shown that it holds the private key. Nothing else in it is proved. */
export type ProvedRequest = {
  readonly publicKey: KeyObject;
  readonly key: PublicKeyFacts;
  /** SHA-256 of the SubjectPublicKeyInfo, lower-case hex. */
  readonly spkiSha256: string;
  /** The only common name, when there is one and it is one line of printable text: a wish. */
  readonly commonName: string | null;
};

export const CSR_LIMITS = { derBytes: 16 * 1024, base64Characters: 32 * 1024, rsaBits: 8192 } as const;

/**
 * Reads a PKCS#10 request and checks its proof of possession. The input is untrusted: bounded first, and what the signature covers are
 * the bytes that came, never bytes that a parser wrote again.
 *
 * Attributes are read by nobody: a challengePassword is no secret of ours, and extensions, names and key usage are ours to choose.
 *
 * @param body base64 with or without line breaks, DER, or PEM
 * @param allowedKeyTypes none: every kind of `KEY_TYPES`
 * @throws AppError `csr.malformed` | `csr.bad_proof` | `csr.weak_key` (too weak, unknown, or not of these types)
 * @see RFC 2986 section 4; RFC 7030 sections 3.4 and 4.2.1
 */
export function readRequest(body: Uint8Array, allowedKeyTypes: readonly string[] = []): ProvedRequest {
  const der = toDer(Buffer.from(body));
  const { parsed, signedPart } = parse(der);
  const publicKey = loadKey(parsed);
  const key = publicKeyFacts(publicKey);
  if (!isAllowed(key, allowedKeyTypes)) throw weak(key.type, allowedKeyTypes);
  if (!isProved(parsed, signedPart, publicKey)) {
    throw new AppError("csr.bad_proof", "The request is not signed by the key that it asks a certificate for.");
  }
  return {
    publicKey,
    key,
    spkiSha256: createHash("sha256")
      .update(publicKey.export({ type: "spki", format: "der" }))
      .digest("hex"),
    commonName: commonNameOf(parsed),
  };
}

function toDer(body: Buffer): Buffer {
  if (body[0] === 0x30) return bounded(body);
  if (body.length > CSR_LIMITS.base64Characters) throw malformed();
  const text = body.toString("latin1").trim();
  const base64 = PEM.exec(text)?.[1] ?? text;
  if (!/^[A-Za-z0-9+/\s]+={0,2}$/.test(base64)) throw malformed();
  return bounded(Buffer.from(base64, "base64"));
}

const PEM =
  /^-----BEGIN (?:NEW )?CERTIFICATE REQUEST-----\s([A-Za-z0-9+/=\s]*)\s-----END (?:NEW )?CERTIFICATE REQUEST-----$/;

function bounded(der: Buffer): Buffer {
  if (der.length > CSR_LIMITS.derBytes) throw malformed();
  return der;
}

function parse(der: Buffer): { parsed: Pkcs10CertificateRequest; signedPart: Buffer } {
  try {
    return { signedPart: signedPartOf(der), parsed: new Pkcs10CertificateRequest(new Uint8Array(der)) };
  } catch (cause) {
    // NOTE: the parser throws errors of any class for bytes it dislikes; all of them mean the same here.
    throw malformed(cause);
  }
}

function loadKey(parsed: Pkcs10CertificateRequest): KeyObject {
  try {
    return createPublicKey({ key: Buffer.from(parsed.publicKey.rawData), type: "spki", format: "der" });
  } catch (cause) {
    throw new AppError("csr.weak_key", "The request's key is of a kind that is not known here.", { cause });
  }
}

/** A modulus of any size would cost as much time as its sender likes. */
function isAllowed(key: PublicKeyFacts, allowed: readonly string[]): boolean {
  const types: readonly string[] = allowed.length > 0 ? allowed : KEY_TYPES;
  return (
    KEY_TYPES.some((type) => type === key.type) && types.includes(key.type) && (key.bits ?? 0) <= CSR_LIMITS.rsaBits
  );
}

function isProved(parsed: Pkcs10CertificateRequest, signedPart: Buffer, publicKey: KeyObject): boolean {
  const hash = HASHES[parsed.signatureAlgorithm.hash?.name ?? ""];
  const isEdwards = publicKey.asymmetricKeyType === "ed25519";
  if (hash === undefined && !isEdwards) return false;
  try {
    return verify(isEdwards ? null : hash, signedPart, publicKey, Buffer.from(parsed.signature));
  } catch {
    // A signature that OpenSSL cannot even read proves nothing.
    return false;
  }
}

const HASHES: Readonly<Record<string, string>> = { "SHA-256": "sha256", "SHA-384": "sha384", "SHA-512": "sha512" };

function commonNameOf(parsed: Pkcs10CertificateRequest): string | null {
  const names = parsed.subjectName.getField("CN");
  const [name] = names;
  return names.length === 1 && name !== undefined && /^[^\p{C}\ufffd]{1,200}$/u.test(name) ? name.trim() || null : null;
}

function malformed(cause?: unknown): AppError {
  return new AppError("csr.malformed", "This is not a well-formed PKCS#10 request.", { cause });
}

function weak(type: string, allowed: readonly string[]): AppError {
  const wanted = allowed.length > 0 ? allowed : KEY_TYPES;
  return new AppError("csr.weak_key", `The request's key is ${type}; ${wanted.join(", ")} is needed.`);
}
