import { hashSecretText, looksLikeToken } from "#lib/auth/secret-text.ts";
import type { SessionRef } from "#lib/auth/session-cookie.ts";
import type { Actor } from "#lib/authz/actor.ts";
import { ROLES, type Role } from "#lib/authz/permissions.ts";
import type { Ctx } from "#lib/ctx.ts";
import { publishEvent } from "#lib/db/events.ts";
import { AppError } from "#lib/errors/app-error.ts";
import { record } from "#services/audit/service.ts";
import { isTouchDue } from "./session-life.ts";
import * as sessionStore from "./store-sessions.ts";
import * as tokenStore from "./store-tokens.ts";

/** Who a session cookie speaks for, now. @returns null when the session is over or its user may not sign in any more */
export async function findSessionActor(ctx: Ctx, ref: SessionRef, address: string): Promise<Actor | null> {
  const now = ctx.clock();
  const session = await sessionStore.findLiveSession(ctx.db, ref, now);
  if (session === null) return null;
  if (isTouchDue(session.lastUsedAt, now)) await sessionStore.touchSession(ctx.db, ref.sessionId, now);
  return { kind: "user", ...session.user, sessionId: ref.sessionId, address };
}

/**
 * Who a bearer token speaks for, now. A personal token has the lesser of its own role and its owner's present one.
 *
 * @throws AppError `auth.token_invalid` for anything else than a token that counts here
 */
export async function getTokenActor(ctx: Ctx, text: string, address: string): Promise<Actor> {
  const now = ctx.clock();
  const token = looksLikeToken(text) ? await tokenStore.findLiveToken(ctx.db, hashSecretText(text), now) : null;
  if (token === null || token.namespaceId !== ctx.namespaceId) {
    throw new AppError("auth.token_invalid", "The token is unknown, expired or revoked.");
  }
  if (isTouchDue(token.lastUsedAt, now)) await tokenStore.touchToken(ctx.db, token.id, now);
  const role = token.ownerRole === null ? token.role : lesserRole(token.role, token.ownerRole);
  return { kind: "token", id: token.id, name: token.name, role, userId: token.userId, address };
}

/** Ends the session of a cookie. Nothing to do when it was over. */
export async function signOut(ctx: Ctx, ref: SessionRef, address: string): Promise<void> {
  const actor = await findSessionActor(ctx, ref, address);
  if (actor === null || actor.kind !== "user") return;
  await ctx.db.$transaction(async (tx) => {
    if (!(await sessionStore.revokeSession(tx, ref, ctx.clock()))) return;
    await publishEvent(tx, ctx.namespaceId, { topic: "account", subjectId: ref.userId });
    await record(tx, ctx, actor, {
      action: "session.sign_out",
      target: { kind: "session", id: ref.sessionId, name: actor.name },
    });
  });
}

function lesserRole(a: Role, b: Role): Role {
  return ROLES.indexOf(a) < ROLES.indexOf(b) ? a : b;
}
