import { describe, expect, it } from "vitest";
import { assertAsciiName, canonicalBytes, canonicalText } from "#lib/uptane/canonical.ts";
import { type Json, parseJsonBounded } from "#lib/uptane/json.ts";
import { codeOf, expectCode } from "#tests/harness/app-errors.ts";
import { pick, seededRandom } from "#tests/harness/random.ts";
import { at, textAt, vectors } from "#tests/harness/uptane-documents.ts";

describe("the device's canonical form", () => {
  it("prints the published example", () => {
    expect(canonicalText(at(vectors, "canonical_example", "input"))).toBe(
      textAt(vectors, "canonical_example", "canonical_aktualizr"),
    );
  });

  it.each<[Json, string]>([
    [{ b: 1, a: [true, false, null] }, '{"a":[true,false,null],"b":1}'],
    ['/"\\\b\f\n\r\t\u0000\u001f', '"/\\"\\\\\\b\\f\\n\\r\\t\\u0000\\u001f"'],
    ["\u007f\u0080é€", '"\u007f\\u0080\\u00e9\\u20ac"'],
    ["\u{1f600}", '"\\ud83d\\ude00"'],
    [[-0, -1, 9_007_199_254_740_991], "[0,-1,9007199254740991]"],
    [{ "10": 1, "9": 2, A: 3, a: 4, "": 5 }, '{"":5,"10":1,"9":2,"A":3,"a":4}'],
    [{}, "{}"],
    [[], "[]"],
  ])("prints %j", (value, text) => {
    expect(canonicalText(value)).toBe(text);
    expect(canonicalBytes(value).toString("latin1")).toBe(text);
  });

  it("sorts names by their UTF-8 bytes, which differs from UTF-16 order above the basic plane", () => {
    expect(canonicalText({ "\u{10000}": 1, "\uffff": 2, z: 0 })).toBe('{"z":0,"\\uffff":2,"\\ud800\\udc00":1}');
  });

  it.each<[string, unknown]>([
    ["a fraction", 1.5],
    ["an integer beyond 2^53", 2 ** 53],
    ["not a number", Number.NaN],
    ["an infinite number", Number.POSITIVE_INFINITY],
    ["half a surrogate pair", "\ud800"],
    ["half a surrogate pair in a name", { "\udc00": 1 }],
    ["undefined", undefined],
    ["an undefined member", { a: undefined }],
    ["a hole", new Array(1)],
    ["a function", () => 1],
    ["a bigint", 1n],
  ])("refuses %s", (_name, value) => {
    expectCode(() => canonicalText(value as Json), "uptane.not_canonical");
  });

  it("refuses a value that contains itself", () => {
    const loop: Json[] = [];
    loop.push(loop);
    expectCode(() => canonicalText(loop), "uptane.not_canonical");
  });

  it("is ASCII, reads back as the same value and does not depend on member order, for random values", () => {
    const random = seededRandom(7);
    for (let round = 0; round < 3_000; round += 1) {
      const value = randomJson(random, 4);
      const text = canonicalText(value);
      expect(/^[\x20-\x7f]*$/.test(text)).toBe(true);
      expect(parseJsonBounded(Buffer.from(text), { maxBytes: 1e6, maxDepth: 20, maxNodes: 1e5 })).toEqual(value);
      expect(canonicalText(shuffled(value))).toBe(text);
    }
  });
});

describe("names that enter metadata", () => {
  it.each(["app_1.0", "a", "dir a/fw+1.bin", "~!@#$%^&*()"])("accepts %s", (name) => {
    expect(codeOf(() => assertAsciiName(name, "file name"))).toBeNull();
  });

  it.each(["", " ", " a", "a ", "ü", "a\u0000", "a\n", "a\u007f", "\ud800", "ａ"])("refuses %j", (name) => {
    expectCode(() => assertAsciiName(name, "file name"), "uptane.not_canonical");
  });
});

function randomJson(random: () => number, depth: number): Json {
  const leaf = (): Json =>
    pick<() => Json>(random, [
      () => null,
      () => true,
      () => false,
      () => Math.floor((random() - 0.5) * 1e9),
      () => randomText(random),
    ])();
  if (depth === 0 || random() < 0.3) return leaf();
  const size = Math.floor(random() * 5);
  if (random() < 0.5) return Array.from({ length: size }, () => randomJson(random, depth - 1));
  return Object.fromEntries(Array.from({ length: size }, () => [randomText(random), randomJson(random, depth - 1)]));
}

function randomText(random: () => number): string {
  const points = [0, 8, 10, 34, 47, 92, 97, 98, 127, 128, 233, 0x2028, 0xfffd, 0xffff, 0x1f600, 0x10ffff];
  return String.fromCodePoint(...Array.from({ length: Math.floor(random() * 6) }, () => pick(random, points)));
}

function shuffled(value: Json): Json {
  if (Array.isArray(value)) return value.map(shuffled);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .reverse()
      .map(([name, item]) => [name, shuffled(item)]),
  );
}
