import type { CertificateFacts } from "#lib/pki/certificates.ts";
import { isNamedIssuer, isSignedBy } from "#lib/pki/issuer.ts";

/** Every reason for not letting a device in. Closed: API, UI and docs name these and no others. */
export const ADMISSION_CODES = [
  "no_certificate",
  "malformed",
  "unknown_authority",
  "bad_signature",
  "authority_revoked",
  "authority_expired",
  "authority_closed",
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
  "not_on_allowlist",
  "another_certificate_allowed",
  "pending",
] as const;
export type AdmissionCode = (typeof ADMISSION_CODES)[number];

/** What an authority does with a certificate seen for the first time. */
export type AdmissionPolicy = "ask" | "allowlist" | "allow_all";

export type KnownAuthority = {
  readonly id: string;
  readonly certificate: CertificateFacts;
  readonly state: "open" | "closed" | "revoked";
  readonly policy: AdmissionPolicy;
};

export type KnownCertificate = {
  readonly fingerprint: string;
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
  /** How many other certificates of the same common name are allowed now. */
  readonly otherAllowedCount: number;
  readonly now: Date;
  /** A remembering replacement of `isSignedBy`. */
  readonly verifySignature?: (leaf: CertificateFacts, authority: CertificateFacts) => boolean;
};

export type Admitted = {
  readonly admitted: true;
  readonly deviceUuid: string;
  readonly fingerprint: string;
  readonly authorityId: string;
  /** Not recorded yet: record it as allowed first, and ask again if that loses a race. */
  readonly newcomer: boolean;
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
};

export type AdmissionDecision = Admitted | Refused;

/** RFC 9562 text form, lower case only: the value becomes part of paths, and one device must not have two spellings. */
export const CANONICAL_UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

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
  const deviceUuid = deviceUuidOf(leaf);
  const problem =
    authorityProblem(authority, question.now) ??
    recordProblem(leaf, question.known) ??
    certificateProblem(leaf, question.now) ??
    (deviceUuid === null ? "subject_not_uuid" : null) ??
    (question.known?.state === "allowed" ? null : newcomerProblem(authority, question));
  if (problem !== null || deviceUuid === null) {
    const code = problem ?? "subject_not_uuid";
    const becomesPending = question.known === null && WAITING.has(code);
    return { ...refuse(code), becomesPending, authorityId: authority.id };
  }
  return {
    admitted: true,
    deviceUuid,
    fingerprint: leaf.fingerprint,
    authorityId: authority.id,
    newcomer: question.known === null || question.known.state === "pending",
  };
}

type IssuerAnswer = { readonly authority: KnownAuthority } | { readonly refused: AdmissionCode };

/**
 * An authority may be stored twice (renewed under the same name and even the same key). If one that verifies was
 * revoked, its key is not to be trusted under any other certificate; otherwise the one most able to admit is chosen.
 */
function findIssuer(leaf: CertificateFacts, question: AdmissionQuestion): IssuerAnswer {
  const verify = question.verifySignature ?? isSignedBy;
  const named = question.authorities.filter((authority) => isNamedIssuer(leaf, authority.certificate));
  if (named.length === 0) return { refused: "unknown_authority" };
  const signers = named.filter((authority) => verify(leaf, authority.certificate));
  const [first, ...others] = signers;
  if (first === undefined) return { refused: "bad_signature" };
  const revoked = signers.find((authority) => authority.state === "revoked");
  if (revoked) return { authority: revoked };
  const rank = (authority: KnownAuthority) =>
    (isInForce(authority.certificate, question.now) ? 0 : 2) + (authority.state === "open" ? 0 : 1);
  return { authority: others.reduce((best, next) => (rank(next) < rank(best) ? next : best), first) };
}

function authorityProblem(authority: KnownAuthority, now: Date): AdmissionCode | null {
  if (authority.state === "revoked") return "authority_revoked";
  return isInForce(authority.certificate, now) ? null : "authority_expired";
}

function recordProblem(leaf: CertificateFacts, known: KnownCertificate | null): AdmissionCode | null {
  if (known === null) return null;
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

function deviceUuidOf(leaf: CertificateFacts): string | null {
  return leaf.subjectCn !== null && CANONICAL_UUID.test(leaf.subjectCn) ? leaf.subjectCn : null;
}

function newcomerProblem(authority: KnownAuthority, question: AdmissionQuestion): AdmissionCode | null {
  if (authority.state === "closed") return "authority_closed";
  if (question.otherAllowedCount > 0) return "another_certificate_allowed";
  if (question.allowlisted || authority.policy === "allow_all") return null;
  return authority.policy === "ask" ? "pending" : "not_on_allowlist";
}

/** Newcomers that a person can still decide on. */
const WAITING: ReadonlySet<AdmissionCode> = new Set(["pending", "another_certificate_allowed"]);
const STRONG_HASHES: ReadonlySet<string> = new Set(["SHA-256", "SHA-384", "SHA-512"]);
const STRONG_CURVES: ReadonlySet<string> = new Set(["prime256v1", "secp384r1", "secp521r1"]);
const CLIENT_AUTH = "1.3.6.1.5.5.7.3.2";

function isStrongKey({ key }: CertificateFacts): boolean {
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
  return { admitted: false, code, sentence: SENTENCES[code], status, becomesPending: false, authorityId: null };
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
  subject_not_uuid: "The certificate's common name is not a device UUID in lower-case form.",
  not_on_allowlist: "This certificate is not on the allowlist of its authority.",
  another_certificate_allowed: "Another certificate of this device is allowed; this one waits for a decision.",
  pending: "This certificate waits for approval.",
} as const satisfies Record<AdmissionCode, string>;
