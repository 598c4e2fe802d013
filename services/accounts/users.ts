import { randomUUID } from "node:crypto";
import { hashPassword } from "#lib/auth/passwords.ts";
import { type Actor, requirePermission } from "#lib/authz/actor.ts";
import type { ChangeUser, CreateUser, User } from "#lib/contracts/console/accounts.ts";
import type { ListQuery, Page } from "#lib/contracts/console/common.ts";
import type { Ctx } from "#lib/ctx.ts";
import { isUniqueViolation, lockInTransaction, type Tx } from "#lib/db/client.ts";
import { publishEvent } from "#lib/db/events.ts";
import { AppError } from "#lib/errors/app-error.ts";
import { type AuditFacts, record } from "#services/audit/service.ts";
import * as store from "./store.ts";
import * as sessionStore from "./store-sessions.ts";

/** Serialises whatever could take the last admin away. */
const ADMINS = "accounts:admins";

/** @throws AppError `auth.forbidden` | `request.invalid` (cursor) */
export async function listUsers(ctx: Ctx, actor: Actor, query: ListQuery): Promise<Page<User>> {
  requirePermission(actor, "account.read");
  return store.listUsers(ctx.db, query, ctx.clock());
}

/** @throws AppError `auth.forbidden` | `account.email_taken` */
export async function createUser(ctx: Ctx, actor: Actor, input: CreateUser): Promise<User> {
  requirePermission(actor, "account.manage");
  const id = randomUUID();
  const passwordHash = await hashPassword(input.password);
  const { email, name, role } = input;
  try {
    await ctx.db.$transaction(async (tx) => {
      await store.insertUser(tx, { id, email, name, role, passwordHash, createdAt: ctx.clock() });
      await publishEvent(tx, ctx.namespaceId, { topic: "account", subjectId: id });
      await record(tx, ctx, actor, {
        action: "user.create",
        target: { kind: "user", id, name: email },
        after: { email, name, role },
      });
    });
  } catch (cause) {
    if (!isUniqueViolation(cause)) throw cause;
    throw new AppError("account.email_taken", "This e-mail address has an account already.", { cause });
  }
  return getDto(ctx, id);
}

/**
 * A new password or a disabled account ends the user's sessions. A new role holds from their next request on.
 *
 * @throws AppError `auth.forbidden` | `account.not_found` | `account.last_admin`
 */
export async function changeUser(ctx: Ctx, actor: Actor, id: string, input: ChangeUser): Promise<User> {
  requirePermission(actor, "account.manage");
  const passwordHash = input.password === undefined ? undefined : await hashPassword(input.password);
  await ctx.db.$transaction(async (tx) => {
    await lockInTransaction(tx, ADMINS);
    const before = await getRow(tx, id);
    const after = {
      name: input.name ?? before.name,
      role: input.role ?? before.role,
      disabled: input.disabled ?? before.disabled,
    };
    if (after.disabled || after.role !== "admin") await assertAdminRemains(tx, before);
    await store.updateUser(tx, id, {
      name: after.name,
      role: after.role,
      ...(after.disabled === before.disabled ? {} : { disabledAt: after.disabled ? ctx.clock() : null }),
      ...(passwordHash === undefined ? {} : { passwordHash }),
    });
    const ended =
      passwordHash !== undefined || after.disabled ? await sessionStore.revokeSessionsOf(tx, id, ctx.clock()) : 0;
    await publishEvent(tx, ctx.namespaceId, { topic: "account", subjectId: id });
    await record(tx, ctx, actor, {
      action: "user.change",
      target: { kind: "user", id, name: before.email },
      before: factsOf(before),
      after: { ...factsOf(after), passwordChanged: passwordHash !== undefined, sessionsEnded: ended },
    });
  });
  return getDto(ctx, id);
}

/** @throws AppError `auth.forbidden` | `account.not_found` | `account.last_admin` */
export async function deleteUser(ctx: Ctx, actor: Actor, id: string): Promise<void> {
  requirePermission(actor, "account.manage");
  await ctx.db.$transaction(async (tx) => {
    await lockInTransaction(tx, ADMINS);
    const before = await getRow(tx, id);
    await assertAdminRemains(tx, before);
    await store.deleteUser(tx, id);
    await publishEvent(tx, ctx.namespaceId, { topic: "account", subjectId: id });
    await record(tx, ctx, actor, {
      action: "user.delete",
      target: { kind: "user", id, name: before.email },
      before: factsOf(before),
    });
  });
}

/** Ends every session of somebody. @throws AppError `auth.forbidden` | `account.not_found` */
export async function signOutUser(ctx: Ctx, actor: Actor, id: string): Promise<User> {
  requirePermission(actor, "account.manage");
  await revokeAll(ctx, actor, id);
  return getDto(ctx, id);
}

/** Ends every session of the caller, the one that asks included. @throws AppError `auth.forbidden` for a service token */
export async function signOutEverywhere(ctx: Ctx, actor: Actor): Promise<void> {
  requirePermission(actor, "session.own");
  const id = actor.kind === "user" ? actor.id : actor.kind === "token" ? actor.userId : null;
  if (id === null) throw new AppError("auth.forbidden", "A service token belongs to no person and has no sessions.");
  await revokeAll(ctx, actor, id);
}

async function revokeAll(ctx: Ctx, actor: Actor, id: string): Promise<void> {
  await ctx.db.$transaction(async (tx) => {
    const user = await getRow(tx, id);
    const ended = await sessionStore.revokeSessionsOf(tx, id, ctx.clock());
    await publishEvent(tx, ctx.namespaceId, { topic: "account", subjectId: id });
    await record(tx, ctx, actor, {
      action: "session.revoke_all",
      target: { kind: "user", id, name: user.email },
      after: { sessionsEnded: ended },
    });
  });
}

/** Under the lock: two admins who demote each other at once leave one. */
async function assertAdminRemains(tx: Tx, user: { id: string; role: string; disabled: boolean }): Promise<void> {
  if (user.role !== "admin" || user.disabled || (await store.countOtherAdmins(tx, user.id)) > 0) return;
  throw new AppError("account.last_admin", "This is the last admin who can sign in. Make another one first.");
}

async function getRow(tx: Tx, id: string) {
  const row = await store.findUser(tx, id);
  if (row === null) throw new AppError("account.not_found", "There is no such user.");
  return row;
}

async function getDto(ctx: Ctx, id: string): Promise<User> {
  const dto = await store.findUserDto(ctx.db, id, ctx.clock());
  if (dto === null) throw new AppError("account.not_found", "There is no such user.");
  return dto;
}

function factsOf({ name, role, disabled }: { name: string; role: string; disabled: boolean }): AuditFacts {
  return { name, role, disabled };
}
