import type { CertificateFacts } from "#lib/pki/certificates.ts";
import { comparableName } from "#lib/pki/issuer.ts";

export type AllowlistKind = "fingerprint" | "spki" | "subject" | "serial";

/** What a certificate may be on an allowlist as. `scope` is the authority of what only one authority's certificates are known by. */
export type AllowlistKey = { readonly kind: AllowlistKind; readonly scope: string; readonly value: string };

/**
 * What a person or a list calls a certificate, as it is compared. Colons, blanks, capitals and openssl's leading `SHA256 Fingerprint=` or
 * `serial=` don't count; of a subject, case and the blanks around `=` and `,`.
 *
 * @returns null when the text is nothing of this kind
 */
export function parseAllowlistValue(kind: AllowlistKind, text: string): string | null {
  if (kind === "subject") {
    const subject = comparableSubject(text.trim().replace(/^subject\s*=\s*(?=[A-Za-z0-9.]+\s*=)/i, ""));
    return subject.includes("=") && subject.length <= LONGEST_SUBJECT ? subject : null;
  }
  const hex = text
    .replace(/^[A-Za-z0-9 ]*=/, "")
    .replace(/[\s:]/g, "")
    .toLowerCase();
  if (kind === "serial") return /^(0x)?[0-9a-f]{1,64}$/.test(hex) ? comparableSerial(hex) : null;
  return /^[0-9a-f]{64}$/.test(hex) ? hex : null;
}

/** Everything by which a certificate of this authority may be on the allowlist, the most exact first. */
export function allowlistKeysOf(
  leaf: Pick<CertificateFacts, "fingerprint" | "spkiSha256" | "serialHex" | "subjectDn">,
  authorityId: string,
): readonly AllowlistKey[] {
  return [
    { kind: "fingerprint", scope: "", value: leaf.fingerprint },
    { kind: "spki", scope: "", value: leaf.spkiSha256 },
    { kind: "serial", scope: authorityId, value: comparableSerial(leaf.serialHex) },
    { kind: "subject", scope: authorityId, value: comparableSubject(leaf.subjectDn) },
  ];
}

const LONGEST_SUBJECT = 512;

/** NOTE: a blank that follows an escaped comma is lost too, so two subjects of one authority that differ in nothing else are one. */
function comparableSubject(subject: string): string {
  return comparableName(subject).replace(/\s*([=,])\s*/g, "$1");
}

function comparableSerial(hex: string): string {
  return hex.toLowerCase().replace(/^(0x)?0*(?=.)/, "");
}
