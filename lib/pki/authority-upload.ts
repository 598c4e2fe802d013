import { createPrivateKey } from "node:crypto";
import { AppError } from "#lib/errors/app-error.ts";
import { isStrongKey } from "#lib/pki/admission.ts";
import { type CertificateFacts, parseCertificate } from "#lib/pki/certificates.ts";
import { openIssuingCa } from "#lib/pki/issue.ts";
import { isSignedBy, maySign } from "#lib/pki/issuer.ts";

/** An outside authority as somebody brought it, looked at. */
export type UploadedAuthority = {
  readonly certificate: CertificateFacts;
  /** What stands above it, nearest first; each signed the one before. */
  readonly chain: readonly CertificateFacts[];
  /** PKCS#8 PEM; null when only the certificate came. */
  readonly privateKeyPem: string | null;
};

export const MOST_CHAIN_CERTIFICATES = 10;

/**
 * Reads an authority's certificate with what stands above it, and its key when there is one. The texts are untrusted.
 *
 * @param given `certificatePem` may have other lines around its blocks, as openssl prints them
 * @throws AppError `pki.malformed` | `pki.unsupported` (a critical extension nobody here understands, a key nothing signs with) |
 *   `pki.key_mismatch` | `request.too_large` | `authority.not_a_ca` | `authority.weak` | `authority.expired` |
 *   `authority.chain_invalid`, each message saying what to do
 * @see RFC 5280 section 6.1.4 (k) to (n)
 */
export function readAuthority(given: { certificatePem: string; privateKeyPem?: string; now: Date }): UploadedAuthority {
  const [certificate, ...chain] = readBlocks(given.certificatePem);
  if (certificate === undefined) {
    throw new AppError("pki.malformed", "There is no certificate in PEM form in this text.");
  }
  assertAuthority(certificate, chain, given.now);
  assertChain(certificate, chain);
  return { certificate, chain, privateKeyPem: readKey(certificate, given.privateKeyPem) };
}

function readBlocks(text: string): CertificateFacts[] {
  if (text.includes("PRIVATE KEY-----")) {
    throw new AppError("pki.malformed", "There is a private key among the certificates. Put it into its own field.");
  }
  const blocks = text.match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g) ?? [];
  if (blocks.length > MOST_CHAIN_CERTIFICATES + 1) {
    throw new AppError(
      "authority.chain_invalid",
      `There are ${blocks.length} certificates; at most ${MOST_CHAIN_CERTIFICATES} may stand above an authority.`,
    );
  }
  return blocks.map((block) => parseCertificate(block));
}

function assertAuthority(it: CertificateFacts, chain: readonly CertificateFacts[], now: Date): void {
  if (!maySign(it)) {
    const other = chain.find(maySign);
    const mend =
      other === undefined
        ? "Upload the authority's own certificate: CA:TRUE, and keyCertSign where it has a key usage."
        : `Leave it out and begin with ${other.subjectDn}.`;
    throw new AppError("authority.not_a_ca", `${it.subjectDn} may not sign certificates. ${mend}`);
  }
  if (!isStrongKey(it)) {
    throw new AppError(
      "authority.weak",
      `Its key is ${it.key.type}; RSA from 2048 bits, P-256, P-384, P-521 or Ed25519 is needed.`,
    );
  }
  if (it.unknownCritical.length > 0) {
    const list = it.unknownCritical.join(", ");
    throw new AppError(
      "pki.unsupported",
      `It limits itself by what is not enforced here (critical extension ${list}).`,
    );
  }
  if (it.notAfter <= now) {
    throw new AppError("authority.expired", `It expired on ${it.notAfter.toISOString().slice(0, 10)}.`);
  }
}

function assertChain(certificate: CertificateFacts, chain: readonly CertificateFacts[]): void {
  const ordered = inOrder(certificate, chain);
  const stranger = chain.find((it) => !ordered.includes(it));
  if (stranger !== undefined) {
    throw new AppError("authority.chain_invalid", `${stranger.subjectDn} signed nothing in this chain. Leave it out.`);
  }
  if (ordered.some((it, at) => it !== chain[at])) {
    const names = ordered.map((it) => it.subjectDn).join("; then ");
    throw new AppError("authority.chain_invalid", `After the authority the order must be: ${names}.`);
  }
}

function inOrder(certificate: CertificateFacts, chain: readonly CertificateFacts[]): CertificateFacts[] {
  const ordered: CertificateFacts[] = [];
  let below = certificate;
  while (ordered.length < chain.length) {
    const next = chain.find((it) => it !== below && !ordered.includes(it) && isSignedBy(below, it));
    if (next === undefined || next.fingerprint === below.fingerprint) break;
    ordered.push(next);
    below = next;
  }
  return ordered;
}

/** Another form of the same key is not kept: what is sealed is what opens. */
function readKey(certificate: CertificateFacts, pem: string | undefined): string | null {
  if (pem === undefined) return null;
  openIssuingCa(certificate, pem);
  return createPrivateKey(pem).export({ type: "pkcs8", format: "pem" }).toString();
}
