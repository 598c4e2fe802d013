import { z } from "zod";
import { KEY_TYPES } from "#lib/pki/certificates.ts";
import { DEVICE_ID_FIELDS, DEVICE_ID_FORMS } from "#lib/pki/device-id.ts";
import { CA_KEY_KINDS } from "#lib/pki/keys.ts";
import { RevocationReason } from "./certificates.ts";
import { Fingerprint, Instant, ListQuery, PersonText, pageOf, SourceNetwork, Uuid } from "./common.ts";
import { endpoint } from "./endpoint.ts";

/** `unproved`: uploaded without its key, and nobody has shown yet to have it. Such a one admits nobody. */
export const AUTHORITY_STATES = ["unproved", "open", "closed", "revoked"] as const;
export const AuthorityState = z.enum(AUTHORITY_STATES);
export type AuthorityState = z.infer<typeof AuthorityState>;

/** What becomes of a certificate that is seen for the first time. */
export const ADMISSION_POLICIES = ["ask", "allowlist", "allow_all"] as const;

/** Which field of its certificates names the device: `uuid`, the field holds its UUID; `name`, any text, from which it follows. */
const DeviceIdRule = z.strictObject({
  field: z.enum(DEVICE_ID_FIELDS),
  template: z
    .string()
    .max(200)
    .refine((text) => text.split("{id}").length === 2, "must contain {id} once"),
  form: z.enum(DEVICE_ID_FORMS),
});

/** What an authority asks of newcomers, and how long things last that it signs. */
const AuthorityRules = z.strictObject({
  policy: z.enum(ADMISSION_POLICIES),
  deviceId: DeviceIdRule,
  /** Over the whole subject, with * for any text. */
  subjectPattern: PersonText(500).nullable(),
  /** None: every strong one. */
  keyTypes: z.array(z.enum(KEY_TYPES)).max(KEY_TYPES.length),
  maxValidityDays: z.number().int().min(1).max(36_500).nullable(),
  newcomersPerHour: z.number().int().min(1).max(1_000_000).nullable(),
  /** Asked of every request; none: from anywhere. */
  sourceNetworks: z.array(SourceNetwork).max(50),
  certificateDays: z.number().int().min(1).max(3_650),
  graceDays: z.number().int().min(0).max(365),
  waitingDays: z.number().int().min(1).max(365),
  note: PersonText(500).nullable(),
});

const CertificateCounts = z.object({
  allowed: z.number().int(),
  waiting: z.number().int(),
  /** Allowed, and at the door within the last quarter of an hour. */
  seenLately: z.number().int(),
});
export type CertificateCounts = z.infer<typeof CertificateCounts>;

export const Authority = z.object({
  id: Uuid,
  name: z.string(),
  fingerprint: Fingerprint,
  subject: z.string(),
  keyType: z.string(),
  origin: z.enum(["created", "uploaded"]),
  state: AuthorityState,
  /** Its private key is here, sealed. */
  hasKey: z.boolean(),
  /** New devices' certificates come from this one. */
  issues: z.boolean(),
  notBefore: Instant,
  notAfter: Instant,
  /** What stands above it, nearest first. */
  chain: z.array(z.object({ subject: z.string(), fingerprint: Fingerprint })),
  rules: AuthorityRules,
  certificates: CertificateCounts,
  /** Others that stand for the same key: a revocation cuts off what they signed, too. */
  sameKey: z.array(z.object({ id: Uuid, name: z.string() })),
  /** What a revocation would cut off: of this one and of those of the same key. */
  cutOff: CertificateCounts,
  /** Until when the one-time code can be used that was asked for. */
  proofUntil: Instant.nullable(),
  /** Where it publishes what it revoked; null without its key. */
  published: z.object({ crlUrl: z.string(), certificateUrl: z.string(), ocspUrl: z.string() }).nullable(),
  revocationReason: z.string().nullable(),
  stateChangedAt: Instant.nullable(),
  stateChangedBy: z.string().nullable(),
  createdAt: Instant,
});
export type Authority = z.infer<typeof Authority>;
export type AuthorityRules = Authority["rules"];

const ById = z.strictObject({ id: Uuid });

export const listAuthorities = endpoint({
  method: "GET",
  path: "/api/v1/authorities",
  permission: "authority.read",
  summary: "Authorities whose certificates devices have, newest first",
  query: ListQuery,
  reply: pageOf(Authority),
});

export const getAuthority = endpoint({
  method: "GET",
  path: "/api/v1/authorities/{id}",
  permission: "authority.read",
  summary: "One authority, with what it asks and how many certificates it touches",
  params: ById,
  reply: Authority,
});

export const CreateAuthority = z.strictObject({
  name: PersonText(100),
  keyKind: z.enum(CA_KEY_KINDS).default("P-256"),
  years: z.number().int().min(1).max(30).default(10),
  policy: z.enum(ADMISSION_POLICIES).default("ask"),
});
export type CreateAuthority = z.infer<typeof CreateAuthority>;

export const createAuthority = endpoint({
  method: "POST",
  path: "/api/v1/authorities",
  permission: "authority.manage",
  summary: "Make an authority; new devices' certificates come from it at once",
  body: CreateAuthority,
  status: 201,
  reply: Authority,
});

