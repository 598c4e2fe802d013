import { AppError } from "#lib/errors/app-error.ts";
import { canonicalText } from "#lib/uptane/canonical.ts";
import { isJsonArray, isJsonObject, type Json, type JsonObject } from "#lib/uptane/json.ts";

/** What the repository itself says in `custom`; `ecuIdentifiers` belongs to the director and makes an image a mismatch. */
const RESERVED = new Set([
  "name",
  "version",
  "hardwareIds",
  "targetFormat",
  "uri",
  "createdAt",
  "updatedAt",
  "cliUploaded",
  "ecuIdentifiers",
  "__proto__",
]);
const MAX_DEPTH = 8;
/** Each image shares the 8 MiB that devices accept with all the others. */
const MAX_BYTES = 65_536;

/**
 * The part of an image's `custom` that belongs to whoever publishes it: any JSON that every party prints alike. Text beyond
 * ASCII is refused, because devices print it escaped and signing tools do not; so are fractions.
 *
 * @param value members the repository owns are left out
 * @throws AppError `ota.invalid_entity` | `uptane.not_canonical`
 * @see contracts/uptane-metadata.md section 2; contracts/reposerver-keyserver.md section 3.1
 */
export function acceptProprietary(value: JsonObject): JsonObject {
  const kept = proprietaryPart(value);
  assertAscii(kept, 1);
  if (canonicalText(kept).length > MAX_BYTES) {
    throw new AppError("ota.payload_too_large", `The custom part may have at most ${MAX_BYTES} bytes.`);
  }
  return kept;
}

/** A `custom` without what the repository itself says in it. */
export function proprietaryPart(custom: JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(custom).filter(([name]) => !RESERVED.has(name)));
}

function assertAscii(value: Json, depth: number): void {
  if (depth > MAX_DEPTH) throw new AppError("ota.invalid_entity", "The custom part is nested too deeply.");
  if (typeof value === "string") assertAsciiText(value);
  else if (isJsonArray(value)) for (const item of value) assertAscii(item, depth + 1);
  else if (isJsonObject(value)) {
    for (const [name, item] of Object.entries(value)) {
      assertAsciiText(name);
      assertAscii(item, depth + 1);
    }
  }
}

function assertAsciiText(text: string): void {
  if (/^[\x20-\x7e\t\n\r]*$/.test(text)) return;
  throw new AppError(
    "uptane.not_canonical",
    "The custom part may hold ASCII text only, because devices and signing tools print any other differently.",
  );
}
