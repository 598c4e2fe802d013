import { expect, it } from "vitest";
import { type Renewal, warnOfExpiry } from "./role-expiry.ts";

const NOW = new Date("2026-11-01T00:00:00Z");
const inDays = (days: number) => new Date(NOW.getTime() + days * 86_400_000);

it.each([
  ["root", "person", 31, null],
  ["root", "person", 30, 30],
  ["root", "person", 14, 14],
  ["targets", "person", 7, 7],
  ["targets", "person", 0.5, 1],
  ["targets", "person", 0, 0],
  ["root", "not_known", 10, 14],
  ["timestamp", "not_known", 0.9, null],
  ["timestamp", "not_known", -1, 0],
  ["root", "automatic", 1, null],
  ["root", "automatic", -0.1, 0],
] as const)("%s, renewed by %s, with %d days left warns at %s", (role, renewal: Renewal, days, withinDays) => {
  expect(warnOfExpiry({ role, renewal, expiresAt: inDays(days) }, NOW)?.withinDays ?? null).toBe(withinDays);
});

it("says nothing of documents that each device has of its own", () => {
  expect(warnOfExpiry({ role: "targets", renewal: "per_device", expiresAt: null }, NOW)).toBeNull();
});
