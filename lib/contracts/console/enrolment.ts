import { z } from "zod";
import { HardwareId, Instant, ListQuery, PersonText, pageOf, Uuid } from "./common.ts";
import { endpoint } from "./endpoint.ts";

/** `allowed`: its devices are let in at once. `pending`: a person approves each. */
export const ENROLMENT_POLICIES = ["pending", "allowed"] as const;
export const EnrolmentPolicy = z.enum(ENROLMENT_POLICIES);
export type EnrolmentPolicy = z.infer<typeof EnrolmentPolicy>;

export const ENROLMENT_STATES = ["active", "not_yet_valid", "exhausted", "expired", "revoked"] as const;

/** Without its secret, which is known to whoever made it and kept nowhere. */
export const EnrolmentToken = z.object({
  id: Uuid,
  description: z.string(),
  state: z.enum(ENROLMENT_STATES),
  policy: EnrolmentPolicy,
  usesAllowed: z.number().int(),
  usesLeft: z.number().int(),
  /** Which authority issues with it; null: the newest open one. */
  authorityId: Uuid.nullable(),
  groupId: Uuid.nullable(),
  hardwareId: z.string().nullable(),
  /** The life of the certificates; null: as the authority says. */
  certificateDays: z.number().int().nullable(),
  validFrom: Instant,
  validUntil: Instant,
  createdAt: Instant,
  createdBy: z.string(),
  lastUsedAt: Instant.nullable(),
  revokedAt: Instant.nullable(),
  revokedBy: z.string().nullable(),
});
export type EnrolmentToken = z.infer<typeof EnrolmentToken>;

/** What goes to the device or to who sets it up, this one time: each of these holds the secret. */
export const EnrolmentHandout = z.object({
  secret: z.string(),
  /** One line for a shell with curl and openssl: makes the key on the device and fetches its certificate. */
  command: z.string(),
  /** What the QR code says: address, secret, and the digest by which the server's authority is known. */
  qrText: z.string(),
});
export type EnrolmentHandout = z.infer<typeof EnrolmentHandout>;

export const CreateEnrolmentToken = z.strictObject({
  description: PersonText(200),
  uses: z.number().int().min(1).max(100_000).default(1),
  /** From when on it counts; at once unless told otherwise. */
  validFrom: Instant.optional(),
  expiresInDays: z.number().int().min(1).max(3_650).default(7),
  policy: EnrolmentPolicy.default("pending"),
  authorityId: Uuid.optional(),
  certificateDays: z.number().int().min(1).max(3_650).optional(),
  /** A static group of the device registry that its devices join. */
  groupId: Uuid.optional(),
  hardwareId: HardwareId.optional(),
});
export type CreateEnrolmentToken = z.infer<typeof CreateEnrolmentToken>;

export const listEnrolmentTokens = endpoint({
  method: "GET",
  path: "/api/v1/enrolment-tokens",
  permission: "certificate.read",
  summary: "Secrets with which devices ask for their first certificate, newest first",
  query: ListQuery,
  reply: pageOf(EnrolmentToken),
});

export const createEnrolmentToken = endpoint({
  method: "POST",
  path: "/api/v1/enrolment-tokens",
  permission: "enrolment.manage",
  summary: "Make an enrolment token; the secret is in the reply and nowhere else",
  body: CreateEnrolmentToken,
  status: 201,
  reply: z.object({ token: EnrolmentToken, handout: EnrolmentHandout }),
});

export const revokeEnrolmentToken = endpoint({
  method: "POST",
  path: "/api/v1/enrolment-tokens/{id}/revoke",
  permission: "enrolment.manage",
  summary: "Let no further device enrol with it; devices that did stay",
  params: z.strictObject({ id: Uuid }),
  body: z.strictObject({}),
  reply: EnrolmentToken,
});

/** Where devices enrol and renew by RFC 7030, and by what they know that it is us. */
export const EstAddress = z.object({
  url: z.string(),
  /** PEM of the authority of the door's certificate: what devices pin. */
  serverCaPem: z.string(),
  serverCaSha256: z.string(),
});
export type EstAddress = z.infer<typeof EstAddress>;

export const getEstAddress = endpoint({
  method: "GET",
  path: "/api/v1/est",
  permission: "certificate.read",
  summary: "Where devices enrol and renew their certificates by EST, and the authority of that address",
  reply: EstAddress,
});
