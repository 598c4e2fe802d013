import { describe, expect, it } from "vitest";
import { pick, seededRandom } from "#tests/harness/random.ts";
import {
  type GroupExpression,
  type GroupSubject,
  parseGroupExpression,
  parseStoredExpression,
  printGroupExpression,
  renameTagInText,
  tagsOf,
  withoutTag,
} from "./group-expression.ts";

const reprint = (text: string) => printGroupExpression(parseStoredExpression(text));

describe("parsing", () => {
  it("reads the contract's example: parentheses, and, or, all four tests", () => {
    expect(
      parseStoredExpression("(deviceid contains ABC and tag(country) contains DE) or deviceid position(3) is not 7"),
    ).toEqual({
      kind: "or",
      operands: [
        {
          kind: "and",
          operands: [
            { kind: "contains", subject: { kind: "deviceId" }, word: "ABC" },
            { kind: "contains", subject: { kind: "tag", tagId: "country" }, word: "DE" },
          ],
        },
        { kind: "position", subject: { kind: "deviceId" }, position: 3, negated: true, character: "7" },
      ],
    });
  });

  it.each([
    ["deviceid contains a or deviceid contains b and deviceid contains c", "and binds tighter than or"],
    ["(deviceid contains a or deviceid contains b) and deviceid contains c", "parentheses that mean something stay"],
    ["deviceid contains and", "a keyword may be the word"],
    ["deviceid contains a-b-1", "a word has letters, digits and -"],
    ["tag(my tag_1-x) contains under_score", "a tag has blanks, its word _"],
    ["tag(t) position(12) is not ä", "letters are those of any script"],
  ])("%s comes out as it went in: %s", (text) => expect(reprint(text)).toBe(text));

  it.each([
    ["  ( ( deviceid   contains a ) )  ", "deviceid contains a"],
    ["tag( country ) position( 2 ) is X", "tag(country) position(2) is X"],
    [
      "(deviceid contains a and deviceid contains b) and deviceid contains c",
      "deviceid contains a and deviceid contains b and deviceid contains c",
    ],
    ["(deviceid contains a)or(deviceid contains b)", "deviceid contains a or deviceid contains b"],
  ])("%s means %s", (text, meant) => expect(reprint(text)).toBe(meant));

  it.each([
    "",
    " ",
    "deviceid",
    "deviceid contains",
    "deviceid contains a_b",
    "deviceid contains a b",
    "DEVICEID contains a",
    "deviceid CONTAINS a",
    "deviceidcontains a",
    "deviceid containsa",
    "deviceid position(0) is a",
    "deviceid position(-1) is a",
    "deviceid position(99999999) is a",
    "deviceid position() is a",
    "deviceid position (1) is a",
    "deviceid position(1) is ab",
    "deviceid position(1) is -",
    "deviceid position(1) is not",
    "deviceid position(1) a",
    "not deviceid contains a",
    "tag() contains a",
    "tag( ) contains a",
    `tag(${"t".repeat(21)}) contains a`,
    "tag(a;b) contains a",
    "tag(a) is a",
    "(deviceid contains a",
    "deviceid contains a)",
    "deviceid contains a and",
    "deviceid contains a or or deviceid contains b",
    "deviceid contains a xor deviceid contains b",
    "deviceid contains a\tor deviceid contains b",
    "deviceid contains %",
    "deviceid contains a\0",
    `deviceid contains ${"a".repeat(183)}`,
    `${"(".repeat(33)}deviceid contains a${")".repeat(33)}`,
  ])("refuses %j and says where", (text) => {
    expect(parseGroupExpression(text)).toEqual({ ok: false, message: expect.stringMatching(/\d/) });
  });

  it("takes exactly 200 characters and 32 parentheses", () => {
    expect(parseGroupExpression(`deviceid contains ${"a".repeat(182)}`).ok).toBe(true);
    expect(parseGroupExpression(`${"(".repeat(32)}deviceid contains a${")".repeat(32)}`).ok).toBe(true);
  });

  it("never throws, whatever it is given", () => {
    const tokens = [
      "deviceid ",
      "tag(a) ",
      "contains ",
      "position(1) ",
      "is ",
      "not ",
      "(",
      ")",
      "or ",
      "a",
      "é",
      "\ud83d",
      "\0",
    ];
    const random = seededRandom(1);
    for (let run = 0; run < 5_000; run += 1) {
      const text = Array.from({ length: Math.floor(random() * 30) }, () => pick(random, tokens)).join("");
      expect([text, typeof parseGroupExpression(text).ok]).toEqual([text, "boolean"]);
    }
  });
});

