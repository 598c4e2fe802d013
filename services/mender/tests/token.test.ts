import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { MenderCtx } from "#services/mender/ctx.ts";
import { requireMender } from "#services/mender/service.ts";
import { findToken } from "#services/mender/store-token.ts";
import { withToken } from "#services/mender/token.ts";
import { createTestClock, type TestClock } from "#tests/harness/ctx.ts";
import { createTestDatabase, type TestDatabase } from "#tests/harness/database.ts";
import { expectRefusal } from "#tests/harness/identity.ts";
import { type MenderDouble, startMenderDouble } from "#tests/harness/mender/server.ts";
import { menderCtx } from "#tests/harness/mender/world.ts";

const LOGIN = "POST /api/management/v1/useradm/auth/login";
let database: TestDatabase;
let double: MenderDouble;
let clock: TestClock;
let opened: MenderCtx[];

beforeAll(async () => {
  database = await createTestDatabase();
});
beforeEach(async () => {
  await Promise.all((opened ?? []).map((ctx) => ctx.db.$disconnect()));
  await double?.close();
  double = await startMenderDouble();
  clock = createTestClock();
  opened = [];
});
afterAll(async () => {
  await Promise.all(opened.map((ctx) => ctx.db.$disconnect()));
  await double.close();
  await database.drop();
});

function world(options: Parameters<typeof menderCtx>[2] = {}): MenderCtx {
  const ctx = menderCtx(database.url, double, { clock, ...options });
  opened.push(ctx);
  return ctx;
}

const list = (ctx: MenderCtx) =>
  withToken(ctx, (mender, token) => mender.listDevices(ctx, token, { page: 1, perPage: 500 }));

describe("the management token", () => {
  it("is one for all replicas, however many calls begin at once", async () => {
    const first = world();
    const replicas = [first, world({ like: first }), world({ like: first })];
    await Promise.all(replicas.flatMap((ctx) => [list(ctx), list(ctx), list(ctx)]));
    expect(double.count(LOGIN)).toBe(1);
  });

  it("rests sealed in the database", async () => {
    const ctx = world();
    await list(ctx);
    const [token = ""] = double.state.sessions.keys();
    const row = await findToken(ctx.db, ctx.namespaceId);
    expect(Buffer.from(row?.sealedToken ?? []).includes(token)).toBe(false);
    expect(row?.expiresAt).not.toBeNull();
  });

  it("is renewed before it ends, and kept in use when that fails", async () => {
    double.state.knobs.loginSeconds = 3_600;
    const ctx = world();
    await list(ctx);
    clock.advance(3_600_000 * 0.95);
    await list(ctx);
    expect(double.count(LOGIN)).toBe(2);
    double.state.knobs.loginStatus = 503;
    clock.advance(3_600_000 * 0.04);
    await list(ctx);
    expect(double.count(LOGIN)).toBe(3);
    clock.advance(3_600_000 * 0.1);
    await expectRefusal(list(ctx), "mender.unavailable");
  });

  it("is renewed once when the server forgot it, and the call repeated", async () => {
    const ctx = world();
    await list(ctx);
    double.state.sessions.clear();
    clock.advance(11_000);
    await Promise.all([list(ctx), list(ctx), list(ctx)]);
    expect(double.count(LOGIN)).toBe(2);
  });

  it("taken by another replica meanwhile is used instead of signing in again", async () => {
    const first = world();
    const second = world({ like: first });
    await list(first);
    double.state.sessions.clear();
    clock.advance(11_000);
    await list(second);
    await list(first);
    expect(double.count(LOGIN)).toBe(2);
  });

  it("that is refused as soon as it was given is not asked for again at once: signing in is no cure for that", async () => {
    const first = world();
    const second = world({ like: first });
    await list(first);
    for (let call = 0; call < 5; call++) {
      double.state.sessions.clear();
      await expectRefusal(list(call % 2 === 0 ? first : second), "mender.token_refused");
    }
    expect(double.count(LOGIN)).toBe(1);
    clock.advance(11_000);
    await list(second);
    await list(first);
    expect(double.count(LOGIN)).toBe(2);
  });

  it("is not asked for again at once after a refusal, whatever the number of calls", async () => {
    const ctx = world({ settings: { MENDER_PASSWORD: "wrong" } });
    for (let call = 0; call < 5; call++) await expectRefusal(list(ctx), "mender.sign_in_refused");
    expect(double.count(LOGIN)).toBe(1);
    clock.advance(61_000);
    await expectRefusal(list(ctx), "mender.sign_in_refused");
    expect(double.count(LOGIN)).toBe(2);
  });

  it("of another server or user is not sent to this one", async () => {
    const first = world();
    await list(first);
    const other = await startMenderDouble();
    const moved = menderCtx(database.url, other, { clock, like: first });
    opened.push(moved);
    await list(moved);
    expect(other.count(LOGIN)).toBe(1);
    await other.close();
  });

  it("by personal access token never signs in, and says so when it is refused", async () => {
    const personal = double.state.addPersonalToken();
    expect(await list(world({ token: personal }))).toEqual([]);
    await expectRefusal(list(world({ token: "revoked" })), "mender.token_refused");
    expect(double.count(LOGIN)).toBe(0);
  });

  it("has no use where no Mender server is configured", () => {
    const ctx = { ...world(), backends: { mender: null } };
    expect(() => requireMender(ctx)).toThrow(expect.objectContaining({ code: "mender.absent" }));
  });
});
