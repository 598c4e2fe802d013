import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { SYSTEM } from "#lib/authz/actor.ts";
import type { Ctx } from "#lib/ctx.ts";
import { listAudit, record, recordRequested, settle, settleUnknown, verifyChain } from "#services/audit/service.ts";
import { createTestClock, createTestCtx } from "#tests/harness/ctx.ts";
import { createTestDatabase, type TestDatabase } from "#tests/harness/database.ts";

const clock = createTestClock();
let database: TestDatabase;
let ctx: Ctx;
let other: Ctx;

beforeAll(async () => {
  database = await createTestDatabase();
  ctx = createTestCtx(database.url, { clock });
  other = createTestCtx(database.url, { clock, like: ctx });
});

afterAll(async () => {
  await ctx.db.$disconnect();
  await other.db.$disconnect();
  await database.drop();
});

function inNamespace(namespaceId: string, of: Ctx = ctx): Ctx {
  return { ...of, namespaceId };
}

async function write(on: Ctx, name: string): Promise<void> {
  const target = { kind: "device", id: name, name } as const;
  await on.db.$transaction((tx) =>
    record(tx, on, SYSTEM, {
      action: "device.rename",
      target,
      before: { name },
      after: { name: `${name}!`, list: ["b", "a"] },
    }),
  );
}

describe("the audit chain", () => {
  it("stays gapless and intact when two processes write at once", async () => {
    const [a, b] = [inNamespace("race"), inNamespace("race", other)];
    await Promise.all(Array.from({ length: 20 }, (_, index) => write(index % 2 === 0 ? a : b, `device-${index}`)));
    expect(await verifyChain(ctx.db, "race")).toEqual({ intact: true, entries: 20 });
    const page = await listAudit(a, SYSTEM, { limit: 50 });
    expect(page.data.map((entry) => Number(entry.sequence))).toEqual(
      Array.from({ length: 20 }, (_, index) => 20 - index),
    );
  });

  it.each([
    [
      "a changed entry",
      `UPDATE audit_entry SET "actorName" = 'somebody else' WHERE "namespaceId" = $1 AND sequence = 2`,
      "2",
    ],
    [
      "a changed detail",
      `UPDATE audit_entry SET "after" = '{"name":"x"}' WHERE "namespaceId" = $1 AND sequence = 2`,
      "2",
    ],
    ["a removed entry", `DELETE FROM audit_entry WHERE "namespaceId" = $1 AND sequence = 2`, "3"],
  ])("finds %s", async (what, sql, brokenAt) => {
    const on = inNamespace(what);
    for (const name of ["one", "two", "three"]) await write(on, name);
    expect(await verifyChain(ctx.db, what)).toMatchObject({ intact: true });
    await ctx.db.$executeRawUnsafe(sql, what);
    expect(await verifyChain(ctx.db, what)).toMatchObject({ intact: false, brokenAt });
  });

  it("rolls back with the change it tells of", async () => {
    const on = inNamespace("rollback");
    await expect(
      on.db.$transaction(async (tx) => {
        await record(tx, on, SYSTEM, { action: "device.rename", target: { kind: "device", id: "x" } });
        throw new Error("the change failed");
      }),
    ).rejects.toThrow("the change failed");
    expect(await verifyChain(ctx.db, "rollback")).toEqual({ intact: true, entries: 0 });
  });

  it("says unknown of what a crash left requested, once, and leaves settled entries alone", async () => {
    const on = inNamespace("crash");
    const entry = { action: "device.delete", target: { kind: "device", id: "gone" } } as const;
    const settled = await recordRequested(on, SYSTEM, entry);
    await on.db.$transaction((tx) => settle(tx, on, { actor: SYSTEM, requested: settled, outcome: "done", entry }));
    await recordRequested(on, SYSTEM, entry);
    await settleUnknown(on);
    expect((await listAudit(on, SYSTEM, { limit: 50 })).total).toBe(3);
    clock.advance(11 * 60_000);
    await settleUnknown(on);
    await settleUnknown(on);
    const outcomes = (await listAudit(on, SYSTEM, { limit: 50 })).data.map((row) => [row.outcome, row.settles]);
    expect(outcomes).toEqual([
      ["unknown", "3"],
      ["requested", null],
      ["done", "1"],
      ["requested", null],
    ]);
    expect(await verifyChain(ctx.db, "crash")).toMatchObject({ intact: true });
  });

  it("pages through all entries without losing or doubling one", async () => {
    const on = inNamespace("paging");
    for (let index = 0; index < 7; index += 1) await write(on, `d${index}`);
    const seen: string[] = [];
    let cursor: string | undefined;
    do {
      const page = await listAudit(on, SYSTEM, { limit: 3, ...(cursor === undefined ? {} : { cursor }) });
      seen.push(...page.data.map((entry) => entry.sequence));
      cursor = page.nextCursor ?? undefined;
    } while (cursor !== undefined);
    expect(seen).toEqual(["7", "6", "5", "4", "3", "2", "1"]);
  });
});