describe("printing", () => {
  it("gives text that parses into the same tree", () => {
    const random = seededRandom(2);
    for (let run = 0; run < 2_000; run += 1) {
      const expression = anyExpression(random, { tags: ["a", "b c", "d-1"], depth: 3 });
      const text = printGroupExpression(normal(expression));
      if (text.length <= 400) expect(parseStoredExpression(text)).toEqual(normal(expression));
    }
  });
});

describe("tags in an expression", () => {
  it.each([
    ["tag(a) contains x", null],
    ["tag(a) contains x and tag(a) position(1) is x", null],
    ["tag(a) contains x or deviceid contains y", "deviceid contains y"],
    ["(tag(a) contains x or tag(b) contains z) and deviceid contains y", "tag(b) contains z and deviceid contains y"],
    [
      "deviceid contains p and (tag(a) contains x or deviceid contains y and deviceid contains z)",
      "deviceid contains p and deviceid contains y and deviceid contains z",
    ],
    ["tag(A) contains x", "tag(A) contains x"],
  ])("%s without a is %s", (text, left) => {
    const rest = withoutTag(parseStoredExpression(text), "a");
    expect(rest === null ? null : printGroupExpression(rest)).toBe(left);
  });

  it("are gone once removed, and the others stay", () => {
    const random = seededRandom(3);
    for (let run = 0; run < 1_000; run += 1) {
      const expression = anyExpression(random, { tags: ["a", "b", "c"], depth: 4 });
      const others = tagsOf(expression);
      others.delete("a");
      const rest = withoutTag(expression, "a");
      expect(rest === null ? new Set() : tagsOf(rest)).toEqual(others);
    }
  });

  it("are renamed where they stand, and nothing else is", () => {
    const text = "( tag(a) contains tag-a ) and tag( a ) position(1) is a and tag(ab) contains a";
    expect(renameTagInText(text, "a", "new $& name")).toBe(
      "( tag(new $& name) contains tag-a ) and tag(new $& name) position(1) is a and tag(ab) contains a",
    );
  });

  it("leave the longest expression parsable when each is renamed to the longest name", () => {
    const text = Array.from({ length: 8 }, () => "tag(a) contains b")
      .join(" or ")
      .padEnd(200, "c");
    const renamed = renameTagInText(text.slice(0, 200), "a", "t".repeat(20));
    expect(tagsOf(parseStoredExpression(renamed))).toEqual(new Set(["t".repeat(20)]));
  });
});

/** A tree of any shape over these tags. */
function anyExpression(random: () => number, of: { tags: readonly string[]; depth: number }): GroupExpression {
  const { tags, depth } = of;
  if (depth > 0 && random() < 0.6) {
    const operands = Array.from({ length: 2 + Math.floor(random() * 2) }, () =>
      anyExpression(random, { tags, depth: depth - 1 }),
    );
    return { kind: pick(random, ["and", "or"]), operands };
  }
  const subjects: GroupSubject[] = [{ kind: "deviceId" }, ...tags.map((tagId) => ({ kind: "tag" as const, tagId }))];
  const subject = pick(random, subjects);
  if (random() < 0.5) return { kind: "contains", subject, word: pick(random, ["x", "and", "a-1"]) };
  const position = 1 + Math.floor(random() * 99);
  return { kind: "position", subject, position, negated: random() < 0.5, character: pick(random, ["x", "7"]) };
}

/** As the parser builds it: no `and` directly within an `and`. */
function normal(expression: GroupExpression): GroupExpression {
  if (expression.kind !== "and" && expression.kind !== "or") return expression;
  const operands = expression.operands.map(normal);
  return {
    kind: expression.kind,
    operands: operands.flatMap((operand) => (operand.kind === expression.kind ? operand.operands : [operand])),
  };
}
