import { BlockList, isIP } from "node:net";
import type { CertificateFacts } from "#lib/pki/certificates.ts";
import { type DeviceIdentity, type DeviceIdRule, identifyDevice } from "#lib/pki/device-id.ts";
import { comparableName, isNamedIssuer, isSignedBy } from "#lib/pki/issuer.ts";

/** Every reason for not letting a device in. Closed: API, UI and docs name these and no others. */
export const ADMISSION_CODES = [
  "no_certificate",
  "malformed",
  "unknown_authority",
  "bad_signature",
  "authority_revoked",
  "authority_expired",
  "authority_closed",
  "address_not_allowed",
  "altered_copy",
  "revoked",
  "rejected",
  "superseded",
  "held",
  "weak_signature",
  "weak_key",
  "wrong_usage",
  "unsupported_extension",
  "not_yet_valid",
  "expired",
  "subject_not_uuid",
  "device_id_missing",
  "subject_not_allowed",
  "key_type_not_allowed",
  "validity_too_long",
  "too_many_newcomers",
  "not_on_allowlist",
  "another_certificate_allowed",
  "pending",
] as const;
export type AdmissionCode = (typeof ADMISSION_CODES)[number];

/** What an authority does with a certificate seen for the first time. */
export type AdmissionPolicy = "ask" | "allowlist" | "allow_all";

/** What an authority asks of newcomers; the certificates that are known already keep coming in. */
export type NewcomerRules = {
  /** Over the whole subject, with `*` for any text; null: any. */
  readonly subjectPattern: string | null;
  /** None: every strong one. */
  readonly keyTypes: readonly string[];
  /** From notBefore to notAfter, in days; null: any. */
  readonly maxValidityDays: number | null;
  /** How many newcomers it may have in an hour; null: any number. */
  readonly newcomersPerHour: number | null;
};

export type KnownAuthority = {
  readonly id: string;
  /** `canary`: what it signs measures revocation and is no device. */
  readonly kind: "fleet" | "canary";
  readonly certificate: CertificateFacts;
  readonly state: "open" | "closed" | "revoked";
  readonly policy: AdmissionPolicy;
  readonly deviceId: DeviceIdRule;
  readonly newcomers: NewcomerRules;
  /** CIDR; none: from anywhere. Asked of every request, not of newcomers only. */
  readonly sourceNetworks: readonly string[];
};

export type KnownCertificate = {
  readonly fingerprint: string;
  /** When one that a newer replaced stops being good; null otherwise. */
  readonly graceUntil: Date | null;
  /** Issued to a device that had another, and not used yet: with its first use it takes the other's place. */
  readonly isUnusedRenewal: boolean;
  readonly state: "pending" | "allowed" | "held" | "superseded" | "revoked" | "expired" | "rejected";
};

export type AdmissionQuestion = {
  /** The peer's leaf; "malformed" when it would not parse, null when the client sent none. */
  readonly leaf: CertificateFacts | "malformed" | null;
  readonly authorities: readonly KnownAuthority[];
  /** The record with the leaf's fingerprint or, failing that, with its `tbsSha256`. */
  readonly known: KnownCertificate | null;
  /** The leaf's fingerprint was put on the allowlist before its first visit. */
  readonly allowlisted: boolean;
  /** How many other certificates of the same device are allowed now. */
  readonly otherAllowedCount: number;
  /** How many newcomers its authority had in the last hour. */
  readonly newcomersLastHour: number;
  /** Where it comes from; null when nobody knows, which no source network holds. */
  readonly address: string | null;
  readonly now: Date;
  /** A remembering replacement of `isSignedBy`. */
  readonly verifySignature?: (leaf: CertificateFacts, authority: CertificateFacts) => boolean;
};

export type Admitted = {
  readonly admitted: true;
  readonly deviceUuid: string;
  /** What its certificate calls it; the UUID itself where that is the rule. */
  readonly deviceId: string;
  readonly fingerprint: string;
  readonly authorityId: string;
  /** Not recorded yet: record it as allowed first, and ask again if that loses a race. */
  readonly newcomer: boolean;
  /** Measures revocation: it may do nothing else. */
  readonly canary: boolean;
};

