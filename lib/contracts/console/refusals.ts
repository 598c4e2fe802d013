import { z } from "zod";
import { MOST_REFUSAL_ADDRESSES } from "#lib/domain/refusals.ts";
import { Fingerprint, Instant, ListQuery, PersonText, pageOf, Sha256, Uuid } from "./common.ts";
import { endpoint } from "./endpoint.ts";

/**
 * What can be done about it from here. `admit`: its certificate can be let in; `look`: something was decided about its certificate,
 * or waits to be; `none`: nothing here, the device must come with something else.
 */
export const RefusalRemedy = z.enum(["admit", "look", "none"]);
export type RefusalRemedy = z.infer<typeof RefusalRemedy>;

export const Refusal = z.object({
  id: Uuid,
  fingerprint: Fingerprint.nullable(),
  code: z.string(),
  /** What the device was told. */
  sentence: z.string(),
  /** What it was not told: who, when, how much. */
  detail: z.string().nullable(),
  subject: z.string().nullable(),
  issuer: z.string().nullable(),
  /** That signed its certificate. */
  authority: z.object({ id: Uuid, name: z.string() }).nullable(),
  /** Of the last attempt. */
  address: z.string(),
  /** The newest that attempts came from, the last one first. When there are {@link MOST_REFUSAL_ADDRESSES}, there may have been more. */
  addresses: z.array(z.string()).max(MOST_REFUSAL_ADDRESSES),
  remedy: RefusalRemedy,
  count: z.number().int(),
  firstAt: Instant,
  lastAt: Instant,
});
export type Refusal = z.infer<typeof Refusal>;

/** What the refused certificate says of itself; nothing of it is vouched for. */
export const RefusedCertificate = z.object({
  serial: z.string(),
  notBefore: Instant,
  notAfter: Instant,
  keyType: z.string(),
  spkiSha256: Sha256,
  signatureHash: z.string().nullable(),
  isCa: z.boolean(),
  keyUsage: z.array(z.string()).nullable(),
  extendedKeyUsage: z.array(z.string()).nullable(),
  alternativeNames: z.array(z.string()),
  pem: z.string(),
});
export type RefusedCertificate = z.infer<typeof RefusedCertificate>;

export const RefusalDetail = Refusal.extend({ certificate: RefusedCertificate.nullable() });
export type RefusalDetail = z.infer<typeof RefusalDetail>;

export const ListRefusals = ListQuery.extend({
  code: z
    .string()
    .regex(/^[a-z0-9_]{1,64}$/)
    .optional(),
  authorityId: Uuid.optional(),
});
export type ListRefusals = z.infer<typeof ListRefusals>;

export const listRefusals = endpoint({
  method: "GET",
  path: "/api/v1/refusals",
  permission: "refusal.read",
  summary: "Attempts the device door refused, latest first",
  query: ListRefusals,
  reply: pageOf(Refusal),
});

/** How often the door refused for one reason, against what is usual. */
export const RefusalRate = z.object({
  code: z.string(),
  /** Kinds of attempts in the list. */
  listed: z.number().int(),
  lastHour: z.number().int(),
  /** The median of its hours in the last seven days. */
  usualHour: z.number().int(),
  isUnusual: z.boolean(),
  /** Whence most of them came. */
  topAddress: z.string().nullable(),
});
export type RefusalRate = z.infer<typeof RefusalRate>;

export const listRefusalRates = endpoint({
  method: "GET",
  path: "/api/v1/refusals/rates",
  permission: "refusal.read",
  summary: "The reasons the device door refused for, how often, and whether that is unusual",
  reply: z.object({ data: z.array(RefusalRate) }),
});

const ByRefusal = z.strictObject({ id: Uuid });

export const getRefusal = endpoint({
  method: "GET",
  path: "/api/v1/refusals/{id}",
  permission: "refusal.read",
  summary: "One refused attempt, with what its certificate says of itself",
  params: ByRefusal,
  reply: RefusalDetail,
});

export const AdmitRefused = z.strictObject({ name: PersonText(200).optional(), note: PersonText(500).optional() });
export type AdmitRefused = z.infer<typeof AdmitRefused>;

export const admitRefused = endpoint({
  method: "POST",
  path: "/api/v1/refusals/{id}/admit",
  permission: "certificate.decide",
  summary: "Let a refused certificate in: by the allowlist at its next visit, or at once when it waits",
  params: ByRefusal,
  body: AdmitRefused,
  status: 200,
  reply: z.object({ fingerprint: Fingerprint, isIn: z.boolean() }),
});
