import { z } from "zod";
import { Fingerprint, Instant, ListQuery, pageOf, Uuid } from "./common.ts";
import { csv } from "./devices.ts";
import { endpoint } from "./endpoint.ts";

/** How long ago a device was last heard of: within a day, a week, 30 days, longer ago, not yet. */
export const SEEN_CLASSES = ["day", "week", "month", "silent", "never"] as const;
export const SeenClass = z.enum(SEEN_CLASSES);
export type SeenClass = z.infer<typeof SeenClass>;

/** Simulated devices are counted unless this says `false`; `true` leaves only them. */
const Simulated = z.enum(["true", "false"]).optional();

export const ExpiryCounts = z.object({
  total: z.number().int(),
  seen: z.object({
    day: z.number().int(),
    week: z.number().int(),
    month: z.number().int(),
    silent: z.number().int(),
    never: z.number().int(),
  }),
});
export type ExpiryCounts = z.infer<typeof ExpiryCounts>;

/** Certificates that end from `from` on and before `until`; null is without bound. */
export const ExpiryBucket = ExpiryCounts.extend({ from: Instant.nullable(), until: Instant.nullable() });
export type ExpiryBucket = z.infer<typeof ExpiryBucket>;

export const Forecast = z.object({
  at: Instant,
  expired: ExpiryBucket,
  /** 26 weeks from Monday to Sunday in UTC, the first of them from now on. */
  weeks: z.array(ExpiryBucket),
  /** 12 calendar months in UTC, the first from now on; `sentence` is about everything from now until the month's end. */
  months: z.array(ExpiryBucket.extend({ sentence: z.string(), soFar: ExpiryBucket })),
  later: ExpiryBucket,
});
export type Forecast = z.infer<typeof Forecast>;

export const getForecast = endpoint({
  method: "GET",
  path: "/api/v1/trust/forecast",
  permission: "certificate.read",
  summary: "When the certificates end that devices come in with, and how long ago these devices were online",
  query: z.strictObject({ simulated: Simulated }),
  reply: Forecast,
});

export const ExpiringDevice = z.object({
  deviceUuid: Uuid,
  name: z.string(),
  fingerprint: Fingerprint,
  notAfter: Instant,
  lastSeenAt: Instant.nullable(),
  seen: SeenClass,
  authority: z.string().nullable(),
  simulated: z.boolean(),
});
export type ExpiringDevice = z.infer<typeof ExpiringDevice>;

/** The devices of one number of the forecast. */
export const ExpirySelection = z.strictObject({
  from: Instant.optional(),
  until: Instant.optional(),
  seen: csv(SeenClass).optional(),
  simulated: Simulated,
});
export type ExpirySelection = z.infer<typeof ExpirySelection>;

export const ListExpiring = ListQuery.extend(ExpirySelection.shape);
export type ListExpiring = z.infer<typeof ListExpiring>;

export const listExpiringDevices = endpoint({
  method: "GET",
  path: "/api/v1/trust/forecast/devices",
  permission: "certificate.read",
  summary: "Devices by the end of the certificate they come in with, the first to end first",
  query: ListExpiring,
  reply: pageOf(ExpiringDevice),
});

/** What is looked for in all certificates; services/posture/checks.ts says what each means and what helps. */
export const POSTURE_CODES = [
  "shared_key",
  "many_addresses",
  "revoked_authority",
  "clock_skew",
  "weak_key",
  "long_validity",
  "authority_ends_first",
  "never_used",
  "name_clash",
] as const;
export const PostureCode = z.enum(POSTURE_CODES);
export type PostureCode = z.infer<typeof PostureCode>;

export const PostureCheck = z.object({
  code: PostureCode,
  tone: z.enum(["bad", "warn"]),
  title: z.string(),
  why: z.string(),
  /** What to do, and where. */
  fix: z.string(),
  href: z.string(),
  /** Rows of its list, and how many devices these are about. */
  count: z.number().int(),
  devices: z.number().int(),
});
export type PostureCheck = z.infer<typeof PostureCheck>;

export const Posture = z.object({ at: Instant, checks: z.array(PostureCheck) });
export type Posture = z.infer<typeof Posture>;

export const getPosture = endpoint({
  method: "GET",
  path: "/api/v1/trust/posture",
  permission: "certificate.read",
  summary: "What is wrong or unusual with the certificates, each with its count and what helps",
  reply: Posture,
});

export const PostureFinding = z.object({
  id: z.string(),
  fingerprint: Fingerprint.nullable(),
  deviceUuid: Uuid.nullable(),
  authority: z.object({ id: Uuid, name: z.string() }).nullable(),
  name: z.string(),
  /** What was found, in words. */
  detail: z.string(),
  lastSeenAt: Instant.nullable(),
});
export type PostureFinding = z.infer<typeof PostureFinding>;

export const ListPostureFindings = ListQuery.omit({ q: true });
export type ListPostureFindings = z.infer<typeof ListPostureFindings>;

export const listPostureFindings = endpoint({
  method: "GET",
  path: "/api/v1/trust/posture/{code}",
  permission: "certificate.read",
  summary: "The certificates, devices and authorities that a posture check found",
  params: z.strictObject({ code: PostureCode }),
  query: ListPostureFindings,
  reply: pageOf(PostureFinding),
});
