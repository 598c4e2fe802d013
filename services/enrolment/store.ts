import { decodeCursor, encodeCursor, type ListQuery } from "#lib/contracts/console/common.ts";
import type { DbOrTx } from "#lib/db/client.ts";
import type { Prisma } from "#lib/db/generated/client.ts";
import { escapeLike } from "#lib/db/like.ts";
import { AppError } from "#lib/errors/app-error.ts";

const COLUMNS = {
  id: true,
  description: true,
  usesAllowed: true,
  usesLeft: true,
  validFrom: true,
  validUntil: true,
  policy: true,
  authorityId: true,
  groupId: true,
  hardwareId: true,
  certificateDays: true,
  createdAt: true,
  createdBy: true,
  lastUsedAt: true,
  revokedAt: true,
  revokedBy: true,
} as const satisfies Prisma.EnrolmentTokenSelect;

/** Everything but the hash of the secret, which nobody needs to read. */
export type TokenRow = Prisma.EnrolmentTokenGetPayload<{ select: typeof COLUMNS }>;

export async function insertToken(
  db: DbOrTx,
  namespaceId: string,
  row: Omit<TokenRow, "usesLeft" | "lastUsedAt" | "revokedAt" | "revokedBy"> & { secretHash: string },
): Promise<TokenRow> {
  return db.enrolmentToken.create({ data: { ...row, namespaceId, usesLeft: row.usesAllowed }, select: COLUMNS });
}

export async function findToken(
  db: DbOrTx,
  namespaceId: string,
  which: { id: string } | { secretHash: string },
): Promise<TokenRow | null> {
  return db.enrolmentToken.findFirst({ where: { namespaceId, ...which }, select: COLUMNS });
}

/**
 * Counts one use, in one statement: whoever comes when none is left, or after the end, waits for the row and then finds no row to
 * change.
 *
 * @returns false when it may not be used
 */
export async function takeUse(db: DbOrTx, namespaceId: string, use: { id: string; at: Date }): Promise<boolean> {
  const { count } = await db.enrolmentToken.updateMany({
    where: {
      namespaceId,
      id: use.id,
      usesLeft: { gt: 0 },
      revokedAt: null,
      validFrom: { lte: use.at },
      validUntil: { gt: use.at },
    },
    data: { usesLeft: { decrement: 1 }, lastUsedAt: use.at },
  });
  return count === 1;
}

/** @returns false when it is not there or revoked already */
export async function revokeToken(
  db: DbOrTx,
  namespaceId: string,
  revocation: { id: string; at: Date; by: string },
): Promise<boolean> {
  const { count } = await db.enrolmentToken.updateMany({
    where: { namespaceId, id: revocation.id, revokedAt: null },
    data: { revokedAt: revocation.at, revokedBy: revocation.by },
  });
  return count === 1;
}

export async function listTokens(
  db: DbOrTx,
  namespaceId: string,
  query: ListQuery,
): Promise<{ rows: TokenRow[]; nextCursor: string | null; total: number }> {
  const text = query.q?.trim() ?? "";
  const filter: Prisma.EnrolmentTokenWhereInput = {
    namespaceId,
    ...(text === "" ? {} : { description: { contains: escapeLike(text), mode: "insensitive" } }),
  };
  const found = await db.enrolmentToken.findMany({
    where: query.cursor === undefined ? filter : { AND: [filter, beforeCursor(query.cursor)] },
    orderBy: [{ createdAt: "desc" }, { id: "desc" }],
    take: query.limit + 1,
    select: COLUMNS,
  });
  const rows = found.slice(0, query.limit);
  const last = found.length > query.limit ? rows.at(-1) : undefined;
  return {
    rows,
    nextCursor: last === undefined ? null : encodeCursor([last.createdAt.toISOString(), last.id]),
    total: await db.enrolmentToken.count({ where: filter }),
  };
}

function beforeCursor(cursor: string): Prisma.EnrolmentTokenWhereInput {
  const [time, key] = decodeCursor(cursor, 2);
  const id = key ?? "";
  const at = new Date(time ?? "");
  if (Number.isNaN(at.getTime()) || !/^[0-9a-f-]{36}$/.test(id)) {
    throw new AppError("request.invalid", "cursor is not one this list gave out. Start again without it.");
  }
  return { OR: [{ createdAt: { lt: at } }, { createdAt: at, id: { lt: id } }] };
}
