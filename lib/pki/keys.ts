import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { AppError } from "#lib/errors/app-error.ts";

/** What an authority of this install may be made with. */
export const CA_KEY_KINDS = ["P-256", "P-384", "RSA-3072", "Ed25519"] as const;
export type CaKeyKind = (typeof CA_KEY_KINDS)[number];

/** How a key signs, in the words of Web Cryptography. */
type SignatureAlgorithm =
  | { readonly name: "ECDSA"; readonly namedCurve: "P-256" | "P-384"; readonly hash: SignatureHash }
  | { readonly name: "RSASSA-PKCS1-v1_5"; readonly hash: SignatureHash }
  | { readonly name: "Ed25519" };
type SignatureHash = "SHA-256" | "SHA-384";

/** A key that signs certificates; the private part stays inside. */
export type CertificateSigner = {
  readonly publicKey: KeyObject;
  readonly algorithm: SignatureAlgorithm;
  /** The signature over `bytes`: ECDSA as `r || s`, each of the curve's length; RSA and Ed25519 as they stand in a certificate. */
  sign(bytes: Uint8Array): Buffer;
};

/**
 * Makes a key pair.
 *
 * @returns the private key as PKCS#8 PEM: seal it or hand it to its device, and forget it
 */
export function generateCertificateKey(kind: CaKeyKind = "P-256"): { publicKey: KeyObject; privateKeyPem: string } {
  const pair = generatePair(kind);
  return {
    publicKey: pair.publicKey,
    privateKeyPem: pair.privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
  };
}

/**
 * Opens a private key for signing: EC on P-256 or P-384, RSA from 2048 bits, Ed25519.
 *
 * @throws AppError `pki.malformed` when the PEM is not a private key | `pki.unsupported` when it is of another kind
 */
export function certificateSigner(privateKeyPem: string): CertificateSigner {
  const privateKey = readPrivateKey(privateKeyPem);
  const algorithm = algorithmOf(privateKey);
  if (algorithm === null) {
    throw new AppError(
      "pki.unsupported",
      "A signing key for certificates is EC on P-256 or P-384, RSA from 2048 bits, or Ed25519.",
    );
  }
  const digest = algorithm.name === "Ed25519" ? null : DIGESTS[algorithm.hash];
  return {
    publicKey: createPublicKey(privateKey),
    algorithm,
    sign: (bytes) => sign(digest, bytes, { key: privateKey, dsaEncoding: "ieee-p1363" }),
  };
}

const DIGESTS = { "SHA-256": "sha256", "SHA-384": "sha384" } as const;

function generatePair(kind: CaKeyKind) {
  switch (kind) {
    case "P-256":
    case "P-384":
      return generateKeyPairSync("ec", { namedCurve: kind });
    case "RSA-3072":
      return generateKeyPairSync("rsa", { modulusLength: 3072 });
    case "Ed25519":
      return generateKeyPairSync("ed25519");
  }
}

/** The hash has the strength of the curve. @see RFC 5758 section 3.2, RFC 8410 section 3, RFC 4055 section 5 */
function algorithmOf(key: KeyObject): SignatureAlgorithm | null {
  const details = key.asymmetricKeyDetails;
  switch (key.asymmetricKeyType) {
    case "ec":
      return EC_ALGORITHMS[details?.namedCurve ?? ""] ?? null;
    case "rsa":
      return (details?.modulusLength ?? 0) >= 2048 ? { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256" } : null;
    case "ed25519":
      return { name: "Ed25519" };
    default:
      return null;
  }
}

const EC_ALGORITHMS: Readonly<Record<string, SignatureAlgorithm>> = {
  prime256v1: { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" },
  secp384r1: { name: "ECDSA", namedCurve: "P-384", hash: "SHA-384" },
};

function readPrivateKey(privateKeyPem: string): KeyObject {
  try {
    return createPrivateKey(privateKeyPem);
  } catch (cause) {
    throw new AppError("pki.malformed", "This is not a private key in PEM form, without a password.", { cause });
  }
}
