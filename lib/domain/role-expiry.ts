const DAY_MS = 86_400_000;
const WARN_AT_DAYS = [1, 7, 14, 30] as const;

/** Who signs a role again before it ends; `per_device` stands for documents that each device has of its own. */
export type Renewal = "automatic" | "per_device" | "person" | "not_known";

/** 0 for what has ended. */
export type ExpiryWarning = { readonly tone: "warn" | "bad"; readonly withinDays: 0 | 1 | 7 | 14 | 30 };

/**
 * Whether the end of a role concerns a person: at 30, 14, 7 and 1 days where a person must sign, and once it has ended where that should
 * have happened by itself. Of a back end that does not tell, only root and targets count: the others live for a day by design.
 */
export function warnOfExpiry(
  role: { readonly role: string; readonly renewal: Renewal; readonly expiresAt: Date | null },
  now: Date,
): ExpiryWarning | null {
  if (role.expiresAt === null) return null;
  const leftMs = role.expiresAt.getTime() - now.getTime();
  if (leftMs <= 0) return { tone: "bad", withinDays: 0 };
  const isLongLived = role.role === "root" || role.role === "targets";
  if (role.renewal !== "person" && !(role.renewal === "not_known" && isLongLived)) return null;
  const withinDays = WARN_AT_DAYS.find((days) => leftMs <= days * DAY_MS);
  return withinDays === undefined ? null : { tone: withinDays <= 7 ? "bad" : "warn", withinDays };
}
