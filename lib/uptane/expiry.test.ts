import { describe, expect, it } from "vitest";
import { formatExpires, parseExpires } from "#lib/uptane/expiry.ts";
import { expectCode } from "#tests/harness/app-errors.ts";

describe("expiry dates", () => {
  it("are 20 characters without milliseconds, rounded down", () => {
    expect(formatExpires(new Date("2030-01-02T03:04:05.999Z"))).toBe("2030-01-02T03:04:05Z");
  });

  it("read back as the same second", () => {
    expect(parseExpires("2028-02-29T23:59:59Z").toISOString()).toBe("2028-02-29T23:59:59.000Z");
  });

  it.each([
    "2030-01-01T00:00:00.000Z",
    "2030-01-01T00:00:00+00:00",
    "2030-01-01 00:00:00Z",
    "2030-01-01T00:00:00z",
    "2030-1-1T00:00:00Z",
    "2030-02-30T00:00:00Z",
    "2030-01-01T24:00:00Z",
    "2030-01-01T00:00:60Z",
    "2030-13-01T00:00:00Z",
    "+02030-01-01T00:00:00Z",
    "",
    "never",
    "2030-01-01T00:00:00Z\n",
  ])("refuses %j", (text) => {
    expectCode(() => parseExpires(text), "uptane.malformed");
  });

  it("refuses to print a date that a device could not read", () => {
    expectCode(() => formatExpires(new Date(Number.NaN)), "uptane.malformed");
    expectCode(() => formatExpires(new Date("+012030-01-01T00:00:00Z")), "uptane.malformed");
  });
});
