import type { CertificateFacts } from "#lib/pki/certificates.ts";
import { element, integer, objectIdentifier, sequence, setOf } from "#lib/pki/der-writer.ts";

/**
 * Puts certificates into a message that holds nothing but them: CMS SignedData without signer and content.
 *
 * @returns DER
 * @see RFC 5652 section 5.1; RFC 5272 section 4.1 (Simple PKI Response)
 */
export function certificatesOnly(certificates: readonly Pick<CertificateFacts, "der">[]): Buffer {
  const signedData = sequence(
    integer(1),
    setOf(),
    sequence(objectIdentifier("1.2.840.113549.1.7.1")),
    // [0] IMPLICIT SET OF, in the order of the encodings as DER wants it.
    element(0xa0, ...certificates.map(({ der }) => der).sort(Buffer.compare)),
    setOf(),
  );
  return sequence(objectIdentifier("1.2.840.113549.1.7.2"), element(0xa0, signedData));
}

/**
 * What a device should put into its request: a key on P-256, and a signature with SHA-256.
 *
 * @returns DER of CsrAttrs
 * @see RFC 7030 section 4.5.2
 */
export function requestAttributes(): Buffer {
  const P256 = objectIdentifier("1.2.840.10045.3.1.7");
  return sequence(
    sequence(objectIdentifier("1.2.840.10045.2.1"), setOf(P256)),
    objectIdentifier("1.2.840.10045.4.3.2"),
  );
}
