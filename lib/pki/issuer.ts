import { X509Certificate } from "node:crypto";
import type { CertificateFacts } from "#lib/pki/certificates.ts";

/**
 * True when `authority` may sign certificates and did sign this one.
 *
 * The proof is the signature under the stored authority's key; names and key identifiers are never proof.
 * The answer never changes for a pair of certificates, so callers may keep it.
 *
 * @see RFC 5280 section 6.1.3 (a)(1) and 6.1.4 (k), (n)
 */
export function isSignedBy(certificate: CertificateFacts, authority: CertificateFacts): boolean {
  if (!maySign(authority)) return false;
  try {
    return new X509Certificate(certificate.der).verify(new X509Certificate(authority.der).publicKey);
  } catch {
    // A key that OpenSSL cannot load has signed nothing.
    return false;
  }
}

/** Could `authority` be the issuer, by name? A hint that saves signature checks; white space and case do not count. */
export function isNamedIssuer(certificate: CertificateFacts, authority: CertificateFacts): boolean {
  return comparableName(certificate.issuerDn) === comparableName(authority.subjectDn);
}

/** True when the certificate is a CA's and may sign certificates. */
export function maySign(authority: CertificateFacts): boolean {
  return authority.isCa && (authority.keyUsage === null || authority.keyUsage.includes("keyCertSign"));
}

/** A name as it is compared: white space and case do not count. */
export function comparableName(name: string): string {
  return name.toLowerCase().replace(/\s+/g, " ").trim();
}
