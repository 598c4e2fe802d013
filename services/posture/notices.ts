import { type Actor, requirePermission } from "#lib/authz/actor.ts";
import type { Page } from "#lib/contracts/console/common.ts";
import { type ListNotices, NOTICE_KINDS, type Notice, NoticeKind } from "#lib/contracts/console/notices.ts";
import { PostureCode } from "#lib/contracts/console/posture.ts";
import type { Ctx } from "#lib/ctx.ts";
import { publishEvent } from "#lib/db/events.ts";
import { AppError } from "#lib/errors/app-error.ts";
import { record } from "#services/audit/service.ts";
import { readRefusalRates } from "#services/identity/service.ts";
import { findCanaryRecord } from "#services/revocation/service.ts";
import { CHECKS } from "./checks.ts";
import { runChecks } from "./posture.ts";
import { countProgress, settleRenewed } from "./store-campaigns.ts";
import { countSegments } from "./store-forecast.ts";
import * as store from "./store-notices.ts";

const DAY_MS = 86_400_000;
/** Days before the end of devices' certificates, and of authorities. */
const CERTIFICATE_DAYS = [1, 7, 14, 30] as const;
const AUTHORITY_DAYS = [0, 1, 7, 14, 30, 90] as const;

/**
 * Tells what crossed a threshold since the last run and settles what is no longer true; keeps the renewals of open campaigns too. A
 * notice is told once: while it stays true only its words change.
 */
export async function refreshNotices(ctx: Ctx): Promise<void> {
  const now = ctx.clock();
  await settleRenewed(ctx.db, ctx.namespaceId, now);
  const current = (
    await Promise.all([
      findExpiring(ctx),
      findAuthorities(ctx),
      findWaiting(ctx),
      findFindings(ctx),
      findOverdue(ctx),
      findRefusals(ctx),
      findLateRevocation(ctx),
    ])
  ).flat();
  await ctx.db.$transaction(async (tx) => {
    const told = await store.keepNotices(tx, ctx.namespaceId, { current, now });
    const settled = await store.settleOthers(tx, ctx.namespaceId, { current, kinds: NOTICE_KINDS, now });
    if (told + settled > 0) await publishEvent(tx, ctx.namespaceId, { topic: "notice", subjectId: "" });
  });
}

/** @throws AppError `auth.forbidden` | `request.invalid` (a cursor that is not ours) */
export async function listNotices(ctx: Ctx, actor: Actor, query: ListNotices): Promise<Page<Notice>> {
  requirePermission(actor, "certificate.read");
  const of = { query, kinds: NOTICE_KINDS };
  const { rows, nextCursor, total } = await store.listNoticeRows(ctx.db, ctx.namespaceId, of);
  return { data: rows.map(toDto), nextCursor, total, totalIsExact: true };
}

/**
 * Says that somebody sees to it, so that it asks for nobody else until it is told anew. It stays until it is no longer true. Repeating it is
 * fine, and so is one that is settled by now.
 *
 * @throws AppError `auth.forbidden` | `notice.not_found`
 */
export async function acknowledgeNotice(ctx: Ctx, actor: Actor, id: string): Promise<Notice> {
  requirePermission(actor, "certificate.decide");
  return ctx.db.$transaction(async (tx) => {
    const changed = await store.acknowledge(tx, ctx.namespaceId, { id, at: ctx.clock(), by: actor.name });
    const row = await store.findNotice(tx, ctx.namespaceId, { id, kinds: NOTICE_KINDS });
    if (row === null) throw new AppError("notice.not_found", "There is no notice with this id.");
    if (changed) {
      await publishEvent(tx, ctx.namespaceId, { topic: "notice", subjectId: id });
      await record(tx, ctx, actor, { action: "notice.acknowledge", target: { kind: "notice", id, name: row.text } });
    }
    return toDto(row);
  });
}

function toDto({ subject, threshold, ...row }: store.NoticeRow): Notice {
  const kind = NoticeKind.parse(row.kind);
  return {
    ...row,
    kind,
    tone: toneOf(kind, { subject, threshold }),
    at: row.at.toISOString(),
    settledAt: row.settledAt?.toISOString() ?? null,
    acknowledgedAt: row.acknowledgedAt?.toISOString() ?? null,
  };
}

function toneOf(kind: NoticeKind, { subject, threshold }: { subject: string; threshold: string }): Notice["tone"] {
  if (kind === "posture") {
    const code = PostureCode.safeParse(subject); // a check that another version had is still told of
    return code.success ? CHECKS[code.data].tone : "warn";
  }
  if (kind === "certificates_expiring") return Number(threshold) <= 7 ? "bad" : "warn";
  if (kind === "authority_expiring") return Number(threshold) <= 30 ? "bad" : "warn";
  return kind === "revocation_late" ? "bad" : "warn";
}

