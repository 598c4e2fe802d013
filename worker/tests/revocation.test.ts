import { afterAll, beforeAll, expect, it } from "vitest";
import type { Ctx } from "#lib/ctx.ts";
import { readCrl } from "#lib/pki/crl.ts";
import { announceChange } from "#services/authorities/service.ts";
import { getCrl } from "#services/revocation/service.ts";
import { createTestCtx } from "#tests/harness/ctx.ts";
import { createTestDatabase, type TestDatabase } from "#tests/harness/database.ts";
import { eventually } from "#tests/harness/eventually.ts";
import { addLeaf, setState } from "#tests/harness/revocation.ts";
import { startPublishing } from "#worker/revocation.ts";

let database: TestDatabase;
let ctx: Ctx;
let publishing: { stop(): Promise<void> };

beforeAll(async () => {
  database = await createTestDatabase();
  ctx = createTestCtx(database.url);
  publishing = await startPublishing(ctx, database.url);
}, 30_000);
afterAll(async () => {
  await publishing.stop();
  await ctx.db.$disconnect();
  await database.drop();
});

it("has a revoked certificate on the published list seconds after the decision", async () => {
  const leaf = await addLeaf(ctx);
  const entries = async () => readCrl((await getCrl(ctx, leaf.authorityId, "full")).der).entries.size;
  expect(await entries()).toBe(0);
  await setState(ctx, leaf, { state: "revoked" });
  const { fingerprint } = leaf.facts;
  await ctx.db.$transaction((tx) => announceChange(tx, ctx, { fingerprint, verb: "revoked" }));
  await eventually(async () => expect(await entries()).toBe(1), 10_000);
});
