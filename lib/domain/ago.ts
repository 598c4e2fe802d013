const STEPS = [
  { unit: "s", seconds: 1, until: 60 },
  { unit: "min", seconds: 60, until: 3_600 },
  { unit: "h", seconds: 3_600, until: 172_800 },
  { unit: "d", seconds: 86_400, until: Number.POSITIVE_INFINITY },
] as const;

/** "just now", "40 s ago", "2 min ago", "4 h ago", "3 d ago". A time ahead of `now` (clocks differ) counts as now. */
export function ago(at: Date, now: Date): string {
  const span = spanOf(now.getTime() - at.getTime());
  return span === null ? "just now" : `${span} ago`;
}

/** "in 3 d"; "now" for what is past. */
export function ahead(at: Date, now: Date): string {
  const span = spanOf(at.getTime() - now.getTime());
  return span === null ? "now" : `in ${span}`;
}

function spanOf(milliseconds: number): string | null {
  const seconds = Math.floor(milliseconds / 1_000);
  if (seconds < 5) return null;
  const step = STEPS.find(({ until }) => seconds < until) ?? STEPS[3];
  return `${Math.floor(seconds / step.seconds)} ${step.unit}`;
}
