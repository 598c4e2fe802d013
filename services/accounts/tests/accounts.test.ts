import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Actor } from "#lib/authz/actor.ts";
import { SHELL, SYSTEM } from "#lib/authz/actor.ts";
import type { Role } from "#lib/authz/permissions.ts";
import type { Ctx } from "#lib/ctx.ts";
import type { ErrorCode } from "#lib/errors/codes.ts";
import {
  changeUser,
  completeSetup,
  createServiceToken,
  createSetupLink,
  createToken,
  createUser,
  deleteUser,
  ensureFirstAdmin,
  findSessionActor,
  getMe,
  getTokenActor,
  listTokens,
  listUsers,
  revokeToken,
  signIn,
  signOut,
  signOutEverywhere,
  signOutUser,
} from "#services/accounts/service.ts";
import { verifyChain } from "#services/audit/service.ts";
import { createTestClock, createTestCtx, type TestClock } from "#tests/harness/ctx.ts";
import { createTestDatabase, type TestDatabase } from "#tests/harness/database.ts";
import { releaseOnceWaiting } from "#tests/harness/held-lock.ts";

const PASSWORD = "correct horse battery";
const HOUR_MS = 3_600_000;
const ADDRESS = "192.0.2.7";

let database: TestDatabase;
let clock: TestClock;
let ctx: Ctx;
let names = 0;

beforeAll(async () => {
  database = await createTestDatabase();
  clock = createTestClock();
  ctx = createTestCtx(database.url, { clock });
});

afterAll(async () => {
  await ctx.db.$disconnect();
  await database.drop();
});

const refuses = (promise: Promise<unknown>, code: ErrorCode) =>
  expect(promise).rejects.toMatchObject({ name: "AppError", code });

/** A user that can sign in, and an actor as their session would make one. */
async function person(role: Role): Promise<{ id: string; email: string; actor: Actor }> {
  names += 1;
  const email = `person${names}@example.com`;
  const { id } = await createUser(ctx, SYSTEM, { email, name: `Person ${names}`, role, password: PASSWORD });
  return { id, email, actor: { kind: "user", id, name: email, role, sessionId: "s", address: ADDRESS } };
}

function attempt(email: string, password = PASSWORD, address = ADDRESS) {
  return signIn(ctx, { email, password, address, userAgent: "test" });
}

