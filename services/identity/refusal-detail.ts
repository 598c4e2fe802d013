import { becauseOf } from "#lib/domain/revocation-reasons.ts";
import type { CertificateFacts } from "#lib/pki/certificates.ts";
import { comparableName } from "#lib/pki/issuer.ts";
import type { AuthorityProfile } from "#services/authorities/service.ts";
import type { DecidedRow, SharedRow } from "./store-refusals.ts";

/** A refused attempt, and what the install knows about who made it. */
export type Explained = {
  readonly code: string;
  readonly leaf: CertificateFacts | null;
  readonly address: string;
  readonly at: Date;
  /** That signed it. */
  readonly authority: AuthorityProfile | null;
  readonly authorities: readonly AuthorityProfile[];
  /** What was decided about it, or about the certificate that it is an altered copy of. */
  readonly record: DecidedRow | null;
  /** The certificate itself, when it is one that devices register themselves with. */
  readonly shared: SharedRow | null;
  /** What the one who refused knew. */
  readonly detail?: string | null;
};

/**
 * Says of a refusal what the sentence to the device leaves out: who, when, how much. For people of this install only, since it names what a
 * stranger has no business to know.
 *
 * @returns null when the code says it all
 */
export function detailOf(attempt: Explained): string | null {
  const { leaf, shared, detail = null } = attempt;
  if (shared !== null) return [detail, ofShared(shared, attempt.code)].join(" ").trim().slice(0, MOST_CHARACTERS);
  if (leaf === null || detail !== null) return detail?.slice(0, MOST_CHARACTERS) ?? null;
  const text =
    ofRecord(attempt) ?? ofIssuer(leaf, attempt) ?? ofAuthority(leaf, attempt) ?? ofCertificate(leaf, attempt);
  return text === null ? null : text.slice(0, MOST_CHARACTERS);
}

const MOST_CHARACTERS = 1_500;
const DAY_MS = 86_400_000;
const CLIENT_AUTH = "1.3.6.1.5.5.7.3.2";

const USAGES: Readonly<Record<string, string>> = {
  "1.3.6.1.5.5.7.3.1": "serverAuth",
  [CLIENT_AUTH]: "clientAuth",
  "1.3.6.1.5.5.7.3.3": "codeSigning",
  "1.3.6.1.5.5.7.3.4": "emailProtection",
  "1.3.6.1.5.5.7.3.8": "timeStamping",
  "1.3.6.1.5.5.7.3.9": "OCSPSigning",
};

function ofShared(shared: SharedRow, code: string): string {
  const which = `the shared certificate “${shared.description}”, made by ${shared.createdBy}`;
  switch (code) {
    case "provisioning_revoked":
      return `It came with ${which}, which was revoked${byWhom(shared.revokedBy)}${onDay(shared.revokedAt)}.`;
    case "provisioning_not_yet_valid":
      return `It came with ${which}, which is valid from ${day(shared.validFrom)}.`;
    case "provisioning_expired":
      return `It came with ${which}, which was valid until ${day(shared.validUntil)}.`;
    case "provisioning_exhausted":
      return `It came with ${which}, which was good for ${shared.usesAllowed}.`;
    default:
      return `It came with ${which}.`;
  }
}

function ofRecord({ code, record }: Explained): string | null {
  if (record === null) return null;
  const { decidedAt, decidedBy } = record;
  const why = becauseOf(record.revocationReason, record.note);
  const decided = `${byWhom(decidedBy)}${onDay(record.revokedAt ?? decidedAt)}${why}`;
  switch (code) {
    case "revoked":
      return `Revoked${decided}`;
    case "rejected":
      return `Rejected${decided}`;
    case "held":
      return `Put on hold${decided}`;
    case "superseded":
      return `A newer certificate of this device took its place; it was good until ${day(record.graceUntil ?? decidedAt)}.`;
    case "altered_copy":
      return `It is another encoding of ${short(record.fingerprint)}, which is ${record.state} here.`;
    default:
      return null;
  }
}

function ofIssuer(leaf: CertificateFacts, { code, authorities }: Explained): string | null {
  if (code === "unknown_authority") {
    if (comparableName(leaf.issuerDn) === comparableName(leaf.subjectDn)) {
      return `It is signed by itself, ${leaf.issuerDn}, and by no authority.`;
    }
    const alike = authorities.find(({ subjectDn }) => commonNameOf(subjectDn) === commonNameOf(leaf.issuerDn));
    const nearest = alike === undefined ? "" : ` The nearest known is ${alike.name}, ${alike.subjectDn}.`;
    return `Issued by ${leaf.issuerDn}, which is not known here.${nearest}`;
  }
  if (code !== "bad_signature") return null;
  const named = authorities.filter(({ subjectDn }) => comparableName(subjectDn) === comparableName(leaf.issuerDn));
  const names = named.map(({ name }) => name).join(", ");
  const key = leaf.aki === null ? "" : ` It names the key ${leaf.aki}.`;
  return `It says to be issued by ${leaf.issuerDn}, like ${names === "" ? "an authority" : names} here, but with another key.${key}`;
}

