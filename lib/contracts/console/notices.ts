import { z } from "zod";
import { Instant, ListQuery, pageOf, Uuid } from "./common.ts";
import { endpoint } from "./endpoint.ts";

/** What people are told of, once when it becomes true. */
export const NOTICE_KINDS = [
  "certificates_expiring",
  "authority_expiring",
  "waiting_long",
  "posture",
  "renewal_overdue",
  "refusals_unusual",
  "revocation_late",
] as const;
export const NoticeKind = z.enum(NOTICE_KINDS);
export type NoticeKind = z.infer<typeof NoticeKind>;

export const Notice = z.object({
  id: Uuid,
  kind: NoticeKind,
  tone: z.enum(["bad", "warn"]),
  text: z.string(),
  href: z.string(),
  at: Instant,
  /** Since when it is no longer true. */
  settledAt: Instant.nullable(),
  /** Since when somebody sees to it, and who: it no longer asks for anybody else. */
  acknowledgedAt: Instant.nullable(),
  acknowledgedBy: z.string().nullable(),
});
export type Notice = z.infer<typeof Notice>;

/** True and nobody's yet, true and somebody sees to it, no longer true. */
export const NOTICE_STATES = ["open", "acknowledged", "settled"] as const;
export const NoticeState = z.enum(NOTICE_STATES);
export type NoticeState = z.infer<typeof NoticeState>;

export const ListNotices = ListQuery.omit({ q: true }).extend({ state: NoticeState.optional() });
export type ListNotices = z.infer<typeof ListNotices>;

export const listNotices = endpoint({
  method: "GET",
  path: "/api/v1/notices",
  permission: "certificate.read",
  summary:
    "What crossed a threshold: ends of certificates and authorities, long waits, findings, overdue renewals, unusual refusals, late revocations; newest first",
  query: ListNotices,
  reply: pageOf(Notice),
});

export const acknowledgeNotice = endpoint({
  method: "POST",
  path: "/api/v1/notices/{id}/acknowledge",
  permission: "certificate.decide",
  summary: "Say that one sees to it: it asks for nobody else until it is told anew",
  params: z.strictObject({ id: Uuid }),
  body: z.strictObject({}),
  reply: Notice,
});
