/*
 * The expressions that say who is in a smart group: "(deviceid contains ABC and tag(country) contains DE) or deviceid position(3) is 7".
 * Parsed, printed and rewritten here; services/device-registry/store-groups.ts turns the tree into a condition of the database.
 */

export type GroupSubject = { kind: "deviceId" } | { kind: "tag"; tagId: string };
export type GroupExpression =
  | { kind: "contains"; subject: GroupSubject; word: string }
  | { kind: "position"; subject: GroupSubject; position: number; negated: boolean; character: string }
  | { kind: "and"; operands: readonly GroupExpression[] }
  | { kind: "or"; operands: readonly GroupExpression[] };

export type ParsedExpression = { ok: true; expression: GroupExpression } | { ok: false; message: string };

export const GROUP_EXPRESSION_MAX_LENGTH = 200;
/** Renaming a tag may lengthen what was within the limit: eight tags at most, by nineteen characters each. */
const STORED_MAX_LENGTH = 400;
/** Parentheses within parentheses; people need three. */
const MAX_DEPTH = 32;
const MAX_POSITION = 1_000_000;

const TAG_ID = /^[A-Za-z0-9_-](?:[A-Za-z0-9_\- ]{0,18}[A-Za-z0-9_-])?$/;

/** At most 20 letters, digits, `_`, `-` and, within, blanks. */
export function isTagId(text: string): boolean {
  return TAG_ID.test(text);
}

/**
 * Parses what a person typed.
 *
 * `and` binds tighter than `or`, keywords are lower case, letters and digits are those of any script.
 *
 * @returns the tree, or a sentence that says what was expected, and where (counted from 1)
 * @see contracts/device-registry.md section 5.1
 */
export function parseGroupExpression(text: string): ParsedExpression {
  return parseWithin(text, GROUP_EXPRESSION_MAX_LENGTH);
}

/** Parses an expression that was accepted before. @throws Error when it is none: nobody else writes that column */
export function parseStoredExpression(text: string): GroupExpression {
  const parsed = parseWithin(text, STORED_MAX_LENGTH);
  if (!parsed.ok) throw new Error(`a stored group expression does not parse: ${parsed.message}`);
  return parsed.expression;
}

/** With as few parentheses as its meaning needs. */
export function printGroupExpression(expression: GroupExpression): string {
  switch (expression.kind) {
    case "contains":
      return `${printSubject(expression.subject)} contains ${expression.word}`;
    case "position": {
      const { subject, position, negated, character } = expression;
      return `${printSubject(subject)} position(${position}) is ${negated ? "not " : ""}${character}`;
    }
    case "or":
      return expression.operands.map(printGroupExpression).join(" or ");
    case "and":
      return expression.operands
        .map((operand) =>
          operand.kind === "or" ? `(${printGroupExpression(operand)})` : printGroupExpression(operand),
        )
        .join(" and ");
  }
}

export function tagsOf(expression: GroupExpression): Set<string> {
  if (expression.kind === "and" || expression.kind === "or")
    return new Set(expression.operands.flatMap((operand) => [...tagsOf(operand)]));
  return new Set(expression.subject.kind === "tag" ? [expression.subject.tagId] : []);
}

/** What is left when every test of this tag is taken out; null when nothing is. */
export function withoutTag(expression: GroupExpression, tagId: string): GroupExpression | null {
  if (expression.kind !== "and" && expression.kind !== "or")
    return expression.subject.kind === "tag" && expression.subject.tagId === tagId ? null : expression;
  const left = expression.operands.flatMap((operand) => withoutTag(operand, tagId) ?? []);
  return left.length === 0 ? null : join(expression.kind, left);
}

/** Renames a tag in the text, which otherwise stays as it was typed. No word can hold a parenthesis, so only tags are hit. */
export function renameTagInText(text: string, tagId: string, newTagId: string): string {
  return text.replace(/tag\( *([^()]*?) *\)/g, (whole, found: string) =>
    found === tagId ? `tag(${newTagId})` : whole,
  );
}

function printSubject(subject: GroupSubject): string {
  return subject.kind === "deviceId" ? "deviceid" : `tag(${subject.tagId})`;
}

