const HOUR_MS = 3_600_000;

/** A session ends when nobody used it for this long, */
const IDLE_MS = 8 * HOUR_MS;
/** and at last after this long, used or not. */
export const SESSION_SECONDS = 7 * 24 * 3_600;
/** "Last used" is written at most this often, so that reading a page does not write each time. */
const TOUCH_EVERY_MS = 60_000;

/** A session last used before this is over. */
export function idleSince(now: Date): Date {
  return new Date(now.getTime() - IDLE_MS);
}

export function isTouchDue(lastUsedAt: Date | null, now: Date): boolean {
  return lastUsedAt === null || now.getTime() - lastUsedAt.getTime() >= TOUCH_EVERY_MS;
}
