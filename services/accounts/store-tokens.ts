import { z } from "zod";
import type { Role } from "#lib/authz/permissions.ts";
import { type ApiToken, RoleName } from "#lib/contracts/console/accounts.ts";
import { decodeCursor, encodeCursor, Instant, type ListQuery, type Page, Uuid } from "#lib/contracts/console/common.ts";
import type { DbOrTx } from "#lib/db/client.ts";
import type { Prisma } from "#lib/db/generated/client.ts";
import { escapeLike } from "#lib/db/like.ts";
import { AppError } from "#lib/errors/app-error.ts";

const TOKEN = {
  id: true,
  name: true,
  role: true,
  userId: true,
  hint: true,
  createdAt: true,
  createdBy: true,
  expiresAt: true,
  lastUsedAt: true,
  revokedAt: true,
  user: { select: { name: true } },
} satisfies Prisma.ApiTokenSelect;

export async function insertToken(
  db: DbOrTx,
  namespaceId: string,
  token: {
    id: string;
    name: string;
    role: Role;
    userId: string | null;
    tokenHash: Uint8Array<ArrayBuffer>;
    hint: string;
    createdAt: Date;
    createdBy: string;
    expiresAt: Date | null;
  },
): Promise<void> {
  await db.apiToken.create({ data: { ...token, namespaceId }, select: { id: true } });
}

/** The token of this hash, when it and its owner still count. */
export async function findLiveToken(db: DbOrTx, tokenHash: Uint8Array<ArrayBuffer>, now: Date) {
  const row = await db.apiToken.findUnique({
    where: { tokenHash },
    select: {
      id: true,
      name: true,
      role: true,
      userId: true,
      namespaceId: true,
      expiresAt: true,
      lastUsedAt: true,
      revokedAt: true,
      user: { select: { role: true, disabledAt: true } },
    },
  });
  if (row === null || row.revokedAt !== null || (row.expiresAt !== null && row.expiresAt <= now)) return null;
  if (row.userId !== null && (row.user === null || row.user.disabledAt !== null)) return null;
  return {
    id: row.id,
    name: row.name,
    userId: row.userId,
    namespaceId: row.namespaceId,
    lastUsedAt: row.lastUsedAt,
    role: RoleName.parse(row.role),
    ownerRole: row.user === null ? null : RoleName.parse(row.user.role),
  };
}

export async function touchToken(db: DbOrTx, id: string, now: Date): Promise<void> {
  await db.apiToken.updateMany({
    where: { id, OR: [{ lastUsedAt: null }, { lastUsedAt: { lt: now } }] },
    data: { lastUsedAt: now },
  });
}

export async function findToken(
  db: DbOrTx,
  namespaceId: string,
  id: string,
): Promise<{ dto: ApiToken; userId: string | null } | null> {
  const row = await db.apiToken.findFirst({ where: { namespaceId, id }, select: TOKEN });
  return row === null ? null : { dto: toTokenDto(row), userId: row.userId };
}

/** @returns whether it still counted */
export async function revokeToken(db: DbOrTx, namespaceId: string, id: string, now: Date): Promise<boolean> {
  const { count } = await db.apiToken.updateMany({
    where: { namespaceId, id, revokedAt: null },
    data: { revokedAt: now },
  });
  return count > 0;
}

/** Newest first. @param ownerId null for everybody's */
export async function listTokens(
  db: DbOrTx,
  namespaceId: string,
  { query, ownerId }: { query: ListQuery; ownerId: string | null },
): Promise<Page<ApiToken>> {
  const matching: Prisma.ApiTokenWhereInput = {
    namespaceId,
    ...(ownerId === null ? {} : { userId: ownerId }),
    ...(query.q === undefined ? {} : { name: { contains: escapeLike(query.q), mode: "insensitive" } }),
  };
  const rows = await db.apiToken.findMany({
    where: { AND: [matching, query.cursor === undefined ? {} : after(query.cursor)] },
    orderBy: [{ createdAt: "desc" }, { id: "desc" }],
    take: query.limit + 1,
    select: TOKEN,
  });
  const page = rows.slice(0, query.limit);
  const last = page.at(-1);
  return {
    data: page.map(toTokenDto),
    nextCursor:
      rows.length > query.limit && last !== undefined ? encodeCursor([last.createdAt.toISOString(), last.id]) : null,
    total: await db.apiToken.count({ where: matching }),
    totalIsExact: true,
  };
}

const Position = z.tuple([Instant, Uuid]);

function after(cursor: string): Prisma.ApiTokenWhereInput {
  const position = Position.safeParse(decodeCursor(cursor, 2));
  if (!position.success) throw new AppError("request.invalid", "cursor is not one this list gave out.");
  const [createdAt, id] = position.data;
  return { OR: [{ createdAt: { lt: createdAt } }, { createdAt, id: { lt: id } }] };
}

function toTokenDto(row: Prisma.ApiTokenGetPayload<{ select: typeof TOKEN }>): ApiToken {
  return {
    id: row.id,
    name: row.name,
    kind: row.userId === null ? "service" : "personal",
    role: RoleName.parse(row.role),
    owner: row.user?.name ?? null,
    hint: row.hint,
    createdAt: row.createdAt.toISOString(),
    createdBy: row.createdBy,
    expiresAt: row.expiresAt?.toISOString() ?? null,
    lastUsedAt: row.lastUsedAt?.toISOString() ?? null,
    revokedAt: row.revokedAt?.toISOString() ?? null,
  };
}
