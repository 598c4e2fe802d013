import type { Role } from "#lib/authz/permissions.ts";
import { RoleName, type User } from "#lib/contracts/console/accounts.ts";
import { decodeCursor, encodeCursor, type ListQuery, type Page } from "#lib/contracts/console/common.ts";
import type { DbOrTx, Tx } from "#lib/db/client.ts";
import type { Prisma } from "#lib/db/generated/client.ts";
import { escapeLike } from "#lib/db/like.ts";
import { idleSince } from "./session-life.ts";

/** Users belong to the install, not to an environment: there is no namespace here. */
type UserRow = { id: string; email: string; name: string; role: Role; disabled: boolean };

const USER = { id: true, email: true, name: true, role: true, disabledAt: true } satisfies Prisma.UserSelect;

export async function findUser(db: DbOrTx, id: string): Promise<UserRow | null> {
  const row = await db.user.findUnique({ where: { id }, select: USER });
  return row === null ? null : toUserRow(row);
}

/** With the hash: for signing in and nothing else. */
export async function findCredentials(db: DbOrTx, email: string): Promise<(UserRow & { passwordHash: string }) | null> {
  const row = await db.user.findUnique({ where: { email }, select: { ...USER, passwordHash: true } });
  return row === null ? null : { ...toUserRow(row), passwordHash: row.passwordHash };
}

/**
 * Keeps the user's password and standing as they are until the transaction ends.
 *
 * @returns whether they still are what somebody has just signed in with
 */
export async function holdCredentials(tx: Tx, user: { id: string; passwordHash: string }): Promise<boolean> {
  const rows = await tx.$queryRaw<unknown[]>`
    SELECT 1 FROM user_account
    WHERE id = ${user.id}::uuid AND "passwordHash" = ${user.passwordHash} AND "disabledAt" IS NULL FOR SHARE`;
  return rows.length > 0;
}

export function countUsers(db: DbOrTx): Promise<number> {
  return db.user.count();
}

/** Admins who could sign in if `exceptId` could not. */
export function countOtherAdmins(db: DbOrTx, exceptId: string): Promise<number> {
  return db.user.count({ where: { role: "admin", disabledAt: null, id: { not: exceptId } } });
}

export async function insertUser(
  db: DbOrTx,
  user: { id: string; email: string; name: string; role: Role; passwordHash: string; createdAt: Date },
): Promise<void> {
  await db.user.create({ data: user, select: { id: true } });
}

export async function updateUser(
  db: DbOrTx,
  id: string,
  changes: { name?: string; role?: Role; passwordHash?: string; disabledAt?: Date | null },
): Promise<void> {
  await db.user.update({ where: { id }, data: changes, select: { id: true } });
}

/** Sessions and personal tokens go with it. */
export async function deleteUser(db: DbOrTx, id: string): Promise<void> {
  await db.user.delete({ where: { id }, select: { id: true } });
}

function withSessions(now: Date) {
  const live = { revokedAt: null, expiresAt: { gt: now }, lastUsedAt: { gt: idleSince(now) } };
  return {
    ...USER,
    createdAt: true,
    sessions: { select: { lastUsedAt: true }, orderBy: { lastUsedAt: "desc" }, take: 1 },
    _count: { select: { sessions: { where: live } } },
  } satisfies Prisma.UserSelect;
}

type UserWithSessions = Prisma.UserGetPayload<{ select: ReturnType<typeof withSessions> }>;

export async function findUserDto(db: DbOrTx, id: string, now: Date): Promise<User | null> {
  const row = await db.user.findUnique({ where: { id }, select: withSessions(now) });
  return row === null ? null : toUserDto(row);
}

/** By e-mail address, which is unique and therefore the whole key. */
export async function listUsers(db: DbOrTx, query: ListQuery, now: Date): Promise<Page<User>> {
  const after = query.cursor === undefined ? null : decodeCursor(query.cursor, 1)[0];
  const matching: Prisma.UserWhereInput =
    query.q === undefined
      ? {}
      : {
          OR: [
            { email: { contains: escapeLike(query.q), mode: "insensitive" } },
            { name: { contains: escapeLike(query.q), mode: "insensitive" } },
          ],
        };
  const rows = await db.user.findMany({
    where: { AND: [matching, after === null || after === undefined ? {} : { email: { gt: after } }] },
    orderBy: { email: "asc" },
    take: query.limit + 1,
    select: withSessions(now),
  });
  const page = rows.slice(0, query.limit);
  const last = page.at(-1);
  return {
    data: page.map(toUserDto),
    nextCursor: rows.length > query.limit && last !== undefined ? encodeCursor([last.email]) : null,
    total: await db.user.count({ where: matching }),
    totalIsExact: true,
  };
}

function toUserRow(row: Prisma.UserGetPayload<{ select: typeof USER }>): UserRow {
  return {
    id: row.id,
    email: row.email,
    name: row.name,
    role: RoleName.parse(row.role),
    disabled: row.disabledAt !== null,
  };
}

function toUserDto(row: UserWithSessions): User {
  return {
    ...toUserRow(row),
    createdAt: row.createdAt.toISOString(),
    sessions: row._count.sessions,
    lastUsedAt: row.sessions[0]?.lastUsedAt.toISOString() ?? null,
  };
}