export const UploadAuthority = z.strictObject({
  /** What it is called here; its common name when left out. */
  name: PersonText(100).optional(),
  /** Its certificate first, then what stands above it, nearest first. */
  certificatePem: z.string().min(1).max(262_144),
  /** With it this install issues in the authority's name; without, it only recognises what that one signed. */
  privateKeyPem: z.string().min(1).max(32_768).optional(),
  policy: z.enum(ADMISSION_POLICIES).default("ask"),
});
export type UploadAuthority = z.infer<typeof UploadAuthority>;

export const uploadAuthority = endpoint({
  method: "POST",
  path: "/api/v1/authorities/upload",
  permission: "authority.manage",
  summary: "Bring an authority; without its private key it admits nobody until possession of that key is proved",
  body: UploadAuthority,
  maxBodyBytes: 400_000,
  status: 201,
  reply: Authority,
});

export const ChangeAuthority = AuthorityRules.extend({ name: PersonText(100) }).partial();
export type ChangeAuthority = z.infer<typeof ChangeAuthority>;

export const changeAuthority = endpoint({
  method: "PATCH",
  path: "/api/v1/authorities/{id}",
  permission: "authority.manage",
  summary: "Change what an authority is called and asks",
  params: ById,
  body: ChangeAuthority,
  reply: Authority,
});

const NewcomerRules = AuthorityRules.pick({ subjectPattern: true, keyTypes: true, maxValidityDays: true });
export type NewcomerRules = z.infer<typeof NewcomerRules>;

const RulesPreview = z.object({
  /** Certificates that it signed and that are allowed or wait. */
  known: z.number().int(),
  /** Of these, how many would not be taken if they were new. Nothing happens to them. */
  unfit: z.number().int(),
  bySubject: z.number().int(),
  byKeyType: z.number().int(),
  byValidity: z.number().int(),
});
export type RulesPreview = z.infer<typeof RulesPreview>;

export const previewAuthorityRules = endpoint({
  method: "POST",
  path: "/api/v1/authorities/{id}/preview-rules",
  permission: "authority.read",
  summary: "How many of an authority's known certificates would not meet these rules for newcomers",
  params: ById,
  body: NewcomerRules,
  reply: RulesPreview,
});

export const ProofOrder = z.object({
  code: z.string(),
  until: Instant,
  /** What to run where the authority's key is, one command a line. */
  commands: z.array(z.string()),
});
export type ProofOrder = z.infer<typeof ProofOrder>;

export const orderAuthorityProof = endpoint({
  method: "POST",
  path: "/api/v1/authorities/{id}/proof-code",
  permission: "authority.manage",
  summary: "Get a one-time code to be signed with an uploaded authority's key; an earlier one stops counting",
  params: ById,
  body: z.strictObject({}),
  reply: ProofOrder,
});

export const proveAuthority = endpoint({
  method: "POST",
  path: "/api/v1/authorities/{id}/proof",
  permission: "authority.manage",
  summary: "Show a certificate for the one-time code that the authority signed; from then on it counts",
  params: ById,
  body: z.strictObject({ certificatePem: z.string().min(1).max(32_768) }),
  reply: Authority,
});

export const closeAuthority = endpoint({
  method: "POST",
  path: "/api/v1/authorities/{id}/close",
  permission: "authority.manage",
  summary: "Admit no newcomers of this authority; devices that are known keep coming in",
  params: ById,
  body: z.strictObject({}),
  reply: Authority,
});

export const reopenAuthority = endpoint({
  method: "POST",
  path: "/api/v1/authorities/{id}/reopen",
  permission: "authority.manage",
  summary: "Admit newcomers of a closed authority again",
  params: ById,
  body: z.strictObject({}),
  reply: Authority,
});

export const issueWithAuthority = endpoint({
  method: "POST",
  path: "/api/v1/authorities/{id}/issue-with",
  permission: "authority.manage",
  summary: "Have new devices' certificates issued by this authority",
  params: ById,
  body: z.strictObject({}),
  reply: Authority,
});

export const RevokeAuthority = z.strictObject({
  reason: RevocationReason.exclude(["certificateHold"]),
  note: PersonText(500),
  /** How many certificates this cuts off, as its preview says: nobody revokes more than they looked at. */
  allowedCertificates: z.number().int().min(0),
});
export type RevokeAuthority = z.infer<typeof RevokeAuthority>;

export const revokeAuthority = endpoint({
  method: "POST",
  path: "/api/v1/authorities/{id}/revoke",
  permission: "authority.manage",
  summary: "Cut off every device whose certificate this authority signed, at once and for good",
  params: ById,
  body: RevokeAuthority,
  reply: Authority,
});

export const deleteAuthority = endpoint({
  method: "DELETE",
  path: "/api/v1/authorities/{id}",
  permission: "authority.manage",
  summary: "Delete an uploaded authority whose key nobody has proved to have; it never admitted anybody",
  params: ById,
  reply: z.object({}),
});

export const getAuthorityCertificate = endpoint({
  method: "GET",
  path: "/api/v1/authorities/{id}/certificate.pem",
  permission: "authority.read",
  summary: "The authority's certificate and its chain as a PEM file",
  params: ById,
  reply: z.string(),
});
