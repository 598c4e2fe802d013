/** From `from` on and before `until`; null is without bound. */
export type Span = { readonly from: Date | null; readonly until: Date | null };

const WEEKS = 26;
const MONTHS = 12;
const DAY_MS = 86_400_000;

/** The spans of an expiry calendar: weeks begin on Monday, weeks and months at midnight UTC, the first of each `now`. */
export function expiryBuckets(now: Date): { expired: Span; weeks: Span[]; months: Span[]; later: Span } {
  const midnight = Date.UTC(now.getUTCFullYear(), now.getUTCMonth(), now.getUTCDate());
  const monday = midnight - ((now.getUTCDay() + 6) % 7) * DAY_MS;
  const weeks = spans(now, WEEKS, (index) => new Date(monday + 7 * index * DAY_MS));
  const months = spans(now, MONTHS, (index) => new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() + index, 1)));
  return {
    expired: { from: null, until: now },
    weeks,
    months,
    later: { from: months.at(-1)?.until ?? now, until: null },
  };
}

function spans(now: Date, count: number, startOf: (index: number) => Date): Span[] {
  return Array.from({ length: count }, (_, index) => ({
    from: index === 0 ? now : startOf(index),
    until: startOf(index + 1),
  }));
}
