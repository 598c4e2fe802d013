import { createHash, randomUUID } from "node:crypto";
import { verifyPassword } from "#lib/auth/passwords.ts";
import type { Actor } from "#lib/authz/actor.ts";
import type { Ctx } from "#lib/ctx.ts";
import { AppError } from "#lib/errors/app-error.ts";
import { record } from "#services/audit/service.ts";
import { SESSION_SECONDS } from "./session-life.ts";
import * as store from "./store.ts";
import * as attemptStore from "./store-attempts.ts";
import * as sessionStore from "./store-sessions.ts";

const WINDOW_MS = 15 * 60_000;
const KEEP_WINDOWS_MS = 24 * 3_600_000;
/** Attempts in a window. The address has room for an office behind one address; the account for a person with a bad day. */
const LIMITS = { pair: 10, address: 30, account: 20 } as const;
type Limited = keyof typeof LIMITS;

const MAX_EMAIL_LENGTH = 254;
const MAX_PASSWORD_LENGTH = 200;
const MAX_USER_AGENT_LENGTH = 300;

export type SignIn = { email: string; password: string; address: string; userAgent: string | null };

/**
 * Checks e-mail and password and begins a session.
 *
 * Every attempt is counted before the password is looked at, under the account, the address and the pair of both; a right
 * password takes it back. An account that strangers lock out still opens from where its owner has signed in before.
 *
 * @returns the session's id for the cookie, and whose it is
 * @throws AppError `auth.invalid_credentials` (unknown e-mail, wrong password, disabled: not told apart) | `request.rate_limited`
 *   with `detail.retryAfterSeconds`
 */
export async function signIn(ctx: Ctx, input: SignIn): Promise<{ sessionId: string; userId: string }> {
  const email = input.email.slice(0, MAX_EMAIL_LENGTH).toLowerCase();
  const keys = attemptKeys(email, input.address);
  const over = await countAttempt(ctx, keys);
  const found = await store.findCredentials(ctx.db, email);
  await assertWithinLimits(ctx, { over, userId: found?.id ?? null, address: input.address });
  const usable = found !== null && !found.disabled && input.password.length <= MAX_PASSWORD_LENGTH;
  const matches = await verifyPassword(
    input.password.slice(0, MAX_PASSWORD_LENGTH),
    usable ? found.passwordHash : null,
  );
  if (!matches || found === null) throw invalidCredentials(ctx, input.address);
  await attemptStore.forgiveAttempt(ctx.db, { forget: [keys.pair, keys.account], lower: keys.address });
  return beginSession(ctx, found, input);
}

async function beginSession(
  ctx: Ctx,
  user: { id: string; name: string; role: "support" | "operator" | "admin"; passwordHash: string },
  input: SignIn,
): Promise<{ sessionId: string; userId: string }> {
  const now = ctx.clock();
  const sessionId = randomUUID();
  const { id, name, role } = user;
  const actor: Actor = { kind: "user", id, name, role, sessionId, address: input.address };
  await sessionStore.pruneSessions(ctx.db, user.id, now);
  await attemptStore.pruneAttempts(ctx.db, new Date(now.getTime() - KEEP_WINDOWS_MS));
  await ctx.db.$transaction(async (tx) => {
    // A new password ends the sessions there are; one that begins with the old one at that moment must not be left over.
    if (!(await store.holdCredentials(tx, user))) throw invalidCredentials(ctx, input.address);
    await sessionStore.insertSession(tx, {
      id: sessionId,
      userId: user.id,
      now,
      expiresAt: new Date(now.getTime() + SESSION_SECONDS * 1_000),
      address: input.address,
      userAgent: input.userAgent?.slice(0, MAX_USER_AGENT_LENGTH) ?? null,
    });
    await record(tx, ctx, actor, {
      action: "session.sign_in",
      target: { kind: "session", id: sessionId, name: user.name },
    });
  });
  return { sessionId, userId: user.id };
}

function invalidCredentials(ctx: Ctx, address: string): AppError {
  ctx.log.warn({ address }, "a sign-in failed");
  return new AppError("auth.invalid_credentials", "E-mail or password is wrong.");
}

/** An e-mail address is typed by strangers and may be long or somebody's password: its hash is the key. */
function attemptKeys(email: string, address: string): Record<Limited, string> {
  const account = createHash("sha256").update(email).digest("base64url");
  return { pair: `pair:${account}:${address}`, address: `address:${address}`, account: `account:${account}` };
}

/** @returns the limits this attempt is over, and when each opens again */
async function countAttempt(ctx: Ctx, keys: Record<Limited, string>): Promise<Map<Limited, Date>> {
  const counts = await attemptStore.countAttempt(ctx.db, Object.values(keys), ctx.clock(), WINDOW_MS);
  const over = new Map<Limited, Date>();
  for (const name of ["pair", "address", "account"] as const) {
    const row = counts.find(({ key }) => key === keys[name]);
    if (row !== undefined && row.attempts > LIMITS[name]) {
      over.set(name, new Date(row.windowStartedAt.getTime() + WINDOW_MS));
    }
  }
  return over;
}

async function assertWithinLimits(
  ctx: Ctx,
  { over, userId, address }: { over: Map<Limited, Date>; userId: string | null; address: string },
): Promise<void> {
  const now = ctx.clock();
  const onlyAccount = over.size === 1 && over.has("account");
  if (onlyAccount && userId !== null && (await sessionStore.hasSignedInFrom(ctx.db, userId, address, now))) return;
  if (over.size === 0) return;
  const opensAt = Math.max(...[...over.values()].map((date) => date.getTime()));
  const retryAfterSeconds = Math.max(1, Math.ceil((opensAt - now.getTime()) / 1_000));
  ctx.log.warn({ address, limits: [...over.keys()] }, "sign-in attempts are limited");
  throw new AppError("request.rate_limited", `Too many attempts. Try again in ${retryAfterSeconds} seconds.`, {
    detail: { retryAfterSeconds },
  });
}
