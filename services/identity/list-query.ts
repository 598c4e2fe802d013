import { decodeCursor } from "#lib/contracts/console/common.ts";
import { escapeLike } from "#lib/db/like.ts";
import { AppError } from "#lib/errors/app-error.ts";

/** A search text as `contains` of Prisma wants it, which leaves LIKE's wildcards to the caller. */
export function containing(q: string): { contains: string; mode: "insensitive" } {
  return { contains: escapeLike(q.trim()), mode: "insensitive" };
}

/** The start of a fingerprint, however people write it; null when the text is no hexadecimal. */
export function fingerprintPrefix(q: string): string | null {
  const hex = q.toLowerCase().replace(/[\s:]/g, "");
  return /^[0-9a-f]{1,64}$/.test(hex) ? hex : null;
}

/** Where a page of rows ordered by time and key goes on. @throws AppError `request.invalid` */
export function decodeTimeCursor(cursor: string, keyForm: RegExp): { at: Date; key: string } {
  const [time, key] = decodeCursor(cursor, 2);
  const at = new Date(time ?? "");
  if (Number.isNaN(at.getTime()) || !keyForm.test(key ?? "")) {
    throw new AppError("request.invalid", "cursor is not one this list gave out. Start again without it.");
  }
  return { at, key: key ?? "" };
}