export type Refused = {
  readonly admitted: false;
  readonly code: AdmissionCode;
  /** Shown to the device and to people; holds nothing but what the certificate itself says. */
  readonly sentence: string;
  readonly status: 401 | 403;
  /** Record it as pending: it is genuine and waits for a person. */
  readonly becomesPending: boolean;
  /** The authority that signed it, when one of ours did. */
  readonly authorityId: string | null;
  /** Which device it claims to be, when one of our authorities signed it. */
  readonly device: DeviceIdentity | null;
};

export type AdmissionDecision = Admitted | Refused;

/**
 * The one admission decision: leaf, our stored authorities, what we know, and time.
 *
 * The order is part of the promise. Who signed comes first, so that strangers learn and leave behind as little as
 * possible; what a person decided about this certificate comes before what the certificate says about itself, so that
 * "revoked" is not hidden behind "expired"; a newcomer is looked at last.
 *
 * @see RFC 5280 section 6.1 for the checks of a path of one; the states are those of docs/ARCHITECTURE.md
 */
export function decideAdmission(question: AdmissionQuestion): AdmissionDecision {
  const { leaf } = question;
  if (leaf === null) return refuse("no_certificate");
  if (leaf === "malformed") return refuse("malformed");
  const issuer = findIssuer(leaf, question);
  if ("refused" in issuer) return refuse(issuer.refused);
  const { authority } = issuer;
  const device = identifyDevice(leaf, authority.deviceId);
  const problem =
    authorityProblem(authority, question.now) ??
    recordProblem(leaf, question) ??
    certificateProblem(leaf, question.now) ??
    (isFrom(authority.sourceNetworks, question.address) ? null : "address_not_allowed") ??
    (device === null ? missingId(authority) : null) ??
    (question.known?.state === "allowed" ? null : newcomerProblem(leaf, authority, question));
  if (problem !== null || device === null) {
    const code = problem ?? missingId(authority);
    const becomesPending = question.known === null && WAITING.has(code);
    return { ...refuse(code), becomesPending, authorityId: authority.id, device };
  }
  const { known } = question;
  return {
    admitted: true,
    deviceUuid: device.uuid,
    deviceId: device.id,
    fingerprint: leaf.fingerprint,
    authorityId: authority.id,
    newcomer: known === null || known.state === "pending" || known.isUnusedRenewal,
    canary: authority.kind === "canary",
  };
}

type IssuerAnswer = { readonly authority: KnownAuthority } | { readonly refused: AdmissionCode };

/**
 * An authority may be stored twice (renewed under the same name and even the same key). If one that verifies was
 * revoked, its key is not to be trusted under any other certificate, and under no other name either; otherwise the one
 * most able to admit is chosen.
 */
function findIssuer(leaf: CertificateFacts, question: AdmissionQuestion): IssuerAnswer {
  const verify = question.verifySignature ?? isSignedBy;
  const named = question.authorities.filter((authority) => isNamedIssuer(leaf, authority.certificate));
  if (named.length === 0) return { refused: "unknown_authority" };
  const signers = named.filter((authority) => verify(leaf, authority.certificate));
  const [first, ...others] = signers;
  if (first === undefined) return { refused: "bad_signature" };
  const revoked = question.authorities.find((it) => it.state === "revoked" && verify(leaf, it.certificate));
  if (revoked) return { authority: revoked };
  const rank = (authority: KnownAuthority) =>
    (isInForce(authority.certificate, question.now) ? 0 : 2) + (authority.state === "open" ? 0 : 1);
  return { authority: others.reduce((best, next) => (rank(next) < rank(best) ? next : best), first) };
}

function authorityProblem(authority: KnownAuthority, now: Date): AdmissionCode | null {
  if (authority.state === "revoked") return "authority_revoked";
  return isInForce(authority.certificate, now) ? null : "authority_expired";
}

function recordProblem(leaf: CertificateFacts, { known, now }: AdmissionQuestion): AdmissionCode | null {
  if (known === null) return null;
  if (known.state === "allowed" && known.graceUntil !== null && known.graceUntil <= now) return "superseded";
  switch (known.state) {
    case "revoked":
    case "rejected":
    case "superseded":
    case "held":
    case "expired":
      return known.state;
    case "pending":
    case "allowed":
      return known.fingerprint === leaf.fingerprint ? null : "altered_copy";
  }
}