function ofAuthority(leaf: CertificateFacts, { code, authority, address }: Explained): string | null {
  if (authority === null) return null;
  const { name } = authority;
  const changed = `${byWhom(authority.stateChangedBy)}${onDay(authority.stateChangedAt)}`;
  switch (code) {
    case "authority_revoked":
      return `${name} was revoked${changed}${becauseOf(authority.revocationReason, null)}`;
    case "authority_closed":
      return `${name} was closed${changed}: what was let in before still comes in, newcomers don't.`;
    case "authority_expired":
      return `${name} is valid from ${day(authority.notBefore)} to ${day(authority.notAfter)}.`;
    case "address_not_allowed":
      return `It came from ${address}; ${name} takes devices from ${authority.sourceNetworks.join(", ")}.`;
    case "subject_not_allowed":
      return `Its subject is ${leaf.subjectDn}; ${name} admits ${authority.subjectPattern ?? "others"}.`;
    case "key_type_not_allowed":
      return `Its key is ${leaf.key.type}; ${name} admits ${authority.keyTypes.join(", ")}.`;
    case "validity_too_long":
      return `It is valid for ${daysBetween(leaf.notBefore, leaf.notAfter)} days; ${name} admits ${authority.maxValidityDays ?? "fewer"}.`;
    case "too_many_newcomers":
      return `${name} admits ${authority.newcomersPerHour ?? "few"} newcomers in an hour.`;
    case "not_on_allowlist":
      return `${name} admits what is on its allowlist; neither ${short(leaf.fingerprint)} nor its key, subject or serial number is.`;
    case "device_id_missing":
      return `${name} reads the device's id from the field ${authority.deviceIdField}; the subject is ${leaf.subjectDn}.`;
    default:
      return null;
  }
}

function ofCertificate(leaf: CertificateFacts, { code, at }: Explained): string | null {
  switch (code) {
    case "expired":
      return `Expired on ${day(leaf.notAfter)}, ${agoInDays(daysBetween(leaf.notAfter, at))}.`;
    case "not_yet_valid":
      return `Valid from ${instant(leaf.notBefore)}; it came at ${instant(at)}. The clock of whoever issued it may be ahead.`;
    case "weak_key":
      return `Its key is ${leaf.key.type}.`;
    case "weak_signature":
      return `It is signed with ${leaf.signatureHash ?? "no hash"}.`;
    case "unsupported_extension":
      return `It has the critical ${leaf.unknownCritical.length === 1 ? "extension" : "extensions"} ${leaf.unknownCritical.join(", ")}.`;
    case "subject_not_uuid":
      return `Its subject is ${leaf.subjectDn === "" ? "empty" : leaf.subjectDn}.`;
    case "wrong_usage":
      return usageOf(leaf);
    case "not_a_provisioning_certificate":
      return `It showed ${leaf.subjectDn}, issued by ${leaf.issuerDn}: no certificate that was made for registering.`;
    default:
      return null;
  }
}

function usageOf({ isCa, keyUsage, extendedKeyUsage }: CertificateFacts): string {
  if (isCa) return "It is the certificate of an authority, not of a device.";
  if (keyUsage !== null && !keyUsage.includes("digitalSignature")) {
    return `Its key usage is ${listed(keyUsage)}; digitalSignature is missing.`;
  }
  const purposes = (extendedKeyUsage ?? []).map((oid) => USAGES[oid] ?? oid);
  return `Its extended key usage is ${listed(purposes)}; clientAuth is missing.`;
}

function listed(texts: readonly string[]): string {
  return texts.length === 0 ? "empty" : texts.join(", ");
}

function commonNameOf(name: string): string | null {
  return /(?:^|,\s*)CN=([^,]+)/.exec(comparableName(name).replace(/\bcn=/g, "CN="))?.[1] ?? null;
}

function byWhom(name: string | null): string {
  return name === null ? "" : ` by ${name}`;
}

function onDay(at: Date | null): string {
  return at === null ? "" : ` on ${day(at)}`;
}

function day(at: Date | null): string {
  return at === null ? "some day" : at.toISOString().slice(0, 10);
}

function instant(at: Date): string {
  return `${at.toISOString().slice(0, 16).replace("T", " ")} UTC`;
}

function daysBetween(from: Date, to: Date): number {
  return Math.floor((to.getTime() - from.getTime()) / DAY_MS);
}

function agoInDays(days: number): string {
  return days < 1 ? "less than a day ago" : days === 1 ? "a day ago" : `${days} days ago`;
}

function short(fingerprint: string): string {
  return `${fingerprint.slice(0, 8)}…${fingerprint.slice(-4)}`;
}
