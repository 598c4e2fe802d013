import { AppError } from "#lib/errors/app-error.ts";
import { isJsonArray, isJsonObject, type Json, type JsonObject } from "#lib/uptane/json.ts";

/*
 * Typed access to parsed JSON. Every reader takes the value and a name for the message, and throws AppError
 * `uptane.malformed`. Members are looked up as own properties only, so that "constructor" is not a key id.
 */

export function member(object: JsonObject, name: string): Json | undefined {
  return Object.hasOwn(object, name) ? object[name] : undefined;
}

export function readObject(value: Json | undefined, what: string): JsonObject {
  if (!isJsonObject(value)) throw malformed(`${what} must be an object`);
  return value;
}

export function readArray(value: Json | undefined, what: string): readonly Json[] {
  if (!isJsonArray(value)) throw malformed(`${what} must be an array`);
  return value;
}

export function readString(value: Json | undefined, what: string): string {
  if (typeof value !== "string") throw malformed(`${what} must be a text`);
  return value;
}

/** An integer from `least` up. */
export function readInteger(value: Json | undefined, what: string, least = 0): number {
  if (typeof value !== "number" || !Number.isSafeInteger(value) || value < least) {
    throw malformed(`${what} must be an integer from ${least} up`);
  }
  return value;
}

export function readStrings(value: Json | undefined, what: string): readonly string[] {
  return readArray(value, what).map((item) => readString(item, `${what}, each entry,`));
}

/** Lower-case hex of exactly `digits` digits; upper case is lowered. */
export function readHex(value: Json | undefined, what: string, digits: number): string {
  const text = readString(value, what).toLowerCase();
  if (text.length !== digits || !/^[0-9a-f]*$/.test(text)) throw malformed(`${what} must be ${digits} hex digits`);
  return text;
}

export function malformed(why: string, cause?: unknown): AppError {
  return new AppError("uptane.malformed", `The document cannot be used: ${why}.`, { cause });
}
