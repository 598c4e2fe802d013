const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** `12 s`, `4 min`, `3 h`, `9 d`, `3 y`: the largest unit, rounded down, so that it never claims more than has passed. */
export function shortDuration(ms: number): string {
  const span = Math.abs(ms);
  if (span < MINUTE) return `${Math.floor(span / 1_000)} s`;
  if (span < HOUR) return `${Math.floor(span / MINUTE)} min`;
  if (span < DAY) return `${Math.floor(span / HOUR)} h`;
  if (span < 730 * DAY) return `${Math.floor(span / DAY)} d`;
  return `${Math.floor(span / (365 * DAY))} y`;
}

/** `12 s ago`, `in 3 d`, `now`. */
export function relativeTime(at: Date, now: number): string {
  const past = now - at.getTime();
  if (past >= 0 && past < 1_000) return "now";
  // The page's clock ticks every few seconds and clocks differ: what just happened must not stand in the future.
  if (past < 0) return past > -20_000 ? "now" : `in ${shortDuration(past)}`;
  return `${shortDuration(past)} ago`;
}

export function absoluteTime(at: Date, timeZone: string): string {
  return new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "medium", timeZone }).format(at);
}

export function absoluteDate(at: Date, timeZone: string): string {
  return new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeZone }).format(at);
}

/** The exact instant, for hovering and copying. */
export function utcTime(at: Date): string {
  return `${at.toISOString().slice(0, 19).replace("T", " ")} UTC`;
}

/** Time of day today, day and month this year, else the date. */
export function briefTime(at: Date, now: number, timeZone: string): string {
  const format = (options: Intl.DateTimeFormatOptions, date: Date | number) =>
    new Intl.DateTimeFormat("en-GB", { timeZone, ...options }).format(date);
  const day: Intl.DateTimeFormatOptions = { year: "numeric", month: "2-digit", day: "2-digit" };
  if (format(day, at) === format(day, now)) return format({ hour: "2-digit", minute: "2-digit" }, at);
  if (format({ year: "numeric" }, at) === format({ year: "numeric" }, now)) {
    return format({ day: "numeric", month: "short" }, at);
  }
  return format({ dateStyle: "medium" }, at);
}

export function isTimeZone(name: string): boolean {
  try {
    new Intl.DateTimeFormat("en-GB", { timeZone: name });
    return true;
  } catch {
    return false;
  }
}
