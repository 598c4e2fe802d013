"use client";

import { createContext, type ReactNode, useContext, useSyncExternalStore } from "react";

const Rendered = createContext({ at: 0, timeZone: "UTC" });

/** When and for which zone the server rendered, so that the first paint in the browser says the same as the HTML did. */
export function ClockProvider({ at, timeZone, children }: { at: number; timeZone: string; children: ReactNode }) {
  return <Rendered value={{ at, timeZone }}>{children}</Rendered>;
}

/** Milliseconds since the epoch; moves on by itself every five seconds, every second when `fine`. */
export function useNow(fine = false): number {
  const { at } = useContext(Rendered);
  const clock = fine ? seconds : coarse;
  return useSyncExternalStore(clock.subscribe, clock.now, () => at);
}

/** The viewer's zone; what their last visit said until the browser takes over. */
export function useTimeZone(): string {
  const { timeZone } = useContext(Rendered);
  return useSyncExternalStore(
    () => () => {},
    () => Intl.DateTimeFormat().resolvedOptions().timeZone,
    () => timeZone,
  );
}

const seconds = createClock(1_000);
const coarse = createClock(5_000);

/** One timer for everybody who shows a time. */
function createClock(everyMs: number) {
  const listeners = new Set<() => void>();
  let timer: ReturnType<typeof setInterval> | undefined;
  let value = 0;
  const tick = () => {
    value = Date.now();
    for (const listener of listeners) listener();
  };
  return {
    now: () => {
      if (value === 0 || listeners.size === 0) value = roundedNow(value, everyMs);
      return value;
    },
    subscribe: (listener: () => void) => {
      listeners.add(listener);
      timer ??= setInterval(tick, everyMs);
      return () => {
        listeners.delete(listener);
        if (listeners.size > 0) return;
        clearInterval(timer);
        timer = undefined;
      };
    },
  };
}

/** A snapshot must not change between two reads of one render. */
function roundedNow(last: number, everyMs: number): number {
  const now = Date.now();
  return now - last < everyMs ? last : now;
}
