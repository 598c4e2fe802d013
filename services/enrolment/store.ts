import type { ListQuery } from "#lib/contracts/console/common.ts";
import type { DbOrTx } from "#lib/db/client.ts";
import type { Prisma } from "#lib/db/generated/client.ts";
import { escapeLike } from "#lib/db/like.ts";
import { usableOnce, usedOnce } from "#lib/db/limited-use.ts";
import { NEWEST_FIRST, olderThan, toNewestPage } from "#lib/db/newest-first.ts";

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

/** Counts one use, if it may be used. @returns false when it may not */
export async function takeUse(db: DbOrTx, namespaceId: string, use: { id: string; at: Date }): Promise<boolean> {
  const { count } = await db.enrolmentToken.updateMany({
    where: { namespaceId, ...usableOnce(use) },
    data: usedOnce(use.at),
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
    where: { AND: [filter, olderThan(query.cursor)] },
    orderBy: NEWEST_FIRST,
    take: query.limit + 1,
    select: COLUMNS,
  });
  return { ...toNewestPage(found, query.limit), total: await db.enrolmentToken.count({ where: filter }) };
}
