import { randomUUID } from "node:crypto";
import { hashPassword } from "#lib/auth/passwords.ts";
import { hashSecretText, newSecretText } from "#lib/auth/secret-text.ts";
import { type Actor, SYSTEM } from "#lib/authz/actor.ts";
import type { CompleteSetup } from "#lib/contracts/console/accounts.ts";
import type { Ctx } from "#lib/ctx.ts";
import { lockInTransaction, type Tx } from "#lib/db/client.ts";
import { publishEvent } from "#lib/db/events.ts";
import { AppError } from "#lib/errors/app-error.ts";
import { record } from "#services/audit/service.ts";
import * as store from "./store.ts";
import * as linkStore from "./store-setup.ts";

const LINK_MS = 24 * 3_600_000;

/** Serialises whatever could make the first user. */
const FIRST_USER = "accounts:first-user";

/**
 * A one-time link with which the first admin is made, good for 24 hours or until the next one. The token stands in the
 * fragment, which browsers send to nobody.
 *
 * @returns null when there is a user: then nobody needs it
 */
export async function createSetupLink(ctx: Ctx): Promise<{ url: string; token: string } | null> {
  const secret = newSecretText();
  const made = await ctx.db.$transaction(async (tx) => {
    await lockInTransaction(tx, FIRST_USER);
    await linkStore.dropUnusedLinks(tx);
    if ((await store.countUsers(tx)) > 0) return false;
    await linkStore.insertLink(tx, { id: randomUUID(), tokenHash: secret.hash, createdAt: ctx.clock() });
    return true;
  });
  return made ? { url: `${ctx.config.publicUrl}/setup#token=${secret.text}`, token: secret.text } : null;
}

/** Whether somebody can sign in already: then the set-up page has nothing more to say. */
export async function isSetUp(ctx: Pick<Ctx, "db">): Promise<boolean> {
  return (await store.countUsers(ctx.db)) > 0;
}

/**
 * Makes the first admin. Two at once, also from two processes: one wins, the other finds the link used.
 *
 * @throws AppError `auth.setup_link_invalid` (unknown, used, too old, or there is a user already)
 */
export async function completeSetup(ctx: Ctx, input: CompleteSetup, address: string): Promise<{ email: string }> {
  const tokenHash = hashSecretText(input.token);
  assertLink(ctx, await linkStore.findUnusedLink(ctx.db, tokenHash));
  const passwordHash = await hashPassword(input.password);
  await ctx.db.$transaction(async (tx) => {
    await lockInTransaction(tx, FIRST_USER);
    assertLink(ctx, await linkStore.findUnusedLink(tx, tokenHash));
    if ((await store.countUsers(tx)) > 0) throw invalidLink();
    await linkStore.useLink(tx, tokenHash, ctx.clock());
    const id = await insertFirstAdmin(tx, ctx, { email: input.email, name: input.name, passwordHash });
    const actor: Actor = { kind: "user", id, name: input.name, role: "admin", sessionId: "", address };
    await recordSetup(tx, ctx, { actor, id, email: input.email });
  });
  return { email: input.email };
}

/** Makes the first admin from the settings when there is no user; what is there stays. @returns whether it made one */
export async function ensureFirstAdmin(ctx: Ctx, input: { email: string; password: string }): Promise<boolean> {
  if ((await store.countUsers(ctx.db)) > 0) return false;
  const email = input.email.toLowerCase();
  const passwordHash = await hashPassword(input.password);
  return ctx.db.$transaction(async (tx) => {
    await lockInTransaction(tx, FIRST_USER);
    if ((await store.countUsers(tx)) > 0) return false;
    const id = await insertFirstAdmin(tx, ctx, { email, name: email.split("@", 1)[0] ?? email, passwordHash });
    await recordSetup(tx, ctx, { actor: SYSTEM, id, email });
    return true;
  });
}

async function insertFirstAdmin(
  tx: Tx,
  ctx: Ctx,
  user: { email: string; name: string; passwordHash: string },
): Promise<string> {
  const id = randomUUID();
  await store.insertUser(tx, { ...user, id, role: "admin", createdAt: ctx.clock() });
  return id;
}

async function recordSetup(
  tx: Tx,
  ctx: Ctx,
  { actor, id, email }: { actor: Actor; id: string; email: string },
): Promise<void> {
  await publishEvent(tx, ctx.namespaceId, { topic: "account", subjectId: id });
  await record(tx, ctx, actor, {
    action: "setup.complete",
    target: { kind: "user", id, name: email },
    after: { email, role: "admin" },
  });
}

function assertLink(ctx: Ctx, link: { createdAt: Date } | null): void {
  if (link === null || ctx.clock().getTime() - link.createdAt.getTime() > LINK_MS) throw invalidLink();
}

function invalidLink(): AppError {
  return new AppError(
    "auth.setup_link_invalid",
    "The set-up link was used, is too old or is not from this install. Start Gatehouse again for a new one; with a user present, sign in.",
  );
}
