import { expect, test } from "vitest";
import { absoluteTime, briefTime, isTimeZone, relativeTime, shortDuration } from "./time.ts";

const NOW = Date.parse("2026-03-29T12:00:00Z");
const before = (ms: number) => relativeTime(new Date(NOW - ms), NOW);

test("never claims that more time has passed than has", () => {
  expect(before(59_999)).toBe("59 s ago");
  expect(before(60_000)).toBe("1 min ago");
  expect(before(3_599_999)).toBe("59 min ago");
  expect(before(86_400_000 * 364.9)).toBe("364 d ago");
  expect(shortDuration(86_400_000 * 730)).toBe("2 y");
});

test("what just happened does not stand in the future when clocks differ", () => {
  expect(before(-6_000)).toBe("now");
  expect(before(-90_000)).toBe("in 1 min");
});

test("times are the viewer's, across the change to daylight saving", () => {
  const springForward = new Date("2026-03-29T01:30:00Z");
  expect(absoluteTime(springForward, "Europe/Berlin")).toContain("03:30:00");
  expect(absoluteTime(springForward, "UTC")).toContain("01:30:00");
});

test("brief times show the day as soon as it is another day for the viewer", () => {
  expect(briefTime(new Date("2026-03-29T11:03:00Z"), NOW, "UTC")).toBe("11:03");
  expect(briefTime(new Date("2026-03-28T23:30:00Z"), NOW, "UTC")).toBe("28 Mar");
  expect(briefTime(new Date("2026-03-28T23:30:00Z"), NOW, "Europe/Berlin")).toBe("00:30");
  expect(briefTime(new Date("2025-03-29T11:03:00Z"), NOW, "UTC")).toBe("29 Mar 2025");
});

test("a cookie that names no zone is noticed", () => {
  expect(isTimeZone("Europe/Berlin")).toBe(true);
  expect(isTimeZone("Mars/Olympus")).toBe(false);
});
