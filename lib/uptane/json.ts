import { AppError } from "#lib/errors/app-error.ts";

/** A JSON value. Objects are ordinary ones; a member called `__proto__` is an own property like any other. */
export type Json = null | boolean | number | string | readonly Json[] | JsonObject;
export type JsonObject = { readonly [member: string]: Json };

export type JsonLimits = { readonly maxBytes: number; readonly maxDepth: number; readonly maxNodes: number };

/** Parsed JSON that still knows where each object stood in the text it came from. */
export type LocatedJson = {
  readonly value: Json;
  /** The exact source text of an object inside `value`; null for anything that is not such an object. */
  textOf(part: Json): string | null;
};

/**
 * Parses JSON from somebody we do not trust, in time and memory bounded by the limits.
 *
 * Stricter than `JSON.parse` where two readers could disagree about what was signed: a repeated member, a byte-order
 * mark and bytes that are not UTF-8 are refused, never repaired. Lone surrogates written as escapes and NUL pass, since
 * devices do send them; who indexes the text must clean it.
 *
 * @param bytes the body as received
 * @returns the value; depth counts nested arrays and objects, nodes count every value
 * @throws AppError `uptane.too_large` (any limit) | `uptane.malformed`
 * @see RFC 8259 section 2 to 9
 */
export function parseJsonBounded(bytes: Uint8Array, limits: JsonLimits): Json {
  return parseText(openText(bytes, limits), limits, null);
}

/**
 * The same as {@link parseJsonBounded}, keeping the source text of objects, so that a signature can be checked over
 * what the signer wrote even where our own number or string printing could differ from the signer's.
 *
 * @throws AppError `uptane.too_large` | `uptane.malformed`
 */
export function parseJsonLocated(bytes: Uint8Array, limits: JsonLimits): LocatedJson {
  const text = openText(bytes, limits);
  const spans: Spans = new Map();
  return {
    value: parseText(text, limits, spans),
    textOf(part) {
      const span = spans.get(part);
      return span === undefined ? null : text.slice(span[0], span[1]);
    },
  };
}

export function isJsonObject(value: Json | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

export function isJsonArray(value: Json | undefined): value is readonly Json[] {
  return Array.isArray(value);
}

type Spans = Map<Json, readonly [start: number, end: number]>;

type Cursor = {
  readonly text: string;
  at: number;
  depth: number;
  nodes: number;
  readonly limits: JsonLimits;
  readonly spans: Spans | null;
};

function openText(bytes: Uint8Array, limits: JsonLimits): string {
  if (bytes.byteLength > limits.maxBytes) {
    throw tooLarge(`The document is larger than ${limits.maxBytes} bytes.`, bytes.byteLength);
  }
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    throw new AppError("uptane.malformed", "The document is not valid UTF-8.", { cause });
  }
}

function parseText(text: string, limits: JsonLimits, spans: Spans | null): Json {
  const cursor: Cursor = { text, at: 0, depth: 0, nodes: 0, limits, spans };
  const value = parseValue(cursor);
  skipSpace(cursor);
  if (cursor.at !== text.length) throw malformed(cursor, "text after the end of the document");
  return value;
}

function parseValue(cursor: Cursor): Json {
  skipSpace(cursor);
  cursor.nodes += 1;
  if (cursor.nodes > cursor.limits.maxNodes) throw tooLarge("The document has too many values.", cursor.nodes);
  switch (cursor.text[cursor.at]) {
    case "{":
      return nested(cursor, parseObject);
    case "[":
      return nested(cursor, parseArray);
    case '"':
      return parseString(cursor);
    case "t":
      return parseWord(cursor, "true", true);
    case "f":
      return parseWord(cursor, "false", false);
    case "n":
      return parseWord(cursor, "null", null);
    default:
      return parseNumber(cursor);
  }
}

function nested(cursor: Cursor, parse: (cursor: Cursor) => Json): Json {
  cursor.depth += 1;
  if (cursor.depth > cursor.limits.maxDepth) throw tooLarge("The document is nested too deeply.", cursor.depth);
  const value = parse(cursor);
  cursor.depth -= 1;
  return value;
}

