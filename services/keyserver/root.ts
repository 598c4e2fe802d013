import { formatExpires } from "#lib/uptane/expiry.ts";
import { isJsonObject, type JsonObject, parseJsonBounded } from "#lib/uptane/json.ts";
import { METADATA_LIMITS } from "#lib/uptane/limits.ts";

const DAY_MS = 86_400_000;

export const ROOT_VALID_MS = 365 * DAY_MS;
/** On reading. */
export const ROOT_REFRESH_MS = 3_600_000;
/** By the worker: long enough before that a month of standstill does no harm. */
export const WORKER_REFRESH_MS = 30 * DAY_MS;

/**
 * The next root with the same keys and roles, to be signed by the same key: it counts as the old root's and as its own.
 *
 * @see TUF 1.0.31 section 6.1
 */
export function renewedRoot(current: { bytes: Buffer; version: number }, expiresAt: Date): JsonObject {
  const document = parseJsonBounded(current.bytes, METADATA_LIMITS.root);
  const signed = isJsonObject(document) ? document.signed : undefined;
  if (!isJsonObject(signed)) throw new TypeError("a stored root has no signed part");
  return { ...signed, expires: formatExpires(expiresAt), version: current.version + 1 };
}
