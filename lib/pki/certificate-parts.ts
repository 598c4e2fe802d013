import { AppError } from "#lib/errors/app-error.ts";
import { derValue, derValues } from "#lib/pki/der.ts";

/** Exact bytes out of a certificate, where a re-encoding might differ. */
export type CertificateParts = {
  /** DER of the subject's Name. */
  readonly subjectName: Buffer;
  /** The bits of the public key, without the algorithm: what OCSP hashes. */
  readonly publicKeyBits: Buffer;
};

/**
 * @param certificateDer a certificate that `parseCertificate` took
 * @throws AppError `pki.malformed`
 * @see RFC 5280 section 4.1
 */
export function certificateParts(certificateDer: Buffer): CertificateParts {
  const [signedPart] = derValues(derValue(certificateDer).content);
  const members = signedPart === undefined ? [] : derValues(signedPart.content);
  // The version is there in every certificate with extensions, and left out of those of version 1.
  const [, , , , subject, spki] = members[0]?.tag === 0xa0 ? members.slice(1) : members;
  const [, key] = spki === undefined ? [] : derValues(spki.content);
  if (subject === undefined || key === undefined || key.tag !== 0x03 || key.content[0] !== 0) {
    throw new AppError("pki.malformed", "This is not a well-formed X.509 certificate.");
  }
  return { subjectName: subject.raw, publicKeyBits: key.content.subarray(1) };
}
