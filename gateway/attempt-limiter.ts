import { createBoundedMap } from "./bounded-map.ts";

/** Counts by key in windows of fixed length. Bounded: under a flood from many addresses the oldest are forgotten. */
export type AttemptLimiter = {
  /** Whether another attempt is taken now. */
  isOpen(key: string): boolean;
  count(key: string): void;
};

const REMEMBERED = 10_000;
export const ATTEMPT_WINDOW_SECONDS = 60;

export function createAttemptLimiter(clock: () => Date, most: number): AttemptLimiter {
  const windows = createBoundedMap<{ startedAt: number; attempts: number }>(REMEMBERED);
  const current = (key: string) => {
    const window = windows.get(key);
    const now = clock().getTime();
    const age = window === undefined ? -1 : now - window.startedAt;
    // A clock that was set back starts a new window, instead of keeping this one closed until it is there again.
    if (window !== undefined && age >= 0 && age < ATTEMPT_WINDOW_SECONDS * 1_000) return window;
    return { startedAt: now, attempts: 0 };
  };
  return {
    isOpen: (key) => current(key).attempts < most,
    count(key) {
      const window = current(key);
      windows.set(key, { ...window, attempts: window.attempts + 1 });
    },
  };
}
