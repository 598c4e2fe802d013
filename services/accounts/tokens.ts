import { randomUUID } from "node:crypto";
import { newSecretText, TOKEN_PREFIX } from "#lib/auth/secret-text.ts";
import { type Actor, requirePermission } from "#lib/authz/actor.ts";
import { can, ROLES, type Role } from "#lib/authz/permissions.ts";
import type { ApiToken, CreateToken } from "#lib/contracts/console/accounts.ts";
import type { ListQuery, Page } from "#lib/contracts/console/common.ts";
import type { Ctx } from "#lib/ctx.ts";
import { publishEvent } from "#lib/db/events.ts";
import { AppError } from "#lib/errors/app-error.ts";
import { record } from "#services/audit/service.ts";
import * as tokenStore from "./store-tokens.ts";

const DAY_MS = 86_400_000;

/** One's own; with `token.manage` all. @throws AppError `auth.forbidden` | `request.invalid` (cursor) */
export async function listTokens(ctx: Ctx, actor: Actor, query: ListQuery): Promise<Page<ApiToken>> {
  requirePermission(actor, "token.own");
  if (mayManage(actor)) return tokenStore.listTokens(ctx.db, ctx.namespaceId, { query, ownerId: null });
  const ownerId = ownerOf(actor);
  if (ownerId === null) return { data: [], nextCursor: null, total: 0, totalIsExact: true };
  return tokenStore.listTokens(ctx.db, ctx.namespaceId, { query, ownerId });
}

/**
 * Makes a token. Its text is in the result and nowhere else.
 *
 * A personal one is made by its owner in a session, not by another token: else a leaked token that expires could make itself
 * one that does not. None may have more than its maker.
 *
 * @throws AppError `auth.forbidden`
 */
export async function createToken(ctx: Ctx, actor: Actor, input: CreateToken): Promise<ApiToken & { token: string }> {
  requirePermission(actor, "token.own");
  if (input.kind === "service") requirePermission(actor, "token.manage");
  if (input.kind === "personal" && actor.kind !== "user") {
    throw new AppError("auth.forbidden", "A personal token is made by a person who is signed in, not by a token.");
  }
  if (actor.kind !== "system" && ROLES.indexOf(input.role) > ROLES.indexOf(actor.role)) {
    throw new AppError("auth.forbidden", `A token can have no more than your own role, which is ${actor.role}.`);
  }
  const now = ctx.clock();
  const expiresAt = input.expiresInDays === undefined ? null : new Date(now.getTime() + input.expiresInDays * DAY_MS);
  const userId = input.kind === "personal" ? ownerOf(actor) : null;
  return insertToken(ctx, actor, { name: input.name, role: input.role, userId, expiresAt });
}

/** A service token from the command line. @throws AppError `auth.forbidden` */
export async function createServiceToken(
  ctx: Ctx,
  actor: Actor,
  input: { name: string; role: Role; expiresAt: Date | null },
): Promise<ApiToken & { token: string }> {
  requirePermission(actor, "token.manage");
  return insertToken(ctx, actor, { ...input, userId: null });
}

/** At once: every request asks. @throws AppError `auth.forbidden` | `token.not_found` (also somebody else's, to who may not manage) */
export async function revokeToken(ctx: Ctx, actor: Actor, id: string): Promise<ApiToken> {
  requirePermission(actor, "token.own");
  await ctx.db.$transaction(async (tx) => {
    const found = await tokenStore.findToken(tx, ctx.namespaceId, id);
    const own = found !== null && found.userId !== null && found.userId === ownerOf(actor);
    if (found === null || !(own || mayManage(actor))) throw notFound();
    if (!(await tokenStore.revokeToken(tx, ctx.namespaceId, id, ctx.clock()))) return;
    await publishEvent(tx, ctx.namespaceId, { topic: "account", subjectId: id });
    await record(tx, ctx, actor, {
      action: "token.revoke",
      target: { kind: "token", id, name: found.dto.name },
      before: { role: found.dto.role, kind: found.dto.kind },
    });
  });
  return getDto(ctx, id);
}

async function insertToken(
  ctx: Ctx,
  actor: Actor,
  input: { name: string; role: Role; userId: string | null; expiresAt: Date | null },
): Promise<ApiToken & { token: string }> {
  const id = randomUUID();
  const secret = newSecretText(TOKEN_PREFIX);
  await ctx.db.$transaction(async (tx) => {
    await tokenStore.insertToken(tx, ctx.namespaceId, {
      id,
      ...input,
      tokenHash: secret.hash,
      hint: secret.text.slice(-4),
      createdAt: ctx.clock(),
      createdBy: actor.name,
    });
    await publishEvent(tx, ctx.namespaceId, { topic: "account", subjectId: id });
    await record(tx, ctx, actor, {
      action: "token.create",
      target: { kind: "token", id, name: input.name },
      after: {
        role: input.role,
        kind: input.userId === null ? "service" : "personal",
        expiresAt: input.expiresAt?.toISOString() ?? null,
      },
    });
  });
  return { ...(await getDto(ctx, id)), token: secret.text };
}

async function getDto(ctx: Ctx, id: string): Promise<ApiToken> {
  const found = await tokenStore.findToken(ctx.db, ctx.namespaceId, id);
  if (found === null) throw notFound();
  return found.dto;
}

function notFound(): AppError {
  return new AppError("token.not_found", "There is no such token of yours.");
}

function mayManage(actor: Actor): boolean {
  return actor.kind === "system" || can(actor.role, "token.manage");
}

function ownerOf(actor: Actor): string | null {
  if (actor.kind === "user") return actor.id;
  return actor.kind === "token" ? actor.userId : null;
}
