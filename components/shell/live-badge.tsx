"use client";

import { useNow } from "#components/ui/clock.tsx";
import { cx } from "#components/ui/cx.ts";
import { shortDuration } from "#lib/client/time.ts";
import { useLive } from "./live-provider.tsx";

const LOOKS = {
  connecting: { word: "Connecting", dot: "bg-idle ring-idle-soft", tip: "The event stream is being opened." },
  live: { word: "Live", dot: "bg-ok ring-ok-soft", tip: "Changes show within a second." },
  reconnecting: {
    word: "Reconnecting",
    dot: "bg-warn ring-warn-soft",
    tip: "The event stream broke off; it is being opened again. What is shown may be a little old.",
  },
  stale: {
    word: "Not live",
    dot: "bg-bad ring-bad-soft",
    tip: "No event stream can be had. The page asks every 15 seconds instead.",
  },
} as const;

/** Says whether the page follows what happens, and how old the last word is when it does not. */
export function LiveBadge() {
  const { state, heardAt } = useLive();
  const now = useNow(true);
  const { word, dot, tip } = LOOKS[state];
  const age = state === "reconnecting" || state === "stale" ? `, ${shortDuration(now - heardAt)} old` : "";
  return (
    <span
      role="status"
      data-tip={tip}
      className="num inline-flex sm:min-w-[84px] sm:justify-end items-center gap-2 text-sm whitespace-nowrap text-ink-3"
    >
      <i aria-hidden className={cx("size-[7px] rounded-full ring-3", dot)} />
      {word}
      <span aria-hidden>{age}</span>
    </span>
  );
}
