import { expect, it } from "vitest";
import { rollUp } from "#services/revocation/canary.ts";

const now = new Date("2026-11-22T10:00:00Z");
const later = (hours: number) => new Date(now.getTime() + hours * 3_600_000);

it("rolls tries up into one record: late since the first late one, the worst of a day", () => {
  const first = rollUp(null, [{ delayMs: 8 }, { delayMs: 700 }], now);
  expect(first).toEqual({
    tries: 2,
    failures: 0,
    buckets: { 10: 1, 1000: 1 },
    lastAt: now,
    lastDelayMs: 700,
    lastProblem: null,
    worstAt: now,
    worstDelayMs: 700,
    lateSince: null,
  });
  const late = rollUp(first, [{ delayMs: 1_001 }, { problem: "away" }], later(1));
  expect(late).toMatchObject({ tries: 4, failures: 1, lastProblem: "away", worstDelayMs: 1_001, lateSince: later(1) });
  const still = rollUp(late, [{ problem: "away" }], later(2));
  expect(still).toMatchObject({ lastDelayMs: null, worstDelayMs: 1_001, lateSince: later(1) });
  const well = rollUp(still, [{ delayMs: 20 }], later(26));
  expect(well).toMatchObject({ lastProblem: null, worstDelayMs: 20, worstAt: later(26), lateSince: null, failures: 2 });
  expect(well.buckets).toEqual({ 10: 1, 25: 1, 1000: 1, 2500: 1 });
});
