import type { Role } from "#lib/authz/permissions.ts";
import { RoleName } from "#lib/contracts/console/accounts.ts";
import type { DbOrTx } from "#lib/db/client.ts";
import { idleSince } from "./session-life.ts";

const KEEP_ENDED_MS = 30 * 86_400_000;

export async function insertSession(
  db: DbOrTx,
  session: { id: string; userId: string; now: Date; expiresAt: Date; address: string; userAgent: string | null },
): Promise<void> {
  const { now, ...row } = session;
  await db.userSession.create({ data: { ...row, createdAt: now, lastUsedAt: now }, select: { id: true } });
}

/** The session's user, when both still count. */
export async function findLiveSession(
  db: DbOrTx,
  ref: { sessionId: string; userId: string },
  now: Date,
): Promise<{ lastUsedAt: Date; user: { id: string; name: string; role: Role } } | null> {
  const row = await db.userSession.findFirst({
    where: {
      id: ref.sessionId,
      userId: ref.userId,
      revokedAt: null,
      expiresAt: { gt: now },
      lastUsedAt: { gt: idleSince(now) },
      user: { disabledAt: null },
    },
    select: { lastUsedAt: true, user: { select: { id: true, name: true, role: true } } },
  });
  if (row === null) return null;
  return { lastUsedAt: row.lastUsedAt, user: { ...row.user, role: RoleName.parse(row.user.role) } };
}

/** Forward only: two requests at once must not turn the time back. */
export async function touchSession(db: DbOrTx, id: string, now: Date): Promise<void> {
  await db.userSession.updateMany({ where: { id, lastUsedAt: { lt: now } }, data: { lastUsedAt: now } });
}

/** @returns whether it was still live */
export async function revokeSession(
  db: DbOrTx,
  ref: { sessionId: string; userId: string },
  now: Date,
): Promise<boolean> {
  const { count } = await db.userSession.updateMany({
    where: { id: ref.sessionId, userId: ref.userId, revokedAt: null },
    data: { revokedAt: now },
  });
  return count > 0;
}

/** @returns how many ended by it */
export async function revokeSessionsOf(db: DbOrTx, userId: string, now: Date): Promise<number> {
  const { count } = await db.userSession.updateMany({
    where: { userId, revokedAt: null, expiresAt: { gt: now }, lastUsedAt: { gt: idleSince(now) } },
    data: { revokedAt: now },
  });
  return count;
}

/** Whether this person has signed in from there within the last 30 days. */
export async function hasSignedInFrom(db: DbOrTx, userId: string, address: string, now: Date): Promise<boolean> {
  const since = new Date(now.getTime() - KEEP_ENDED_MS);
  const row = await db.userSession.findFirst({
    where: { userId, address, createdAt: { gt: since } },
    select: { id: true },
  });
  return row !== null;
}

/** Rows of sessions that ended long ago. */
export async function pruneSessions(db: DbOrTx, userId: string, now: Date): Promise<void> {
  const before = new Date(now.getTime() - KEEP_ENDED_MS);
  await db.userSession.deleteMany({
    where: { userId, OR: [{ expiresAt: { lt: before } }, { revokedAt: { lt: before } }] },
  });
}