/** `and` within `and` is one `and`: so what is printed is parsed into the same tree. */
function join(kind: "and" | "or", operands: readonly GroupExpression[]): GroupExpression {
  const flat = operands.flatMap((operand) => (operand.kind === kind ? operand.operands : [operand]));
  const [only] = flat;
  return flat.length === 1 && only !== undefined ? only : { kind, operands: flat };
}

function parseWithin(text: string, maxLength: number): ParsedExpression {
  const { length } = [...text.slice(0, maxLength * 2 + 1)];
  if (length < 1 || length > maxLength)
    return { ok: false, message: `An expression has 1 to ${maxLength} characters.` };
  const scanner: Scanner = { text, at: 0, depth: 0 };
  try {
    const expression = parseOr(scanner);
    skipBlanks(scanner);
    if (scanner.at < text.length) fail(scanner, '"and", "or" or the end');
    return { ok: true, expression };
  } catch (error) {
    if (error instanceof Unexpected) return { ok: false, message: error.message };
    throw error;
  }
}

type Scanner = { readonly text: string; at: number; depth: number };
class Unexpected extends Error {}

function parseOr(scanner: Scanner): GroupExpression {
  const operands = [parseAnd(scanner)];
  while (takes(scanner, /or(?![\p{L}\p{Nd}_-])/uy)) operands.push(parseAnd(scanner));
  return join("or", operands);
}

function parseAnd(scanner: Scanner): GroupExpression {
  const operands = [parseTerm(scanner)];
  while (takes(scanner, /and(?![\p{L}\p{Nd}_-])/uy)) operands.push(parseTerm(scanner));
  return join("and", operands);
}

function parseTerm(scanner: Scanner): GroupExpression {
  if (takes(scanner, /\(/y)) {
    scanner.depth += 1;
    if (scanner.depth > MAX_DEPTH) fail(scanner, `at most ${MAX_DEPTH} parentheses within each other`);
    const inner = parseOr(scanner);
    demand(scanner, /\)/y, '")"');
    scanner.depth -= 1;
    return inner;
  }
  if (takes(scanner, /deviceid(?= )/y)) return parseTest(scanner, { kind: "deviceId" });
  if (takes(scanner, /tag\(/y)) {
    const tagId = demand(scanner, /[A-Za-z0-9_\- ]+/y, "a tag").trimEnd();
    if (!isTagId(tagId)) fail(scanner, "a tag of 1 to 20 letters, digits, blanks, _ and -");
    demand(scanner, /\)/y, '")"');
    return parseTest(scanner, { kind: "tag", tagId });
  }
  return fail(scanner, '"deviceid", "tag(…)" or "("');
}

function parseTest(scanner: Scanner, subject: GroupSubject): GroupExpression {
  if (takes(scanner, /contains(?= )/y)) {
    const letters = subject.kind === "tag" ? /[\p{L}\p{Nd}_-]+/uy : /[\p{L}\p{Nd}-]+/uy;
    return { kind: "contains", subject, word: demand(scanner, letters, "letters, digits or -") };
  }
  demand(scanner, /position\(/y, '"contains" or "position("');
  const position = Number(demand(scanner, /[0-9]{1,7}/y, "a position"));
  if (position < 1 || position > MAX_POSITION) fail(scanner, `a position from 1 to ${MAX_POSITION}`);
  demand(scanner, /\)/y, '")"');
  demand(scanner, /is(?= )/y, '"is"');
  const negated = takes(scanner, /not(?= )/y) !== null;
  const character = demand(scanner, /[\p{L}\p{Nd}](?![\p{L}\p{Nd}_-])/uy, "one letter or digit");
  return { kind: "position", subject, position, negated, character };
}

/** What the sticky pattern matches after blanks, or null without moving. */
function takes(scanner: Scanner, pattern: RegExp): string | null {
  skipBlanks(scanner);
  pattern.lastIndex = scanner.at;
  const found = pattern.exec(scanner.text)?.[0];
  if (found === undefined) return null;
  scanner.at += found.length;
  return found;
}

function demand(scanner: Scanner, pattern: RegExp, what: string): string {
  return takes(scanner, pattern) ?? fail(scanner, what);
}

function skipBlanks(scanner: Scanner): void {
  while (scanner.text[scanner.at] === " ") scanner.at += 1;
}

function fail(scanner: Scanner, expected: string): never {
  throw new Unexpected(`Expected ${expected} at character ${scanner.at + 1}.`);
}
