import { cursorPart, decodeCursor, encodeCursor, Instant, Uuid } from "#lib/contracts/console/common.ts";

/* Keyset pages of rows by when they were made, the newest first. */

export const NEWEST_FIRST: { createdAt?: "desc"; id?: "desc" }[] = [{ createdAt: "desc" }, { id: "desc" }];

type Older = { OR?: ({ createdAt: { lt: Date } } | { createdAt: Date; id: { lt: string } })[] };

/** What comes after a page; everything without a cursor. @throws AppError `request.invalid` (a cursor that is not ours) */
export function olderThan(cursor: string | undefined): Older {
  if (cursor === undefined) return {};
  const [time, key] = decodeCursor(cursor, 2);
  const at = new Date(cursorPart(time, Instant));
  return { OR: [{ createdAt: { lt: at } }, { createdAt: at, id: { lt: cursorPart(key, Uuid) } }] };
}

/** @param found one row more than `limit`, where there is one: it says that another page follows */
export function toNewestPage<Row extends { id: string; createdAt: Date }>(
  found: readonly Row[],
  limit: number,
): { rows: Row[]; nextCursor: string | null } {
  const rows = found.slice(0, limit);
  const last = found.length > limit ? rows.at(-1) : undefined;
  return { rows, nextCursor: last === undefined ? null : encodeCursor([last.createdAt.toISOString(), last.id]) };
}
