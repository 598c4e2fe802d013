import { type Actor, requirePermission } from "#lib/authz/actor.ts";
import type { RefusalRate } from "#lib/contracts/console/refusals.ts";
import type { Ctx } from "#lib/ctx.ts";
import type { Tx } from "#lib/db/client.ts";
import * as store from "./store-refusal-rates.ts";

const HOUR_MS = 3_600_000;
const REMEMBERED_MS = 7 * 24 * HOUR_MS;
/** Fewer than this in an hour are never unusual. */
const ALWAYS_USUAL = 50;
const TIMES_USUAL = 5;

/** Counts attempts into the present hour, and forgets the hours that nothing is compared with any more. */
export async function countAttempts(
  tx: Tx,
  ctx: Ctx,
  attempts: readonly { code: string; count: number }[],
): Promise<void> {
  const now = ctx.clock().getTime();
  const counts = new Map<string, number>();
  for (const { code, count } of attempts) counts.set(code, (counts.get(code) ?? 0) + count);
  await store.countHour(tx, ctx.namespaceId, { hour: hourOf(now), counts });
  await store.forgetHours(tx, ctx.namespaceId, hourOf(now - REMEMBERED_MS - HOUR_MS));
}

/** How often the door refused for each reason, against what is usual. @throws AppError `auth.forbidden` */
export async function listRefusalRates(ctx: Ctx, actor: Actor): Promise<{ data: RefusalRate[] }> {
  requirePermission(actor, "refusal.read");
  return { data: await readRefusalRates(ctx) };
}

/** The same for processes of ours, which ask in nobody's name. */
export async function readRefusalRates(ctx: Ctx): Promise<RefusalRate[]> {
  const now = ctx.clock();
  const [hours, codes] = await Promise.all([
    store.listHours(ctx.db, ctx.namespaceId, hourOf(now.getTime() - REMEMBERED_MS)),
    store.listCodes(ctx.db, ctx.namespaceId, new Date(now.getTime() - HOUR_MS)),
  ]);
  const known = new Set([...codes.map(({ code }) => code), ...hours.map(({ code }) => code)]);
  return [...known].sort().map((code) => {
    const listed = codes.find((it) => it.code === code);
    const rate = rateOf(
      hours.filter((it) => it.code === code),
      now,
    );
    return { code, listed: listed?.listed ?? 0, ...rate, topAddress: listed?.topAddress ?? null };
  });
}

type Hours = readonly { hour: Date; count: number }[];

/**
 * The last hour is the present one and the part of the one before that lies within sixty minutes, taken as even. What is usual is the
 * median of the hours before, from the first that had any: hours without a row had none.
 */
function rateOf(hours: Hours, now: Date): Pick<RefusalRate, "lastHour" | "usualHour" | "isUnusual"> {
  const present = hourOf(now.getTime()).getTime();
  const countIn = (hour: number) => hours.find((it) => it.hour.getTime() === hour)?.count ?? 0;
  const rest = 1 - (now.getTime() - present) / HOUR_MS;
  const lastHour = Math.round(countIn(present) + countIn(present - HOUR_MS) * rest);
  const before = hours.filter(({ hour }) => hour.getTime() < present - HOUR_MS);
  const first = before[0]?.hour.getTime() ?? present;
  const usualHour = median(
    before.map(({ count }) => count),
    Math.max(0, Math.round((present - HOUR_MS - first) / HOUR_MS)),
  );
  return { lastHour, usualHour, isUnusual: lastHour > Math.max(ALWAYS_USUAL, TIMES_USUAL * usualHour) };
}

/** Of `length` numbers, of which those not given are zero. */
function median(given: readonly number[], length: number): number {
  const sorted = [...given].sort((a, b) => b - a);
  return sorted[Math.floor(Math.max(length, given.length) / 2)] ?? 0;
}

function hourOf(time: number): Date {
  return new Date(Math.floor(time / HOUR_MS) * HOUR_MS);
}
