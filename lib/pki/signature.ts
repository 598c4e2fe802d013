import { AppError } from "#lib/errors/app-error.ts";
import { bits, element, NULL, objectIdentifier, sequence } from "#lib/pki/der-writer.ts";
import type { CertificateSigner } from "#lib/pki/keys.ts";

/**
 * Wraps a signed part as X.509 does: SEQUENCE { signed part, algorithm, signature }, with whatever follows it.
 *
 * @throws AppError `pki.unsupported` for a kind of key that nothing here signs with
 * @see RFC 5280 section 5.1.1, RFC 6960 section 4.2.1
 */
export function sealDer(signer: CertificateSigner, signedPart: Uint8Array, ...rest: readonly Uint8Array[]): Buffer {
  const signature = signer.sign(signedPart);
  // A signer gives ECDSA as `r || s`; X.509 wants SEQUENCE { r, s }. Other signatures are the same in both.
  const bytes = signer.algorithm.name === "ECDSA" ? ecdsaPair(signature) : signature;
  return sequence(signedPart, algorithmIdentifier(signer), bits(bytes), ...rest);
}

/**
 * The AlgorithmIdentifier of what this signer makes.
 *
 * @throws AppError `pki.unsupported`
 * @see RFC 5758 section 3.2, RFC 4055 section 5, RFC 8410 section 3
 */
export function algorithmIdentifier({ algorithm }: Pick<CertificateSigner, "algorithm">): Buffer {
  const name = algorithm.name === "Ed25519" ? algorithm.name : `${algorithm.name} ${algorithm.hash}`;
  const oid = IDENTIFIERS[name];
  if (oid === undefined) throw new AppError("pki.unsupported", "Nothing can be signed with this kind of key here.");
  // RSA's has a NULL, the others have nothing.
  return algorithm.name === "RSASSA-PKCS1-v1_5"
    ? sequence(objectIdentifier(oid), NULL)
    : sequence(objectIdentifier(oid));
}

const IDENTIFIERS: Readonly<Record<string, string>> = {
  "ECDSA SHA-256": "1.2.840.10045.4.3.2",
  "ECDSA SHA-384": "1.2.840.10045.4.3.3",
  "ECDSA SHA-512": "1.2.840.10045.4.3.4",
  "RSASSA-PKCS1-v1_5 SHA-256": "1.2.840.113549.1.1.11",
  "RSASSA-PKCS1-v1_5 SHA-384": "1.2.840.113549.1.1.12",
  "RSASSA-PKCS1-v1_5 SHA-512": "1.2.840.113549.1.1.13",
  Ed25519: "1.3.101.112",
};

function ecdsaPair(signature: Buffer): Buffer {
  const half = signature.length / 2;
  return sequence(positive(signature.subarray(0, half)), positive(signature.subarray(half)));
}

function positive(bytes: Buffer): Buffer {
  const start = bytes.findIndex((byte) => byte !== 0);
  const digits = start === -1 ? Buffer.alloc(1) : bytes.subarray(start);
  return element(0x02, ...((digits[0] ?? 0) >= 0x80 ? [Buffer.alloc(1), digits] : [digits]));
}