function parseObject(cursor: Cursor): Json {
  const start = cursor.at;
  const members: Record<string, Json> = {};
  cursor.at += 1;
  skipSpace(cursor);
  if (cursor.text[cursor.at] === "}") cursor.at += 1;
  else {
    do {
      skipSpace(cursor);
      if (cursor.text[cursor.at] !== '"') throw malformed(cursor, "a member name was expected");
      const name = parseString(cursor);
      if (Object.hasOwn(members, name)) throw malformed(cursor, "a member name is repeated");
      skipSpace(cursor);
      if (cursor.text[cursor.at] !== ":") throw malformed(cursor, "a colon was expected");
      cursor.at += 1;
      addMember(members, name, parseValue(cursor));
    } while (continues(cursor, "}"));
  }
  cursor.spans?.set(members, [start, cursor.at]);
  return members;
}

/** Assignment to `__proto__` would replace the prototype instead of adding a member. */
function addMember(members: Record<string, Json>, name: string, value: Json): void {
  if (name === "__proto__") {
    Object.defineProperty(members, name, { value, enumerable: true, configurable: true, writable: true });
  } else members[name] = value;
}

function parseArray(cursor: Cursor): Json {
  const items: Json[] = [];
  cursor.at += 1;
  skipSpace(cursor);
  if (cursor.text[cursor.at] === "]") {
    cursor.at += 1;
    return items;
  }
  do items.push(parseValue(cursor));
  while (continues(cursor, "]"));
  return items;
}

/** After an item: true past a comma, false past the closing bracket. */
function continues(cursor: Cursor, close: string): boolean {
  skipSpace(cursor);
  const next = cursor.text[cursor.at];
  if (next !== "," && next !== close) throw malformed(cursor, `a comma or ${close} was expected`);
  cursor.at += 1;
  return next === ",";
}

const NUMBER = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y;

/** Scanned by hand: a regular expression with a repeated alternative runs out of stack on a text of megabytes. */
function parseString(cursor: Cursor): string {
  const start = cursor.at;
  let escaped = false;
  for (let at = start + 1; ; at += 1) {
    const code = cursor.text.charCodeAt(at);
    if (code === 0x22) {
      cursor.at = at + 1;
      break;
    }
    // Past the end the code is NaN, which fails this comparison too.
    if (!(code >= 0x20)) throw malformed(cursor, "a string does not end or holds a control character");
    if (code === 0x5c) {
      escaped = true;
      at += 1;
    }
  }
  const literal = cursor.text.slice(start, cursor.at);
  return escaped ? unescapeLiteral(cursor, literal) : literal.slice(1, -1);
}

function unescapeLiteral(cursor: Cursor, literal: string): string {
  try {
    return String(JSON.parse(literal));
  } catch (cause) {
    throw malformed(cursor, "a string holds an unknown escape", cause);
  }
}

function parseNumber(cursor: Cursor): number {
  NUMBER.lastIndex = cursor.at;
  const literal = NUMBER.exec(cursor.text)?.[0];
  if (literal === undefined) throw malformed(cursor, "a value was expected");
  const value = Number(literal);
  if (!Number.isFinite(value)) throw malformed(cursor, "a number is out of range");
  cursor.at += literal.length;
  return value;
}

function parseWord<T extends Json>(cursor: Cursor, word: string, value: T): T {
  if (!cursor.text.startsWith(word, cursor.at)) throw malformed(cursor, "a value was expected");
  cursor.at += word.length;
  return value;
}

function skipSpace(cursor: Cursor): void {
  for (;;) {
    const code = cursor.text.charCodeAt(cursor.at);
    if (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09) return;
    cursor.at += 1;
  }
}

function malformed(cursor: Cursor, what: string, cause?: unknown): AppError {
  return new AppError("uptane.malformed", `The document is not valid JSON: ${what}.`, {
    cause,
    context: { offset: cursor.at },
  });
}

function tooLarge(message: string, measured: number): AppError {
  return new AppError("uptane.too_large", message, { context: { measured } });
}