describe("the first admin", () => {
  it("is made once by the one-time link, and by one of two that use it at the same moment", async () => {
    const empty = await createTestDatabase();
    const [one, two] = [createTestCtx(empty.url, { clock }), createTestCtx(empty.url, { clock })];
    const link = await createSetupLink(one);
    expect(link?.url).toContain(`/setup#token=${link?.token}`);
    const setup = (at: Ctx, email: string) =>
      completeSetup(at, { token: link?.token ?? "", email, name: "A", password: PASSWORD }, ADDRESS);
    const results = await Promise.allSettled([setup(one, "a@example.com"), setup(two, "b@example.com")]);
    expect(results.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
    expect((await listUsers(one, SYSTEM, { limit: 50 })).total).toBe(1);
    await refuses(setup(one, "c@example.com"), "auth.setup_link_invalid");
    expect(await createSetupLink(one)).toBeNull();
    await Promise.all([one.db.$disconnect(), two.db.$disconnect()]);
    await empty.drop();
  });

  it("is not made by a link that is old, replaced by a newer one, or invented", async () => {
    const empty = await createTestDatabase();
    const own = createTestClock();
    const at = createTestCtx(empty.url, { clock: own });
    const setup = (token: string) =>
      completeSetup(at, { token, email: "a@example.com", name: "A", password: PASSWORD }, ADDRESS);
    const first = await createSetupLink(at);
    const second = await createSetupLink(at);
    await refuses(setup(first?.token ?? ""), "auth.setup_link_invalid");
    await refuses(setup("x"), "auth.setup_link_invalid");
    own.advance(25 * HOUR_MS);
    await refuses(setup(second?.token ?? ""), "auth.setup_link_invalid");
    await at.db.$disconnect();
    await empty.drop();
  });

  it("is not made by a link once there is a user by another way", async () => {
    const empty = await createTestDatabase();
    const at = createTestCtx(empty.url, { clock });
    const link = await createSetupLink(at);
    await ensureFirstAdmin(at, { email: "root@example.com", password: PASSWORD });
    const input = { token: link?.token ?? "", email: "a@example.com", name: "A", password: PASSWORD };
    await refuses(completeSetup(at, input, ADDRESS), "auth.setup_link_invalid");
    await at.db.$disconnect();
    await empty.drop();
  });

  it("comes from the settings only while there is no user", async () => {
    const empty = await createTestDatabase();
    const at = createTestCtx(empty.url, { clock });
    expect(await ensureFirstAdmin(at, { email: "Root@Example.com", password: PASSWORD })).toBe(true);
    expect(await ensureFirstAdmin(at, { email: "other@example.com", password: PASSWORD })).toBe(false);
    expect((await listUsers(at, SYSTEM, { limit: 50 })).data.map(({ email }) => email)).toEqual(["root@example.com"]);
    await at.db.$disconnect();
    await empty.drop();
  });
});

describe("signing in", () => {
  it("begins a session that stands for its user until sign-out", async () => {
    const { email, id } = await person("operator");
    const ref = await attempt(email.toUpperCase());
    expect(await findSessionActor(ctx, ref, ADDRESS)).toMatchObject({ kind: "user", id, role: "operator" });
    await signOut(ctx, ref, ADDRESS);
    expect(await findSessionActor(ctx, ref, ADDRESS)).toBeNull();
  });

  it("refuses a wrong password, an unknown e-mail address and a disabled user alike", async () => {
    const { email, id } = await person("support");
    await refuses(attempt(email, "wrong password!"), "auth.invalid_credentials");
    await refuses(attempt("nobody@example.com"), "auth.invalid_credentials");
    await changeUser(ctx, SYSTEM, id, { disabled: true });
    await refuses(attempt(email), "auth.invalid_credentials");
  });

  it("is limited for an account from one address, and opens again after the window", async () => {
    const { email } = await person("support");
    const from = "192.0.2.50";
    for (let tries = 0; tries < 10; tries += 1)
      await refuses(attempt(email, "wrong", from), "auth.invalid_credentials");
    await expect(attempt(email, PASSWORD, from)).rejects.toMatchObject({
      code: "request.rate_limited",
      detail: { retryAfterSeconds: 900 },
    });
    clock.advance(15 * 60_000);
    await attempt(email, PASSWORD, from);
  });

  it("is limited for parallel guesses too", async () => {
    const { email } = await person("support");
    const guesses = Array.from({ length: 25 }, () => attempt(email, "wrong", "192.0.2.51").catch(({ code }) => code));
    const codes = await Promise.all(guesses);
    expect(codes.filter((code) => code === "auth.invalid_credentials")).toHaveLength(10);
  });

  it("is limited for one address over many accounts", async () => {
    const from = "192.0.2.52";
    const guess = (n: number) => attempt(`unknown${n}@example.com`, "wrong", from);
    for (let n = 0; n < 30; n += 1) await refuses(guess(n), "auth.invalid_credentials");
    await refuses(guess(31), "request.rate_limited");
  });

  it("cannot be locked for its owner by strangers who guess from elsewhere", async () => {
    const { email } = await person("support");
    await attempt(email, PASSWORD, "192.0.2.60");
    for (let n = 0; n < 21; n += 1) await attempt(email, "wrong", `198.51.100.${n}`).catch(() => undefined);
    await refuses(attempt(email, PASSWORD, "198.51.100.200"), "request.rate_limited");
    await attempt(email, PASSWORD, "192.0.2.60");
  });

  it("forgets earlier slips when the password is right", async () => {
    const { email } = await person("support");
    const from = "192.0.2.61";
    for (let round = 0; round < 3; round += 1) {
      for (let n = 0; n < 8; n += 1) await refuses(attempt(email, "wrong", from), "auth.invalid_credentials");
      await attempt(email, PASSWORD, from);
    }
  });
});

describe("a session", () => {
  it("ends idle after eight hours and in any case after seven days", async () => {
    const { email } = await person("support");
    const idle = await attempt(email);
    clock.advance(7 * HOUR_MS);
    expect(await findSessionActor(ctx, idle, ADDRESS)).not.toBeNull();
    clock.advance(8 * HOUR_MS + 1);
    expect(await findSessionActor(ctx, idle, ADDRESS)).toBeNull();

    const busy = await attempt(email);
    for (let hours = 0; hours < 7 * 24 - 6; hours += 6) {
      clock.advance(6 * HOUR_MS);
      expect(await findSessionActor(ctx, busy, ADDRESS)).not.toBeNull();
    }
    clock.advance(6 * HOUR_MS);
    expect(await findSessionActor(ctx, busy, ADDRESS)).toBeNull();
  });

  it("belongs to its user: another user's id with it is nobody", async () => {
    const [one, two] = [await person("support"), await person("admin")];
    const ref = await attempt(one.email);
    expect(await findSessionActor(ctx, { ...ref, userId: two.id }, ADDRESS)).toBeNull();
  });

  it("counts for nothing while its user is disabled, even before anybody has ended it", async () => {
    const { email, id } = await person("support");
    const ref = await attempt(email);
    await ctx.db.user.update({ where: { id }, data: { disabledAt: new Date() } });
    expect(await findSessionActor(ctx, ref, ADDRESS)).toBeNull();
  });

  it("has its user's present role, and ends with a new password, a disabled account, a sign-out everywhere", async () => {
    const { email, id, actor } = await person("admin");
    await person("admin"); // so that the first is not the last
    const ref = await attempt(email);
    await changeUser(ctx, SYSTEM, id, { role: "support" });
    expect(await findSessionActor(ctx, ref, ADDRESS)).toMatchObject({ role: "support" });
    await changeUser(ctx, SYSTEM, id, { password: "another password" });
    expect(await findSessionActor(ctx, ref, ADDRESS)).toBeNull();

    const own = await attempt(email, "another password");
    await signOutEverywhere(ctx, actor);
    expect(await findSessionActor(ctx, own, ADDRESS)).toBeNull();

    const others = await attempt(email, "another password");
    expect(await signOutUser(ctx, SYSTEM, id)).toMatchObject({ sessions: 0 });
    expect(await findSessionActor(ctx, others, ADDRESS)).toBeNull();

    const last = await attempt(email, "another password");
    await changeUser(ctx, SYSTEM, id, { disabled: true });
    expect(await findSessionActor(ctx, last, ADDRESS)).toBeNull();
  });
});

describe("a sign-in under way", () => {
  it("is refused when the password changes before the session is there", async () => {
    const { email, id } = await person("support");
    const { signingIn } = await ctx.db.$transaction(async (tx) => {
      await tx.$queryRaw`SELECT 1 FROM user_account WHERE id = ${id}::uuid FOR UPDATE`;
      const signingIn = attempt(email);
      signingIn.catch(() => undefined);
      await expect.poll(() => countWaiting(), { timeout: 10_000, interval: 20 }).toBe(1);
      await tx.user.update({ where: { id }, data: { passwordHash: "another" } });
      return { signingIn };
    });
    await refuses(signingIn, "auth.invalid_credentials");
    expect(await ctx.db.userSession.count({ where: { userId: id } })).toBe(0);
  });
});

/** Transactions of this database that wait for a lock of another. */
async function countWaiting(): Promise<number> {
  const [row] = await ctx.db.$queryRaw<{ waiting: bigint }[]>`
    SELECT count(*) AS waiting FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`;
  return Number(row?.waiting ?? 0);
}

describe("the last admin", () => {
  it("can be neither demoted, disabled nor deleted, also not by two at once", async () => {
    const fresh = await createTestDatabase();
    const at = createTestCtx(fresh.url, { clock });
    const make = (email: string) =>
      createUser(at, SYSTEM, { email, name: "A", role: "admin", password: PASSWORD }).then(({ id }) => id);
    const [one, two] = [await make("one@example.com"), await make("two@example.com")];
    const results = await releaseOnceWaiting(at.db, { name: "accounts:admins", waiters: 2 }, () =>
      Promise.allSettled([changeUser(at, SYSTEM, one, { role: "support" }), deleteUser(at, SYSTEM, two)]),
    );
    expect(results.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"]);
    const left = (await listUsers(at, SYSTEM, { limit: 50 })).data.find(({ role }) => role === "admin");
    const id = left?.id ?? "";
    await refuses(changeUser(at, SYSTEM, id, { role: "operator" }), "account.last_admin");
    await refuses(changeUser(at, SYSTEM, id, { disabled: true }), "account.last_admin");
    await refuses(deleteUser(at, SYSTEM, id), "account.last_admin");
    await changeUser(at, SYSTEM, id, { name: "Still here", password: "a new password" });
    await at.db.$disconnect();
    await fresh.drop();
  });
});

describe("users", () => {
  it("have one account an e-mail address, whatever its case in the contract", async () => {
    const { email } = await person("support");
    await refuses(
      createUser(ctx, SYSTEM, { email, name: "B", role: "support", password: PASSWORD }),
      "account.email_taken",
    );
  });

  it("are listed page by page without loss", async () => {
    for (let n = 0; n < 3; n += 1) await person("support");
    const seen: string[] = [];
    let cursor: string | undefined;
    do {
      const page = await listUsers(ctx, SYSTEM, { limit: 2, ...(cursor === undefined ? {} : { cursor }) });
      seen.push(...page.data.map(({ id }) => id));
      cursor = page.nextCursor ?? undefined;
    } while (cursor !== undefined);
    expect(new Set(seen).size).toBe(seen.length);
    expect(seen.length).toBe((await listUsers(ctx, SYSTEM, { limit: 1 })).total);
  });

  it.each(["support", "operator"] as const)("cannot be managed by %s", async (role) => {
    const { actor, id } = await person(role);
    await refuses(changeUser(ctx, actor, id, { role: "admin" }), "auth.forbidden");
    await refuses(deleteUser(ctx, actor, id), "auth.forbidden");
    await refuses(signOutUser(ctx, actor, id), "auth.forbidden");
    await refuses(
      createUser(ctx, actor, { email: "x@example.com", name: "X", role: "admin", password: PASSWORD }),
      "auth.forbidden",
    );
  });
});

describe("an API token", () => {
  it("stands for its role until it expires, is revoked, or its owner is gone", async () => {
    const { actor, id } = await person("operator");
    const made = await createToken(ctx, actor, { name: "ci", kind: "personal", role: "operator", expiresInDays: 1 });
    expect(made.token).toMatch(/^gh_[A-Za-z0-9_-]{43}$/);
    expect(await getTokenActor(ctx, made.token, ADDRESS)).toMatchObject({ role: "operator", userId: id });
    clock.advance(24 * HOUR_MS);
    await refuses(getTokenActor(ctx, made.token, ADDRESS), "auth.token_invalid");

    const second = await createToken(ctx, actor, { name: "ci", kind: "personal", role: "support" });
    await revokeToken(ctx, actor, second.id);
    await refuses(getTokenActor(ctx, second.token, ADDRESS), "auth.token_invalid");

    const third = await createToken(ctx, actor, { name: "ci", kind: "personal", role: "support" });
    await changeUser(ctx, SYSTEM, id, { disabled: true });
    await refuses(getTokenActor(ctx, third.token, ADDRESS), "auth.token_invalid");
    await deleteUser(ctx, SYSTEM, id);
    await refuses(getTokenActor(ctx, third.token, ADDRESS), "auth.token_invalid");
  });

  it("of a person never has more than the person has now", async () => {
    const { actor, id } = await person("admin");
    await person("admin");
    const { token } = await createToken(ctx, actor, { name: "mine", kind: "personal", role: "admin" });
    await changeUser(ctx, SYSTEM, id, { role: "support" });
    expect(await getTokenActor(ctx, token, ADDRESS)).toMatchObject({ role: "support" });
  });

  it("cannot be made above one's role, for a service without the permission, or personal by another token", async () => {
    const { actor } = await person("operator");
    const make = (by: Actor, kind: "personal" | "service", role: Role) =>
      createToken(ctx, by, { name: "x", kind, role });
    await refuses(make(actor, "personal", "admin"), "auth.forbidden");
    await refuses(make(actor, "service", "support"), "auth.forbidden");
    const { token } = await make(actor, "personal", "operator");
    await refuses(make(await getTokenActor(ctx, token, ADDRESS), "personal", "support"), "auth.forbidden");
  });

  it("is seen and revoked by its owner and by who manages tokens, and by nobody else", async () => {
    const [owner, stranger, admin] = [await person("support"), await person("operator"), await person("admin")];
    const { id } = await createToken(ctx, owner.actor, { name: "x", kind: "personal", role: "support" });
    const sees = async (actor: Actor) =>
      (await listTokens(ctx, actor, { limit: 200 })).data.some((token) => token.id === id);
    expect(await Promise.all([owner, stranger, admin].map(({ actor }) => sees(actor)))).toEqual([true, false, true]);
    await refuses(revokeToken(ctx, stranger.actor, id), "token.not_found");
    expect((await revokeToken(ctx, admin.actor, id)).revokedAt).not.toBeNull();
  });

  it("of a service is made by the command line and belongs to no person", async () => {
    const made = await createServiceToken(ctx, SHELL, { name: "ci", role: "admin", expiresAt: null });
    const actor = await getTokenActor(ctx, made.token, ADDRESS);
    expect(actor).toMatchObject({ kind: "token", role: "admin", userId: null });
    expect(await getMe(ctx, actor)).toMatchObject({ kind: "token", email: null, role: "admin" });
    await refuses(signOutEverywhere(ctx, actor), "auth.forbidden");
  });

  it.each(["", "gh_", "gh_aaaa", `gh_${"a".repeat(43)}`, `gh_${"\0".repeat(43)}`])("%j is none", async (text) => {
    await refuses(getTokenActor(ctx, text, ADDRESS), "auth.token_invalid");
  });

  it("refuses a cursor that no list gave out", async () => {
    const cursor = Buffer.from('["now","me"]').toString("base64url");
    await refuses(listTokens(ctx, SYSTEM, { limit: 1, cursor }), "request.invalid");
  });
});

it("leaves an audit log whose chain holds and that has no secret in it", async () => {
  expect(await verifyChain(ctx.db, ctx.namespaceId)).toMatchObject({ intact: true });
  const rows = await ctx.db.auditEntry.findMany();
  const text = JSON.stringify(rows.map(({ before, after, targetName }) => ({ before, after, targetName })));
  for (const secret of [PASSWORD, "gh_", "argon2"]) expect(text).not.toContain(secret);
});
