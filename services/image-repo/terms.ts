import type { RoleName } from "./roles.ts";
import type { RoleFacts } from "./store.ts";

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/** How long each role is good for after a change of images, and after being merely renewed. @see contracts/reposerver-keyserver.md section 6 */
export const VALID_ON_CHANGE_MS: Record<RoleName, number> = {
  targets: 31 * DAY_MS,
  snapshot: 31 * DAY_MS,
  timestamp: 31 * DAY_MS,
};
export const VALID_ON_REFRESH_MS: Record<RoleName, number> = {
  targets: 30 * DAY_MS,
  snapshot: 30 * DAY_MS,
  timestamp: DAY_MS,
};

/** What must be left of a role when it is read, and what the worker takes care of. */
export const LEFT_ON_READ_MS: Record<RoleName, number> = { targets: HOUR_MS, snapshot: HOUR_MS, timestamp: HOUR_MS };
export const LEFT_FOR_WORKER_MS: Record<RoleName, number> = {
  targets: 3 * DAY_MS,
  snapshot: 3 * DAY_MS,
  timestamp: 8 * HOUR_MS,
};

/** From each role on, all that name it must be made anew too. */
export const ORDER: readonly RoleName[] = ["targets", "snapshot", "timestamp"];

/** Of these roles, given in signing order, the first that is missing, too near its end, or ends before it may. */
export function stalest(
  facts: readonly RoleFacts[],
  of: { leftMs: Record<RoleName, number>; now: Date; among?: readonly RoleName[] },
): RoleName | null {
  const isStale = (role: RoleName) => {
    const found = facts.find((one) => one.role === role);
    if (found === undefined) return true;
    const ends = found.expiresAt.getTime();
    return ends - of.now.getTime() < of.leftMs[role] || ends < wholeSeconds(found.notBefore);
  };
  return (of.among ?? ORDER).find(isStale) ?? null;
}

/** When a role that is made now ends: never before the instant that was set for the repository. */
export function laterOf(expires: Date, notBefore: Date | null): Date {
  return new Date(Math.max(expires.getTime(), notBefore?.getTime() ?? 0));
}

/** Dates in metadata have whole seconds. */
function wholeSeconds(instant: Date | null): number {
  return Math.floor((instant?.getTime() ?? 0) / 1_000) * 1_000;
}
