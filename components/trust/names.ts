import { shortHex } from "#lib/client/format.ts";
import type { AllowlistKind } from "#lib/contracts/console/allowlist.ts";
import type { Certificate, RevocationReason } from "#lib/contracts/console/certificates.ts";

/** What a certificate is called: the device's name, else what its subject says, else its fingerprint. */
export function certificateName({ name, subject, fingerprint }: Certificate): string {
  return name ?? (subject === null ? shortHex(fingerprint) : commonName(subject));
}

/** The CN of a distinguished name, or the whole name when it has none. */
export function commonName(subject: string): string {
  return /(?:^|[,/+\n]\s*)CN\s*=\s*([^,/+\n]+)/i.exec(subject)?.[1]?.trim() ?? subject;
}

/** RFC 5280 reasons in words. */
export const REASONS: Readonly<Record<RevocationReason, string>> = {
  keyCompromise: "The key may be known to others",
  cessationOfOperation: "The device is out of service",
  superseded: "Replaced by another certificate",
  affiliationChanged: "It belongs to somebody else now",
  privilegeWithdrawn: "It is no longer permitted",
  certificateHold: "On hold",
  cACompromise: "The authority's key may be known to others",
  aACompromise: "The attribute authority's key may be known to others",
  unspecified: "No reason given",
};

/** What an allowlist entry knows a certificate by. */
export const KIND_WORDS: Readonly<Record<AllowlistKind, string>> = {
  fingerprint: "Fingerprint",
  spki: "Key digest",
  subject: "Subject",
  serial: "Serial number",
};
