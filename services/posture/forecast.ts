import { type Actor, requirePermission } from "#lib/authz/actor.ts";
import type { Page } from "#lib/contracts/console/common.ts";
import {
  type ExpiringDevice,
  type ExpiryBucket,
  type ExpiryCounts,
  type ExpirySelection,
  type Forecast,
  type ListExpiring,
  SEEN_CLASSES,
} from "#lib/contracts/console/posture.ts";
import type { Ctx } from "#lib/ctx.ts";
import { expiryBuckets, type Span } from "#lib/domain/expiry-buckets.ts";
import { listAuthorityNames } from "#services/authorities/service.ts";
import { countSegments, listExpiring, type SegmentRow } from "./store-forecast.ts";

/**
 * When the certificates end that devices come in with, against when these devices were last seen. Every number is that of the rows
 * that {@link listExpiringDevices} gives for the same bounds.
 *
 * @throws AppError `auth.forbidden`
 */
export async function getForecast(
  ctx: Ctx,
  actor: Actor,
  query: Pick<ExpirySelection, "simulated">,
): Promise<Forecast> {
  requirePermission(actor, "certificate.read");
  const now = ctx.clock();
  const { expired, weeks, months, later } = expiryBuckets(now);
  const bounds = boundsOf([expired, ...weeks, ...months]);
  const segments = await countSegments(ctx.db, ctx.namespaceId, { now, bounds, simulated: query.simulated });
  const count = (span: Span) => toBucket(span, segments, bounds);
  return {
    at: now.toISOString(),
    expired: count(expired),
    weeks: weeks.map(count),
    months: months.map((month) => {
      const soFar = count({ from: now, until: month.until });
      return { ...count(month), soFar, sentence: sentenceOf(soFar) };
    }),
    later: count(later),
  };
}

/** The devices behind a number of the forecast. @throws AppError `auth.forbidden` | `request.invalid` (a cursor that is not ours) */
export async function listExpiringDevices(ctx: Ctx, actor: Actor, query: ListExpiring): Promise<Page<ExpiringDevice>> {
  requirePermission(actor, "certificate.read");
  const [{ rows, nextCursor, total }, signers] = await Promise.all([
    listExpiring(ctx.db, ctx.namespaceId, { query, now: ctx.clock() }),
    listAuthorityNames(ctx),
  ]);
  const data = rows.map(({ authorityId, ...row }) => ({
    ...row,
    name: row.name ?? row.deviceUuid,
    notAfter: row.notAfter.toISOString(),
    lastSeenAt: row.lastSeenAt?.toISOString() ?? null,
    authority: signers.find(({ id }) => id === authorityId)?.name ?? null,
  }));
  return { data, nextCursor, total, totalIsExact: true };
}

/** All instants at which a span begins or ends, ascending: a span is then a run of segments, whatever overlaps it. */
function boundsOf(spans: readonly Span[]): Date[] {
  const instants = spans.flatMap(({ from, until }) => [from, until]).flatMap((at) => at?.getTime() ?? []);
  return [...new Set(instants)].sort((a, b) => a - b).map((at) => new Date(at));
}

function toBucket({ from, until }: Span, segments: readonly SegmentRow[], bounds: readonly Date[]): ExpiryBucket {
  const positionOf = (at: Date) => bounds.findIndex((bound) => bound.getTime() === at.getTime()) + 1;
  const first = from === null ? 0 : positionOf(from);
  const end = until === null ? bounds.length + 1 : positionOf(until);
  const inside = segments.filter(({ segment }) => segment >= first && segment < end);
  const countOf = (seen: SegmentRow["seen"]) =>
    inside.reduce((sum, row) => (row.seen === seen ? sum + row.count : sum), 0);
  const seen: ExpiryCounts["seen"] = {
    day: countOf("day"),
    week: countOf("week"),
    month: countOf("month"),
    silent: countOf("silent"),
    never: countOf("never"),
  };
  const total = SEEN_CLASSES.reduce((sum, name) => sum + seen[name], 0);
  return { from: from?.toISOString() ?? null, until: until?.toISOString() ?? null, total, seen };
}

const LAST_DAY = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "long", year: "numeric", timeZone: "UTC" });

function sentenceOf({ total, seen, until }: ExpiryBucket): string {
  const by = LAST_DAY.format(new Date(Date.parse(until ?? "") - 1));
  if (total === 0) return `None expires by ${by}.`;
  const away = seen.silent + seen.never;
  const rest =
    away === 0
      ? "all have been online in the last 30 days"
      : `${away} ${away === 1 ? "has" : "have"} not been online for 30 days`;
  return `Of ${total} expiring by ${by}, ${rest}.`;
}
