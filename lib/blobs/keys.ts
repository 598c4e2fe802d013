import { AppError } from "#lib/errors/app-error.ts";

/**
 * A key is the SHA-256 of its content, or a name like a path. Keys become paths and addresses, so nothing else may pass.
 *
 * Names have two to eight parts of lower-case letters, digits, `.`, `_` and `-`, none of which begins with a dot.
 */
export type BlobKey = string;

const CONTENT = /^[0-9a-f]{64}$/;
const NAME = /^[a-z][a-z0-9-]{2,30}(\/[a-z0-9_-][a-z0-9._-]{0,150}){1,7}$/;
/** Where uploads wait; never the first part of a name. */
export const STAGED = "staged";

/** True when the key says what its content is. @throws AppError `internal.error` when it is no key */
export function isContentKey(key: BlobKey): boolean {
  if (CONTENT.test(key)) return true;
  if (NAME.test(key) && !key.startsWith(`${STAGED}/`)) return false;
  throw new AppError("internal.error", "This is no key of a blob.");
}
