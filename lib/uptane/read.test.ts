import { describe, expect, it } from "vitest";
import { member } from "#lib/uptane/read.ts";

describe("a member of parsed JSON", () => {
  it("is an own one, never something every object inherits", () => {
    expect(member({}, "constructor")).toBeUndefined();
    expect(member({}, "__proto__")).toBeUndefined();
    expect(member({ constructor: 1 }, "constructor")).toBe(1);
  });
});
