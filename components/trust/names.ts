import { shortHex } from "#lib/client/format.ts";
import type { AllowlistKind } from "#lib/contracts/console/allowlist.ts";
import type { Certificate } from "#lib/contracts/console/certificates.ts";

/** What a certificate is called: the device's name, else what its subject says, else its fingerprint. */
export function certificateName({ name, subject, fingerprint }: Certificate): string {
  return name ?? (subject === null ? shortHex(fingerprint) : commonName(subject));
}

/** The CN of a distinguished name, or the whole name when it has none. */
export function commonName(subject: string): string {
  return /(?:^|[,/+\n]\s*)CN\s*=\s*([^,/+\n]+)/i.exec(subject)?.[1]?.trim() ?? subject;
}

/** What an allowlist entry knows a certificate by. */
export const KIND_WORDS: Readonly<Record<AllowlistKind, string>> = {
  fingerprint: "Fingerprint",
  spki: "Key digest",
  subject: "Subject",
  serial: "Serial number",
};
