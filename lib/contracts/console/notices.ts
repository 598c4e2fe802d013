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
});
export type Notice = z.infer<typeof Notice>;

export const ListNotices = ListQuery.omit({ q: true }).extend({ state: z.enum(["open", "settled"]).optional() });
export type ListNotices = z.infer<typeof ListNotices>;

export const listNotices = endpoint({
  method: "GET",
  path: "/api/v1/notices",
  permission: "certificate.read",
  summary:
    "What crossed a threshold: ends of certificates and authorities, long waits, findings, overdue renewals; newest first",
  query: ListNotices,
  reply: pageOf(Notice),
});
