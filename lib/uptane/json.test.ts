import { describe, expect, it } from "vitest";
import { type Json, parseJsonBounded, parseJsonLocated } from "#lib/uptane/json.ts";
import { codeOf, expectCode } from "#tests/harness/app-errors.ts";
import { pick, seededRandom } from "#tests/harness/random.ts";

const LIMITS = { maxBytes: 100_000, maxDepth: 20, maxNodes: 5_000 };
const parse = (text: string): Json => parseJsonBounded(Buffer.from(text, "utf8"), LIMITS);

describe("what it reads", () => {
  it.each([
    "null",
    " true ",
    "\t[1,-0,1.5e3,2E-2]\r\n",
    '{"a":{"b":[]},"c":"\\u00e9\\n\\/\\\\","":{}}',
    '"\\ud83d\\ude00 \u00fc"',
    '["\\u0000","\\ud800"]',
  ])("reads %s as JSON.parse does", (text) => {
    expect(parse(text)).toEqual(JSON.parse(text));
  });

  it("keeps a member called __proto__ as an own member and leaves the prototype alone", () => {
    const value = parse('{"__proto__":{"admin":true},"constructor":1}');
    expect(Object.getPrototypeOf(value)).toBe(Object.prototype);
    expect(Object.keys(value as object)).toEqual(["__proto__", "constructor"]);
    expect((value as { admin?: boolean }).admin).toBeUndefined();
  });

  it("answers the exact source text of an object, and null for what is none of its objects", () => {
    const located = parseJsonLocated(Buffer.from('{"signed": {"x" : 1.50 } ,"n":1}'), LIMITS);
    const { signed } = located.value as { signed: Json };
    expect(located.textOf(signed)).toBe('{"x" : 1.50 }');
    expect(located.textOf({})).toBeNull();
    expect(located.textOf(1)).toBeNull();
  });

  it("reads a string of megabytes without running out of stack", () => {
    const text = JSON.stringify(`${"ä\\".repeat(1_000_000)}"`);
    const value = parseJsonBounded(Buffer.from(text), { ...LIMITS, maxBytes: 8_000_000 });
    expect(value === JSON.parse(text)).toBe(true);
  });
});

describe("what it refuses", () => {
  it.each([
    "",
    " ",
    "{",
    "[1,]",
    "[1 2]",
    '{"a"}',
    '{"a":}',
    '{"a":1,}',
    "{a:1}",
    "{'a':1}",
    '{"a" 1}',
    "01",
    "+1",
    ".5",
    "1.",
    "1e",
    "-",
    "1e999",
    "NaN",
    "Infinity",
    "tru",
    "nul",
    "fals",
    '"abc',
    '"a\\"',
    '"\\x"',
    '"\\u12g4"',
    '"a\nb"',
    "null null",
    "[1]]",
    "// c\n1",
    "\ufeff{}",
  ])("refuses %j", (text) => {
    expectCode(() => parse(text), "uptane.malformed");
  });

  it("refuses a repeated member name, even when it is escaped differently", () => {
    expectCode(() => parse('{"a":1,"\\u0061":2}'), "uptane.malformed");
    expectCode(() => parse('{"__proto__":1,"__proto__":2}'), "uptane.malformed");
  });

  it("refuses bytes that are not UTF-8", () => {
    expectCode(() => parseJsonBounded(Buffer.from([0x22, 0xff, 0x22]), LIMITS), "uptane.malformed");
    expectCode(() => parseJsonBounded(Buffer.from([0x22, 0xed, 0xa0, 0x80, 0x22]), LIMITS), "uptane.malformed");
  });

  it("refuses more bytes, depth or values than the limits allow, and accepts exactly as much", () => {
    const small = { maxBytes: 10, maxDepth: 3, maxNodes: 4 };
    const run = (text: string) => codeOf(() => parseJsonBounded(Buffer.from(text), small));
    expect(run('"12345678"')).toBeNull();
    expect(run('"123456789"')).toBe("uptane.too_large");
    expect(run("[[[]]]")).toBeNull();
    expect(run("[[[[]]]]")).toBe("uptane.too_large");
    expect(run("[1,2,3]")).toBeNull();
    expect(run("[1,2,3,4]")).toBe("uptane.too_large");
  });

  it("survives nesting far beyond the stack", () => {
    const deep = Buffer.from("[".repeat(90_000));
    expectCode(() => parseJsonBounded(deep, LIMITS), "uptane.too_large");
  });
});

describe("random input", () => {
  it("agrees with JSON.parse on broken and unbroken documents, and throws nothing but its own errors", () => {
    const random = seededRandom(20_260_801);
    const alphabet = [
      "{",
      "}",
      "[",
      "]",
      '"',
      ":",
      ",",
      "\\",
      "u",
      "0",
      "1",
      "-",
      ".",
      "e",
      "t",
      "true",
      "null",
      " ",
      "ü",
      "\u0000",
    ];
    let accepted = 0;
    for (let round = 0; round < 20_000; round += 1) {
      const base = round % 2 === 0 ? '{"a":[1,{"b":null}],"c":"x\\n"}' : "";
      const text = mutate(base, random, alphabet);
      const expected = parseOrUndefined(text);
      const code = codeOf(() => {
        expect(parse(text)).toEqual(expected);
        accepted += 1;
      });
      // Only a repeated name may be refused although JSON.parse reads it.
      if (expected === undefined) expect(code).toBe("uptane.malformed");
      else if (code !== null) expect(text.match(/"/g)?.length ?? 0).toBeGreaterThanOrEqual(4);
    }
    expect(accepted).toBeGreaterThan(500);
  });
});

function mutate(base: string, random: () => number, alphabet: readonly string[]): string {
  let text = base;
  const edits = Math.floor(random() * (base === "" ? 8 : 3));
  for (let edit = 0; edit < edits; edit += 1) {
    const at = Math.floor(random() * (text.length + 1));
    const drop = random() < 0.5 ? 1 : 0;
    text = text.slice(0, at) + pick(random, alphabet) + text.slice(at + drop);
  }
  return text;
}

function parseOrUndefined(text: string): unknown {
  try {
    const value: unknown = JSON.parse(text);
    return JSON.stringify(value) === undefined ? undefined : value;
  } catch {
    return undefined;
  }
}
