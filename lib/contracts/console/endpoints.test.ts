import { describe, expect, it } from "vitest";
import { z } from "zod";
import { decodeCursor, encodeCursor, MetadataName, PersonText, TargetFilename } from "./common.ts";
import { ENDPOINTS } from "./endpoints.ts";

describe("the endpoint table", () => {
  it("has one row for each method and path", () => {
    const keys = ENDPOINTS.map((row) => `${row.method} ${row.path}`);
    expect(new Set(keys).size).toBe(keys.length);
    expect(keys.length).toBeGreaterThan(30);
  });

  it.each(ENDPOINTS.map((row) => [`${row.method} ${row.path}`, row] as const))(
    "%s names its parameters",
    (_name, row) => {
      const inPath = [...row.path.matchAll(/\{(\w+)\}/g)].map((match) => match[1]);
      const inSchema = row.params instanceof z.ZodObject ? Object.keys(row.params.shape) : [];
      expect(inSchema.sort()).toEqual(inPath.sort());
      if (row.method === "GET") expect(row.body).toBeUndefined();
    },
  );
});

describe("names", () => {
  it.each(["app_1.0", "dir/app 1", "~"])("lets %j into metadata", (name) => {
    expect(MetadataName(253).safeParse(name).success).toBe(true);
  });

  it.each(["", " app", "app ", "äpp", "a\u0000b", "a\nb", "a\u007f", "😀"])("keeps %j out of metadata", (name) => {
    expect(MetadataName(253).safeParse(name).success).toBe(false);
  });

  it.each(["../app", "a/../b", "/app", "a\\b", "x".repeat(254)])("refuses the file name %j", (name) => {
    expect(TargetFilename.safeParse(name).success).toBe(false);
  });

  it("lets people write in any script but hide nothing", () => {
    expect(PersonText(20).safeParse("Gerät 7").success).toBe(true);
    for (const text of ["a\u0000", "a\u0085", "\ud800", "   "])
      expect(PersonText(20).safeParse(text).success).toBe(false);
  });
});

describe("cursors", () => {
  it("give back what went in", () => {
    expect(decodeCursor(encodeCursor(["a", null, "ü"]), 3)).toEqual(["a", null, "ü"]);
  });

  it.each([
    "",
    "!!!",
    encodeCursor(["a"]),
    Buffer.from("{}").toString("base64url"),
    Buffer.from("[1,2]").toString("base64url"),
  ])("refuse %j", (cursor) => {
    expect(() => decodeCursor(cursor, 2)).toThrow(expect.objectContaining({ code: "request.invalid" }));
  });
});