function certificateProblem(leaf: CertificateFacts, now: Date): AdmissionCode | null {
  if (leaf.signatureHash !== null && !STRONG_HASHES.has(leaf.signatureHash)) return "weak_signature";
  if (!isStrongKey(leaf)) return "weak_key";
  if (leaf.unknownCritical.length > 0) return "unsupported_extension";
  if (!mayAuthenticateClients(leaf)) return "wrong_usage";
  if (now < leaf.notBefore) return "not_yet_valid";
  return now > leaf.notAfter ? "expired" : null;
}

function missingId(authority: KnownAuthority): AdmissionCode {
  const { field, form } = authority.deviceId;
  return field === "cn" && form === "uuid" ? "subject_not_uuid" : "device_id_missing";
}

function newcomerProblem(
  leaf: CertificateFacts,
  authority: KnownAuthority,
  question: AdmissionQuestion,
): AdmissionCode | null {
  if (authority.state === "closed") return "authority_closed";
  const unfit = misfitOf(leaf, authority.newcomers);
  if (unfit !== null) return unfit;
  const { newcomersPerHour } = authority.newcomers;
  // Who was expected, or waits already, is no rush of strangers.
  const isExpected = question.allowlisted || question.known !== null;
  if (!isExpected && newcomersPerHour !== null && question.newcomersLastHour >= newcomersPerHour) {
    return "too_many_newcomers";
  }
  if (question.otherAllowedCount > 0) return "another_certificate_allowed";
  if (question.allowlisted || authority.policy === "allow_all") return null;
  return authority.policy === "ask" ? "pending" : "not_on_allowlist";
}

/**
 * What of a certificate is not as its authority wants newcomers to be. Asked of what comes to the door, and of what is about to be issued
 * to a device that enrols by itself.
 */
export function misfitOf(
  leaf: Pick<CertificateFacts, "subjectDn" | "key" | "notBefore" | "notAfter">,
  { subjectPattern, keyTypes, maxValidityDays }: NewcomerRules,
): "subject_not_allowed" | "key_type_not_allowed" | "validity_too_long" | null {
  if (subjectPattern !== null && !matchesPattern(leaf.subjectDn, subjectPattern)) return "subject_not_allowed";
  if (keyTypes.length > 0 && !keyTypes.includes(leaf.key.type)) return "key_type_not_allowed";
  const days = (leaf.notAfter.getTime() - leaf.notBefore.getTime()) / DAY_MS;
  return maxValidityDays !== null && days > maxValidityDays ? "validity_too_long" : null;
}

const DAY_MS = 86_400_000;

/** `*` stands for any text; case and white space do not count. Linear: each part is looked for once, from the left. */
export function matchesPattern(text: string, pattern: string): boolean {
  const [first = "", ...rest] = comparableName(pattern).split("*");
  const name = comparableName(text);
  const last = rest.pop();
  if (last === undefined) return name === first;
  if (!name.startsWith(first)) return false;
  let at = first.length;
  for (const part of rest) {
    const found = name.indexOf(part, at);
    if (found === -1) return false;
    at = found + part.length;
  }
  return name.length - at >= last.length && name.endsWith(last);
}

/** Is the address in one of these networks? None named: from anywhere. */
export function isFrom(networks: readonly string[], address: string | null): boolean {
  if (networks.length === 0) return true;
  const version = address === null ? 0 : isIP(address);
  if (address === null || version === 0) return false;
  const listed = listedIn(networks);
  return listed.check(address, version === 6 ? "ipv6" : "ipv4");
}

/** By the list itself: an authority's is asked about every request of its devices. */
const blockLists = new WeakMap<readonly string[], BlockList>();

