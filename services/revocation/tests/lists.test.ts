import { randomBytes, randomUUID } from "node:crypto";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { Ctx } from "#lib/ctx.ts";
import { type CrlContent, readCrl } from "#lib/pki/crl.ts";
import { openFleetCa } from "#services/authorities/service.ts";
import { getCrl, publishCrls } from "#services/revocation/service.ts";
import { createTestClock, createTestCtx, type TestClock } from "#tests/harness/ctx.ts";
import { createTestDatabase, type TestDatabase } from "#tests/harness/database.ts";
import { addLeaf, setState } from "#tests/harness/revocation.ts";

const DAY_MS = 86_400_000;

let database: TestDatabase;
let clock: TestClock;
let ctx: Ctx;
let authorityId: string;

beforeAll(async () => {
  database = await createTestDatabase();
  clock = createTestClock();
  ctx = createTestCtx(database.url, { clock });
  authorityId = (await openFleetCa(ctx)).authorityId;
}, 30_000);
afterAll(async () => {
  await ctx.db.$disconnect();
  await database.drop();
});

const list = async (kind: "full" | "delta" = "full") => readCrl((await getCrl(ctx, authorityId, kind)).der);

it("gives each number to one list, whoever signs at the same time", async () => {
  const { number } = await list();
  const others = [1, 2, 3].map(() => createTestCtx(database.url, { clock, like: ctx, poolSize: 2 }));
  const leaf = await addLeaf(ctx, { state: "revoked" });
  const made = await Promise.all(others.map((other) => publishCrls(other, [leaf.facts.fingerprint])));
  expect(made.sort()).toEqual([0, 0, 1]);
  expect((await list()).number).toBe(number + 1n);
  await Promise.all(others.map((other) => other.db.$disconnect()));
});

it("signs anew for a change of that authority or after a day, and for nothing else", async () => {
  const { number } = await list();
  const canary = await addLeaf(ctx, { state: "revoked", canary: true });
  expect(await publishCrls(ctx, [canary.facts.fingerprint, "ab".repeat(32)])).toBe(0);
  expect(await publishCrls(ctx, null)).toBe(0);
  clock.advance(DAY_MS);
  expect(await publishCrls(ctx, null)).toBe(1);
  expect((await list()).number).toBe(number + 1n);
});

it("is made anew for who asks when it is overdue, because whoever makes it daily is gone", async () => {
  const { number } = await list();
  const leaf = await addLeaf(ctx, { state: "revoked" });
  clock.advance(2 * DAY_MS);
  const asked = await Promise.all([1, 2, 3].map(() => getCrl(ctx, authorityId, "full")));
  for (const { der, nextUpdate } of asked) {
    expect(readCrl(der).number).toBe(number + 1n);
    expect(readCrl(der).entries.has(BigInt(`0x${leaf.facts.serialHex}`).toString(16))).toBe(true);
    expect(nextUpdate.getTime()).toBeGreaterThan(clock.now.getTime() + 6 * DAY_MS);
  }
});

it("keeps a revoked certificate beyond its end, and forgets it when a complete list later has said so", async () => {
  const leaf = await addLeaf(ctx, { state: "revoked", notAfter: new Date(clock.now.getTime() + DAY_MS) });
  const serial = BigInt(`0x${leaf.facts.serialHex}`).toString(16);
  await publishCrls(ctx, null);
  clock.advance(2 * DAY_MS);
  await publishCrls(ctx, null);
  expect((await list()).entries.has(serial)).toBe(true);
  clock.advance(7 * DAY_MS);
  await publishCrls(ctx, null);
  expect((await list()).entries.has(serial)).toBe(false);
});

it("adds a delta to a long list that makes every complete list since its base say what the newest says", async () => {
  await expect(list("delta")).rejects.toMatchObject({ code: "authority.not_found" });
  await ctx.db.deviceCertificate.createMany({
    data: Array.from({ length: 1_100 }, () => ({
      namespaceId: ctx.namespaceId,
      fingerprint: randomBytes(32).toString("hex"),
      deviceUuid: randomUUID(),
      authorityId,
      serialHex: randomBytes(16).toString("hex"),
      notAfter: new Date(clock.now.getTime() + 300 * DAY_MS),
      state: "revoked",
    })),
  });
  const leaves = await Promise.all([1, 2, 3].map(() => addLeaf(ctx, { state: "held" })));
  const seen: CrlContent[] = [];
  // Each is held and released in turns, over more than the time that a base is good for.
  for (let turn = 0; turn < 12; turn += 1) {
    clock.advance(DAY_MS);
    for (const [index, leaf] of leaves.entries()) {
      await setState(ctx, leaf, { state: (turn + index) % 3 === 0 ? "allowed" : "held" });
    }
    expect(await publishCrls(ctx, null)).toBe(1);
    const full = await list();
    seen.push(full);
    if (turn === 0) continue; // nothing shorter to say than the complete list
    const delta = await list("delta");
    expect(delta.number).toBe(full.number);
    expect(delta.entries.size).toBeLessThan(10);
    for (const earlier of seen.filter(({ number }) => number >= (delta.baseNumber ?? 0n))) {
      expect(folded(earlier, delta)).toEqual(reasons(full));
    }
  }
  const kept = await ctx.db.authorityCrl.findMany({ where: { authorityId }, select: { kind: true } });
  expect(kept.map(({ kind }) => kind).sort()).toEqual(["delta", "full", "full"]);
}, 30_000);

it("lists all that a revoked authority signed", async () => {
  const leaf = await addLeaf(ctx, { state: "allowed", notAfter: new Date(clock.now.getTime() + DAY_MS) });
  await ctx.db.authority.update({
    where: { id: authorityId },
    data: { state: "revoked", revocationReason: "cACompromise", stateChangedAt: clock.now },
  });
  await publishCrls(ctx, null);
  const entry = (await list()).entries.get(BigInt(`0x${leaf.facts.serialHex}`).toString(16));
  expect(entry?.reason).toBe("cACompromise");
});

function reasons({ entries }: CrlContent): Map<string, string> {
  return new Map([...entries].map(([serial, { reason }]) => [serial, reason]));
}

function folded(full: CrlContent, delta: CrlContent): Map<string, string> {
  const result = reasons(full);
  for (const [serial, { reason }] of delta.entries) {
    if (reason === "removeFromCRL") result.delete(serial);
    else result.set(serial, reason);
  }
  return result;
}
