import { AppError } from "#lib/errors/app-error.ts";
import { isJsonArray, type Json, type JsonObject } from "#lib/uptane/json.ts";

/**
 * The canonical form that device clients sign and check: members sorted by the bytes of their names, no white space,
 * ASCII only. It differs from OLPC canonical JSON, which leaves non-ASCII raw: a signature over that form does not verify
 * on a device.
 *
 * Only what every party prints alike is accepted. Fractions and integers beyond 2^53 are printed differently by the
 * device's library, and lone surrogates have no UTF-8 form, so all three are refused.
 *
 * @throws AppError `uptane.not_canonical`
 * @see contracts/aktualizr-client.md section 5, "Wire vs signed form"; contracts/uptane-metadata.md section 2
 */
export function canonicalText(value: Json): string {
  const parts: string[] = [];
  print(value, parts, 0);
  return parts.join("");
}

/** {@link canonicalText} as bytes: what is signed, hashed, stored and served. @throws AppError `uptane.not_canonical` */
export function canonicalBytes(value: Json): Buffer {
  return Buffer.from(canonicalText(value), "latin1");
}

/**
 * Guards every name a person chooses before it enters metadata: printable ASCII, neither empty nor padded with blanks.
 *
 * @param what names the field in the message, for example "hardware id"
 * @throws AppError `uptane.not_canonical`
 */
export function assertAsciiName(text: string, what: string): void {
  if (/^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/.test(text)) return;
  throw new AppError(
    "uptane.not_canonical",
    `The ${what} may hold only printable ASCII characters, because devices verify the signed name byte for byte.`,
  );
}

/** Deeper than any limit of ours on parsed documents; stops a cycle in a hand-built value. */
const MAX_DEPTH = 200;

function print(value: Json, parts: string[], depth: number): void {
  if (depth > MAX_DEPTH) throw notCanonical("it is nested too deeply");
  switch (typeof value) {
    case "string":
      parts.push(quote(value));
      return;
    case "number":
      parts.push(printInteger(value));
      return;
    case "boolean":
      parts.push(value ? "true" : "false");
      return;
    case "object":
      if (value === null) parts.push("null");
      else if (isJsonArray(value)) printArray(value, parts, depth);
      else printObject(value, parts, depth);
      return;
    default:
      throw notCanonical(`a value is of type ${typeof value}`);
  }
}

function printArray(items: readonly Json[], parts: string[], depth: number): void {
  parts.push("[");
  for (const [index, item] of items.entries()) {
    if (index > 0) parts.push(",");
    print(item, parts, depth + 1);
  }
  parts.push("]");
}

function printObject(members: JsonObject, parts: string[], depth: number): void {
  parts.push("{");
  let first = true;
  for (const name of Object.keys(members).sort(byBytes)) {
    const value = members[name];
    if (value === undefined) throw notCanonical("a member is undefined");
    if (!first) parts.push(",");
    first = false;
    parts.push(quote(name), ":");
    print(value, parts, depth + 1);
  }
  parts.push("}");
}

/** Order of the UTF-8 bytes. UTF-16 order, which `sort` uses by itself, differs above the basic plane. */
function byBytes(left: string, right: string): number {
  if (isAscii(left) || isAscii(right)) return left < right ? -1 : 1;
  return Buffer.compare(Buffer.from(left, "utf8"), Buffer.from(right, "utf8"));
}

function isAscii(text: string): boolean {
  return /^\p{ASCII}*$/u.test(text);
}

function printInteger(value: number): string {
  if (!Number.isSafeInteger(value)) throw notCanonical("a number is not an integer below 2^53");
  return Object.is(value, -0) ? "0" : String(value);
}

/** `JSON.stringify` already prints the short escapes, lower-case `\u00xx`, and `/` and DEL raw, as the device does. */
function quote(text: string): string {
  if (!text.isWellFormed()) throw notCanonical("a text holds half of a surrogate pair");
  return JSON.stringify(text).replace(
    /[\u0080-\uffff]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

function notCanonical(why: string): AppError {
  return new AppError("uptane.not_canonical", `The document has no canonical form: ${why}.`);
}
