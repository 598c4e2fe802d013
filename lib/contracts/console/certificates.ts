import { z } from "zod";
import { AuditOutcome } from "./audit.ts";
import { Fingerprint, Instant, ListQuery, PersonText, pageOf, Sha256, Uuid } from "./common.ts";
import { endpoint } from "./endpoint.ts";

/** `expired` is derived: an allowed certificate past its notAfter. */
export const CERTIFICATE_STATES = [
  "pending",
  "allowed",
  "held",
  "superseded",
  "revoked",
  "expired",
  "rejected",
] as const;
export const CertificateState = z.enum(CERTIFICATE_STATES);
export type CertificateState = z.infer<typeof CertificateState>;

/** RFC 5280 section 5.3.1, without removeFromCRL, which is no reason to revoke. */
export const REVOCATION_REASONS = [
  "unspecified",
  "keyCompromise",
  "cACompromise",
  "affiliationChanged",
  "superseded",
  "cessationOfOperation",
  "certificateHold",
  "privilegeWithdrawn",
  "aACompromise",
] as const;
export const RevocationReason = z.enum(REVOCATION_REASONS);
export type RevocationReason = z.infer<typeof RevocationReason>;

export const Certificate = z.object({
  fingerprint: Fingerprint,
  state: CertificateState,
  deviceUuid: Uuid.nullable(),
  /** Name of the device it belongs to, or what it was called when issued or allowlisted. */
  name: z.string().nullable(),
  subject: z.string().nullable(),
  issuer: z.string().nullable(),
  authority: z.object({ id: Uuid, name: z.string() }).nullable(),
  serial: z.string().nullable(),
  notBefore: Instant.nullable(),
  notAfter: Instant.nullable(),
  hardwareId: z.string().nullable(),
  note: z.string().nullable(),
  revocationReason: z.string().nullable(),
  issuedHere: z.boolean(),
  simulated: z.boolean(),
  /** What a person should know before deciding: another certificate of this CN is allowed, … */
  warnings: z.array(z.object({ code: z.string(), text: z.string() })),
  firstSeenAt: Instant.nullable(),
  lastSeenAt: Instant.nullable(),
  lastAddress: z.string().nullable(),
  createdAt: Instant,
  decidedAt: Instant.nullable(),
  decidedBy: z.string().nullable(),
  /** P-256, RSA-2048, … */
  keyType: z.string().nullable(),
  /** Good until then, because a newer one took its place. */
  graceUntil: Instant.nullable(),
  /** When it is forgotten if nobody decides about it. */
  lapsesAt: Instant.nullable(),
  /** Fingerprint of the certificate whose place a waiting one would take. */
  wouldReplace: Fingerprint.nullable(),
});
export type Certificate = z.infer<typeof Certificate>;

export const CertificateDetail = Certificate.extend({
  /** SHA-256 of the public key. */
  spkiSha256: Sha256.nullable(),
  /** Its first visit that was let in. */
  admittedAt: Instant.nullable(),
  /** Where it was used from, the latest first. */
  addresses: z.array(z.object({ address: z.string(), firstAt: Instant, lastAt: Instant })),
  /** What was decided about it, the latest first: who, when, what, and why. */
  decisions: z.array(
    z.object({
      at: Instant,
      by: z.string(),
      action: z.string(),
      outcome: AuditOutcome,
      why: z.string().nullable(),
    }),
  ),
});
export type CertificateDetail = z.infer<typeof CertificateDetail>;

const ByFingerprint = z.strictObject({ fingerprint: Fingerprint });

export const ListCertificates = ListQuery.extend({
  state: CertificateState.optional(),
  authorityId: Uuid.optional(),
  keyType: z.string().max(20).optional(),
  /** Its validity ends before then. */
  endsBefore: Instant.optional(),
  deviceUuid: Uuid.optional(),
  sort: z.enum(["-createdAt", "createdAt"]).default("-createdAt"),
});
export type ListCertificates = z.infer<typeof ListCertificates>;

export const listCertificates = endpoint({
  method: "GET",
  path: "/api/v1/certificates",
  permission: "certificate.read",
  summary: "Device certificates and what was decided about them",
  query: ListCertificates,
  reply: pageOf(Certificate),
});

export const getCertificate = endpoint({
  method: "GET",
  path: "/api/v1/certificates/{fingerprint}",
  permission: "certificate.read",
  summary: "One certificate, and every decision about it",
  params: ByFingerprint,
  reply: CertificateDetail,
});

export const Note = z.strictObject({ note: PersonText(500).optional() });
export type Note = z.infer<typeof Note>;

export const ApproveCertificate = Note.extend({
  /** Take the place of the certificate that the device has. */
  replace: z.boolean().optional(),
  /** How long that one stays good; as its authority says when left out. */
  graceDays: z.number().int().min(0).max(365).optional(),
});
export type ApproveCertificate = z.infer<typeof ApproveCertificate>;

export const approveCertificate = endpoint({
  method: "POST",
  path: "/api/v1/certificates/{fingerprint}/approve",
  permission: "certificate.decide",
  summary: "Let a waiting certificate in; creates the device",
  params: ByFingerprint,
  body: ApproveCertificate,
  reply: Certificate,
});

export const rejectCertificate = endpoint({
  method: "POST",
  path: "/api/v1/certificates/{fingerprint}/reject",
  permission: "certificate.decide",
  summary: "Refuse a waiting certificate for good",
  params: ByFingerprint,
  body: Note,
  reply: Certificate,
});

export const RevokeCertificate = Note.extend({
  reason: RevocationReason.exclude(["certificateHold"]).optional(),
});
export type RevokeCertificate = z.infer<typeof RevokeCertificate>;

export const revokeCertificate = endpoint({
  method: "POST",
  path: "/api/v1/certificates/{fingerprint}/revoke",
  permission: "certificate.decide",
  summary: "Take a certificate's admission away, for good and at once",
  params: ByFingerprint,
  body: RevokeCertificate,
  reply: Certificate,
});

export const holdCertificate = endpoint({
  method: "POST",
  path: "/api/v1/certificates/{fingerprint}/hold",
  permission: "certificate.decide",
  summary: "Keep an allowed certificate out until it is released",
  params: ByFingerprint,
  body: Note,
  reply: Certificate,
});

export const releaseCertificate = endpoint({
  method: "POST",
  path: "/api/v1/certificates/{fingerprint}/release",
  permission: "certificate.decide",
  summary: "Let a certificate that is on hold in again",
  params: ByFingerprint,
  body: Note,
  reply: Certificate,
});

export const AllowCertificate = z.strictObject({
  fingerprint: z
    .string()
    .max(200)
    .transform((text) => text.toLowerCase().replace(/[\s:]/g, ""))
    .pipe(Fingerprint),
  name: PersonText(200).optional(),
  note: PersonText(500).optional(),
});
export type AllowCertificate = z.infer<typeof AllowCertificate>;

export const allowCertificate = endpoint({
  method: "POST",
  path: "/api/v1/certificates/allow",
  permission: "certificate.decide",
  summary: "Allowlist a fingerprint before its first visit, or approve it when it waits",
  body: AllowCertificate,
  status: 201,
  reply: Certificate,
});