/** By days in UTC, so that the words and the link hold for a day; each certificate counts at its nearest threshold alone. */
async function findExpiring(ctx: Ctx): Promise<store.CurrentNotice[]> {
  const now = ctx.clock();
  const today = Math.floor(now.getTime() / DAY_MS) * DAY_MS;
  const bounds = [0, ...CERTIFICATE_DAYS.map((days) => days + 1)].map((days) => new Date(today + days * DAY_MS));
  const segments = await countSegments(ctx.db, ctx.namespaceId, { now, bounds, simulated: "false" });
  return CERTIFICATE_DAYS.flatMap((days, index) => {
    const inside = segments.filter(({ segment }) => segment === index + 1);
    const countOf = (rows: typeof inside) => rows.reduce((sum, { count }) => sum + count, 0);
    const total = countOf(inside);
    const away = countOf(inside.filter(({ seen }) => seen === "silent" || seen === "never"));
    const [from, until] = [bounds[index]?.toISOString() ?? "", bounds[index + 1]?.toISOString() ?? ""];
    const rest = away === 0 ? "" : `; ${away} of ${total === 1 ? "it" : "them"} not online for 30 days`;
    const what = plural(total, "device's certificate ends", "devices' certificates end");
    return notice(total, {
      kind: "certificates_expiring",
      subject: "fleet",
      threshold: String(days),
      text: `${what} within ${plural(days, "day", "days")}${rest}`,
      href: `/trust/forecast/devices?${new URLSearchParams({ from, until, simulated: "false" })}`,
    });
  });
}

async function findAuthorities(ctx: Ctx): Promise<store.CurrentNotice[]> {
  const now = ctx.clock().getTime();
  const until = new Date(now + Math.max(...AUTHORITY_DAYS) * DAY_MS);
  const ending = await store.listEndingAuthorities(ctx.db, ctx.namespaceId, until);
  return ending.map(({ id, name, notAfter }) => {
    const days = AUTHORITY_DAYS.find((threshold) => notAfter.getTime() <= now + threshold * DAY_MS) ?? 90;
    const when = days === 0 ? "has ended" : `ends within ${plural(days, "day", "days")}`;
    const href = `/trust/authorities/${id}`;
    return { kind: "authority_expiring", subject: id, threshold: String(days), text: `${name} ${when}`, href };
  });
}

async function findWaiting(ctx: Ctx): Promise<store.CurrentNotice[]> {
  const before = new Date(ctx.clock().getTime() - DAY_MS);
  const count = await store.countWaitingSince(ctx.db, ctx.namespaceId, before);
  const what = plural(count, "certificate waits", "certificates wait");
  const text = `${what} for a decision for more than a day`;
  return notice(count, { kind: "waiting_long", subject: "fleet", threshold: "1", text, href: "/trust" });
}

async function findFindings(ctx: Ctx): Promise<store.CurrentNotice[]> {
  const checks = await runChecks(ctx);
  return checks.flatMap(({ code, title, count }) =>
    notice(count, {
      kind: "posture",
      subject: code,
      threshold: "found",
      text: `${title}: ${count}`,
      href: `/trust/posture/${code}`,
    }),
  );
}

async function findOverdue(ctx: Ctx): Promise<store.CurrentNotice[]> {
  const now = ctx.clock();
  const due = await store.listDueCampaigns(ctx.db, ctx.namespaceId, now);
  const counts = await countProgress(ctx.db, ctx.namespaceId, { campaignIds: due.map(({ id }) => id), now });
  return due.flatMap(({ id, name }) => {
    const waiting = counts.get(id)?.waiting ?? 0;
    const text = `${name} is overdue: ${plural(waiting, "device is", "devices are")} not renewed`;
    const href = `/trust/campaigns/${id}`;
    return notice(waiting, { kind: "renewal_overdue", subject: id, threshold: "due", text, href });
  });
}

async function findRefusals(ctx: Ctx): Promise<store.CurrentNotice[]> {
  const unusual = (await readRefusalRates(ctx)).filter(({ isUnusual }) => isUnusual);
  return unusual.map(({ code, lastHour, usualHour }) => ({
    kind: "refusals_unusual",
    subject: code,
    threshold: "rate",
    text: `${lastHour} attempts were refused within an hour: ${code}; usual are ${usualHour}`,
    href: `/trust/refused?code=${code}`,
  }));
}

async function findLateRevocation(ctx: Ctx): Promise<store.CurrentNotice[]> {
  const late = (await findCanaryRecord(ctx))?.lateSince ?? null;
  const text = "Revocations take longer than a second to be in force";
  return notice(late === null ? 0 : 1, {
    kind: "revocation_late",
    subject: "fleet",
    threshold: "second",
    text,
    href: "/settings",
  });
}

function notice(count: number, current: store.CurrentNotice): store.CurrentNotice[] {
  return count === 0 ? [] : [current];
}

function plural(count: number, one: string, many: string): string {
  return `${count} ${count === 1 ? one : many}`;
}
