"use client";

import { absoluteDate, absoluteTime, briefTime, relativeTime, shortDuration, utcTime } from "#lib/client/time.ts";
import { useNow, useTimeZone } from "./clock.tsx";

type TimeProps = { at: string; className?: string };

/** `4 min ago`; the time in the viewer's zone and the exact UTC on hover. */
export function RelativeTime({ at, className, bare = false }: TimeProps & { bare?: boolean }) {
  const date = new Date(at);
  const now = useNow();
  const text = bare ? shortDuration(Math.max(0, now - date.getTime())) : relativeTime(date, now);
  return <Stamp date={date} text={text} className={className} />;
}

/** `19 Apr 2026`, or with the time of day. */
export function AbsoluteTime({ at, className, dateOnly = false }: TimeProps & { dateOnly?: boolean }) {
  const date = new Date(at);
  const timeZone = useTimeZone();
  const text = dateOnly ? absoluteDate(date, timeZone) : absoluteTime(date, timeZone);
  return <Stamp date={date} text={text} className={className} />;
}

/** `11:03` today, `19 Apr` this year: for timelines. */
export function BriefTime({ at, className }: TimeProps) {
  const date = new Date(at);
  return <Stamp date={date} text={briefTime(date, useNow(), useTimeZone())} className={className} />;
}

function Stamp({ date, text, className }: { date: Date; text: string; className: string | undefined }) {
  const timeZone = useTimeZone();
  return (
    <time
      suppressHydrationWarning
      dateTime={date.toISOString()}
      data-tip={`${absoluteTime(date, timeZone)}\n${utcTime(date)}`}
      className={className}
    >
      {text}
    </time>
  );
}
