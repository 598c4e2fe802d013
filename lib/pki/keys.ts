import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { AppError } from "#lib/errors/app-error.ts";

/** A P-256 key that signs certificates; the private part stays inside. */
export type CertificateSigner = {
  readonly publicKey: KeyObject;
  /** ECDSA with SHA-256 over `bytes`, as `r || s` of 64 bytes. */
  sign(bytes: Uint8Array): Buffer;
};

/**
 * Makes a P-256 key pair.
 *
 * @returns the private key as PKCS#8 PEM: seal it or hand it to its device, and forget it
 */
export function generateCertificateKey(): { publicKey: KeyObject; privateKeyPem: string } {
  const pair = generateKeyPairSync("ec", { namedCurve: "P-256" });
  return {
    publicKey: pair.publicKey,
    privateKeyPem: pair.privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
  };
}

/**
 * Opens a private key for signing.
 *
 * @throws AppError `pki.malformed` when the PEM is not a private key | `pki.unsupported` when it is not P-256
 */
export function certificateSigner(privateKeyPem: string): CertificateSigner {
  const privateKey = readPrivateKey(privateKeyPem);
  if (privateKey.asymmetricKeyDetails?.namedCurve !== "prime256v1") {
    throw new AppError("pki.unsupported", "A signing key for certificates is an EC key on P-256.");
  }
  return {
    publicKey: createPublicKey(privateKey),
    sign: (bytes) => sign("sha256", bytes, { key: privateKey, dsaEncoding: "ieee-p1363" }),
  };
}

function readPrivateKey(privateKeyPem: string): KeyObject {
  try {
    return createPrivateKey(privateKeyPem);
  } catch (cause) {
    throw new AppError("pki.malformed", "This is not a private key in PEM form.", { cause });
  }
}
