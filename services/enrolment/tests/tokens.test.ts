import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { CreateEnrolmentToken } from "#lib/contracts/console/enrolment.ts";
import { ensureAuthorities } from "#services/authorities/service.ts";
import {
  createEnrolmentToken,
  getEstAddress,
  judgeToken,
  listEnrolmentTokens,
  revokeEnrolmentToken,
} from "#services/enrolment/service.ts";
import {
  actorOf,
  auditStory,
  expectRefusal,
  type IdentityWorld,
  type IdentityWorlds,
  openIdentityWorlds,
} from "#tests/harness/identity.ts";

const admin = actorOf("admin");
let worlds: IdentityWorlds;
let world: IdentityWorld;

beforeAll(async () => {
  worlds = await openIdentityWorlds();
});
beforeEach(async () => {
  world = worlds.next();
  await ensureAuthorities(world.ctx);
});
afterAll(() => worlds.close());

const make = (change: object = {}) =>
  createEnrolmentToken(world.ctx, admin, CreateEnrolmentToken.parse({ description: "Bench", ...change }));

describe("an enrolment token", () => {
  it("is for one device, a week and a person's approval unless told otherwise, and its secret is stored nowhere", async () => {
    const { token, handout } = await make();
    expect(token).toMatchObject({
      state: "active",
      policy: "pending",
      usesAllowed: 1,
      usesLeft: 1,
      createdBy: "admin",
    });
    expect(Date.parse(token.validUntil) - Date.parse(token.validFrom)).toBe(7 * 86_400_000);
    expect(await judgeToken(world.ctx, handout.secret)).toMatchObject({ token: { id: token.id } });
    const [row, audited] = await Promise.all([
      world.ctx.db.enrolmentToken.findUnique({ where: { id: token.id } }),
      world.ctx.db.auditEntry.findMany({ where: { namespaceId: world.ctx.namespaceId } }),
    ]);
    const stored = JSON.stringify([row, audited], (_, value) => (typeof value === "bigint" ? `${value}` : value));
    expect(stored).not.toContain(handout.secret);
    expect(stored).toContain(token.id);
  });

  it("is made and revoked by admins only, in their own namespace, and both is audited once", async () => {
    const { token, handout } = await make();
    for (const role of ["support", "operator"] as const) {
      const input = CreateEnrolmentToken.parse({ description: "x" });
      await expectRefusal(createEnrolmentToken(world.ctx, actorOf(role), input), "auth.forbidden");
      await expectRefusal(revokeEnrolmentToken(world.ctx, actorOf(role), token.id), "auth.forbidden");
    }
    const other = worlds.next();
    await expectRefusal(revokeEnrolmentToken(other.ctx, admin, token.id), "enrolment_token.not_found");
    expect(await judgeToken(other.ctx, handout.secret)).toMatchObject({ refusal: { code: "token_unknown" } });
    for (let time = 0; time < 2; time++) {
      expect(await revokeEnrolmentToken(world.ctx, admin, token.id)).toMatchObject({ state: "revoked" });
    }
    expect((await auditStory(world.ctx)).slice(-2)).toEqual([
      "enrolment_token.create done",
      "enrolment_token.revoke done",
    ]);
  });

  it("names a group and an authority that exist", async () => {
    await expectRefusal(make({ groupId: crypto.randomUUID() }), "request.invalid");
    await expectRefusal(make({ authorityId: crypto.randomUUID() }), "request.invalid");
    const authority = await world.ctx.db.authority.findFirst({ where: { namespaceId: world.ctx.namespaceId } });
    const { token } = await make({ groupId: world.registry.group.id, authorityId: authority?.id });
    expect(token).toMatchObject({ groupId: world.registry.group.id, authorityId: authority?.id });
  });

  it("is listed newest first, in pages and by its description", async () => {
    for (const description of ["a", "b%", "c"]) {
      await make({ description });
      world.clock.advance(1_000);
    }
    const support = actorOf("support");
    const first = await listEnrolmentTokens(world.ctx, support, { limit: 2 });
    expect(first).toMatchObject({ data: [{ description: "c" }, { description: "b%" }], total: 3 });
    const rest = await listEnrolmentTokens(world.ctx, support, { limit: 2, cursor: first.nextCursor ?? "" });
    expect(rest).toMatchObject({ data: [{ description: "a" }], nextCursor: null });
    expect((await listEnrolmentTokens(world.ctx, support, { limit: 2, q: "%" })).total).toBe(1);
    await expectRefusal(listEnrolmentTokens(world.ctx, support, { limit: 2, cursor: "x" }), "request.invalid");
  });
});

it("tells where devices enrol, and by which authority they know the address", async () => {
  const address = await getEstAddress(world.ctx, actorOf("support"));
  expect(address.url).toBe("https://localhost:8443/.well-known/est");
  expect(address.serverCaSha256).toMatch(/^[0-9a-f]{64}$/);
});