function listedIn(networks: readonly string[]): BlockList {
  const known = blockLists.get(networks);
  if (known !== undefined) return known;
  const listed = new BlockList();
  for (const network of networks) {
    const [base = "", bits = ""] = network.split("/");
    const most = isIP(base) === 6 ? 128 : 32;
    if (isIP(base) !== 0 && /^\d{1,3}$/.test(bits) && Number(bits) <= most)
      listed.addSubnet(base, Number(bits), isIP(base) === 6 ? "ipv6" : "ipv4");
  }
  blockLists.set(networks, listed);
  return listed;
}

/** Newcomers that a person can still decide on. */
const WAITING: ReadonlySet<AdmissionCode> = new Set(["pending", "another_certificate_allowed"]);
const STRONG_HASHES: ReadonlySet<string> = new Set(["SHA-256", "SHA-384", "SHA-512"]);
const STRONG_CURVES: ReadonlySet<string> = new Set(["prime256v1", "secp384r1", "secp521r1"]);
const CLIENT_AUTH = "1.3.6.1.5.5.7.3.2";

/** A kind and size of key that is taken here. */
export function isStrongKey({ key }: CertificateFacts): boolean {
  if (key.kind === "ec") return key.curve !== null && STRONG_CURVES.has(key.curve);
  return key.kind === "ed25519" || (key.kind === "rsa" && (key.bits ?? 0) >= 2048);
}

/**
 * aktualizr-cert-provider writes no extensions at all, so absence is no objection; what is written is binding. TLS client
 * authentication is a signature, so a key usage without digitalSignature forbids it. A CA is not a device.
 */
function mayAuthenticateClients(leaf: CertificateFacts): boolean {
  if (leaf.isCa) return false;
  if (leaf.keyUsage !== null && !leaf.keyUsage.includes("digitalSignature")) return false;
  return leaf.extendedKeyUsage === null || leaf.extendedKeyUsage.includes(CLIENT_AUTH);
}

function isInForce(certificate: CertificateFacts, now: Date): boolean {
  return certificate.notBefore <= now && now <= certificate.notAfter;
}

function refuse(code: AdmissionCode): Refused {
  const status = code === "no_certificate" ? 401 : 403;
  return {
    admitted: false,
    code,
    sentence: SENTENCES[code],
    status,
    becomesPending: false,
    authorityId: null,
    device: null,
  };
}

const SENTENCES = {
  no_certificate: "This door needs a client certificate, and none was sent.",
  malformed: "The client certificate cannot be read.",
  unknown_authority: "The client certificate was issued by an authority that is not known here.",
  bad_signature: "The client certificate names an authority known here, but that authority did not sign it.",
  authority_revoked: "The authority that issued this certificate has been revoked.",
  authority_expired: "The authority that issued this certificate is outside its own validity period.",
  authority_closed: "The authority that issued this certificate admits no new devices.",
  altered_copy: "This is an altered copy of a certificate already known here.",
  revoked: "This certificate has been revoked.",
  rejected: "This certificate was looked at and rejected.",
  superseded: "This certificate has been replaced by a newer one.",
  held: "This certificate is on hold.",
  weak_signature: "This certificate is signed with a hash that is no longer safe; SHA-256 or better is needed.",
  weak_key: "This certificate's key is too weak; RSA from 2048 bits, P-256, P-384, P-521 or Ed25519 is needed.",
  wrong_usage: "This certificate is not meant for authenticating a client.",
  unsupported_extension: "This certificate has a critical extension that is not understood here.",
  not_yet_valid: "This certificate is not valid yet.",
  expired: "This certificate has expired.",
  address_not_allowed: "Certificates of this authority are not accepted from this address.",
  device_id_missing: "The certificate does not name a device in the form that its authority's rule asks for.",
  subject_not_allowed: "The certificate's subject is not one that its authority may admit here.",
  key_type_not_allowed: "The certificate's kind of key is not one that its authority may admit here.",
  validity_too_long: "The certificate is valid for longer than its authority may admit here.",
  too_many_newcomers: "Too many new devices of this authority came in the last hour; try again later.",
  subject_not_uuid: "The certificate's common name is not a device UUID in lower-case form.",
  not_on_allowlist: "This certificate is not on the allowlist of its authority.",
  another_certificate_allowed: "Another certificate of this device is allowed; this one waits for a decision.",
  pending: "This certificate waits for approval.",
} as const satisfies Record<AdmissionCode, string>;
