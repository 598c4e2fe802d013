import { describe, expect, it } from "vitest";
import { ago, ahead } from "./ago.ts";

const now = new Date("2026-03-01T12:00:00Z");
const earlier = (seconds: number) => new Date(now.getTime() - seconds * 1_000);

describe("ago", () => {
  it.each([
    [-60, "just now"],
    [0, "just now"],
    [4, "just now"],
    [5, "5 s ago"],
    [59, "59 s ago"],
    [60, "1 min ago"],
    [3_599, "59 min ago"],
    [3_600, "1 h ago"],
    [47 * 3_600, "47 h ago"],
    [48 * 3_600, "2 d ago"],
    [400 * 86_400, "400 d ago"],
  ])("says what %i seconds are", (seconds, text) => {
    expect(ago(earlier(seconds), now)).toBe(text);
  });
});

describe("ahead", () => {
  it("says how long it takes, and now for what is past", () => {
    expect(ahead(earlier(-7_200), now)).toBe("in 2 h");
    expect(ahead(earlier(10), now)).toBe("now");
  });
});
