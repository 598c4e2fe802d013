import { z } from "zod";
import { ApproveCertificate, CertificateState, Note, RevokeCertificate } from "./certificates.ts";
import { Fingerprint, Instant, Uuid } from "./common.ts";
import { endpoint } from "./endpoint.ts";

/** How many certificates one call decides about. */
export const BATCH_MAX = 200;
export const MATCHES_MAX = 10_000;

/** The filters of the list. */
export const CertificateFilter = z.strictObject({
  state: CertificateState.optional(),
  authorityId: Uuid.optional(),
  keyType: z.string().max(20).optional(),
  endsBefore: Instant.optional(),
  q: z.string().max(200).optional(),
});
export type CertificateFilter = z.infer<typeof CertificateFilter>;

/**
 * Which certificates: by name, or all that match a filter and may be decided so. `expected` is how many the person saw: any other number
 * refuses the call before anything is done. More than one call takes are gone on with by the `cursor` of the reply before.
 */
export const Selection = z.union([
  z.strictObject({ fingerprints: z.array(Fingerprint).min(1).max(BATCH_MAX) }),
  z.strictObject({
    matching: CertificateFilter,
    expected: z.number().int().min(1).max(1_000_000),
    cursor: z.string().max(2_000).optional(),
  }),
]);
export type Selection = z.infer<typeof Selection>;

export const BatchReply = z.object({
  done: z.number().int(),
  /** One that fails keeps no other from being decided. */
  failed: z.array(z.object({ fingerprint: Fingerprint, code: z.string(), text: z.string() })),
  /** Send it as the selection's cursor to go on; null when all of them were looked at. */
  nextCursor: z.string().nullable(),
});
export type BatchReply = z.infer<typeof BatchReply>;

export const ApproveMany = ApproveCertificate.extend({ selection: Selection });
export type ApproveMany = z.infer<typeof ApproveMany>;

export const approveCertificates = endpoint({
  method: "POST",
  path: "/api/v1/certificates/approve-many",
  permission: "certificate.decide",
  summary: "Let several waiting certificates in; each is a decision of its own",
  body: ApproveMany,
  reply: BatchReply,
});

export const RejectMany = Note.extend({ selection: Selection });
export type RejectMany = z.infer<typeof RejectMany>;

export const rejectCertificates = endpoint({
  method: "POST",
  path: "/api/v1/certificates/reject-many",
  permission: "certificate.decide",
  summary: "Refuse several waiting certificates for good",
  body: RejectMany,
  reply: BatchReply,
});

export const RevokeMany = RevokeCertificate.extend({ selection: Selection });
export type RevokeMany = z.infer<typeof RevokeMany>;

export const revokeCertificates = endpoint({
  method: "POST",
  path: "/api/v1/certificates/revoke-many",
  permission: "certificate.decide",
  summary: "Revoke several certificates, or all of an authority",
  body: RevokeMany,
  reply: BatchReply,
});

/** In any notation; what is no fingerprint is counted and left out. */
export const MatchCertificates = z.strictObject({ fingerprints: z.array(z.string().max(200)).min(1).max(MATCHES_MAX) });
export type MatchCertificates = z.infer<typeof MatchCertificates>;

export const CertificateMatches = z.object({
  /** Wait for a decision. */
  waiting: z.array(Fingerprint),
  /** Were decided about. */
  decided: z.array(Fingerprint),
  /** Were never seen here. */
  unknown: z.array(Fingerprint),
  invalid: z.number().int(),
});
export type CertificateMatches = z.infer<typeof CertificateMatches>;

export const matchCertificates = endpoint({
  method: "POST",
  path: "/api/v1/certificates/matches",
  permission: "certificate.read",
  summary: "Which of these fingerprints wait, were decided about, or are not known",
  body: MatchCertificates,
  maxBodyBytes: 2_097_152,
  reply: CertificateMatches,
});
