import type { ListQuery } from "#lib/contracts/console/common.ts";
import type { DbOrTx } from "#lib/db/client.ts";
import type { Prisma } from "#lib/db/generated/client.ts";
import { usableOnce, usedOnce } from "#lib/db/limited-use.ts";
import { NEWEST_FIRST, olderThan, toNewestPage } from "#lib/db/newest-first.ts";
import { containing } from "./list-query.ts";

const COLUMNS = {
  id: true,
  description: true,
  fingerprint: true,
  validFrom: true,
  validUntil: true,
  usesAllowed: true,
  usesLeft: true,
  policy: true,
  certificateDays: true,
  groupId: true,
  hardwareId: true,
  createdAt: true,
  createdBy: true,
  lastUsedAt: true,
  revokedAt: true,
  revokedBy: true,
} as const satisfies Prisma.BootstrapCredentialSelect;

export type BootstrapRow = Prisma.BootstrapCredentialGetPayload<{ select: typeof COLUMNS }>;

export async function insertBootstrap(
  db: DbOrTx,
  namespaceId: string,
  row: Omit<BootstrapRow, "usesLeft" | "lastUsedAt" | "revokedAt" | "revokedBy"> & { certificate: Uint8Array },
): Promise<BootstrapRow> {
  const certificate = Uint8Array.from(row.certificate);
  return db.bootstrapCredential.create({
    data: { ...row, namespaceId, certificate, usesLeft: row.usesAllowed },
    select: COLUMNS,
  });
}

export async function findBootstrap(
  db: DbOrTx,
  namespaceId: string,
  which: { id: string } | { fingerprint: string },
): Promise<BootstrapRow | null> {
  return db.bootstrapCredential.findFirst({ where: { namespaceId, ...which }, select: COLUMNS });
}

/** Counts one use, if it may be used. @returns false when it may not */
export async function takeUse(db: DbOrTx, namespaceId: string, use: { id: string; at: Date }): Promise<boolean> {
  const { count } = await db.bootstrapCredential.updateMany({
    where: { namespaceId, ...usableOnce(use) },
    data: usedOnce(use.at),
  });
  return count === 1;
}

/** @returns false when it is not there or revoked already */
export async function revokeBootstrap(
  db: DbOrTx,
  namespaceId: string,
  revocation: { id: string; at: Date; by: string },
): Promise<boolean> {
  const { count } = await db.bootstrapCredential.updateMany({
    where: { namespaceId, id: revocation.id, revokedAt: null },
    data: { revokedAt: revocation.at, revokedBy: revocation.by },
  });
  return count === 1;
}

export async function listBootstrap(
  db: DbOrTx,
  namespaceId: string,
  query: ListQuery,
): Promise<{ rows: BootstrapRow[]; nextCursor: string | null; total: number }> {
  const filter: Prisma.BootstrapCredentialWhereInput = {
    namespaceId,
    ...(query.q === undefined || query.q.trim() === "" ? {} : { description: containing(query.q) }),
  };
  const found = await db.bootstrapCredential.findMany({
    where: { AND: [filter, olderThan(query.cursor)] },
    orderBy: NEWEST_FIRST,
    take: query.limit + 1,
    select: COLUMNS,
  });
  return { ...toNewestPage(found, query.limit), total: await db.bootstrapCredential.count({ where: filter }) };
}
