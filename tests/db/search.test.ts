import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { SYSTEM } from "#lib/authz/actor.ts";
import { encodeCursor, type ListQuery } from "#lib/contracts/console/common.ts";
import type { Ctx } from "#lib/ctx.ts";
import { createServiceToken, createUser, listTokens, listUsers } from "#services/accounts/service.ts";
import { listAudit } from "#services/audit/service.ts";
import { listUpdates } from "#services/rollouts/service.ts";
import { createTestCtx } from "#tests/harness/ctx.ts";
import { createTestDatabase, type TestDatabase } from "#tests/harness/database.ts";

const NAMES = ["bay_7 100%", "bayx7 1000"];
const LISTS: [string, (ctx: Ctx, query: ListQuery) => Promise<{ data: unknown[]; total: number }>][] = [
  ["users", (ctx, query) => listUsers(ctx, SYSTEM, query)],
  ["tokens", (ctx, query) => listTokens(ctx, SYSTEM, query)],
  ["audit entries", (ctx, query) => listAudit(ctx, SYSTEM, { ...query, action: "token.create" })],
  ["updates", (ctx, query) => listUpdates(ctx, SYSTEM, query)],
];

let database: TestDatabase;
let ctx: Ctx;

beforeAll(async () => {
  database = await createTestDatabase();
  ctx = createTestCtx(database.url);
  for (const [index, name] of NAMES.entries()) {
    const email = `person${index}@example.com`;
    await createUser(ctx, SYSTEM, { email, name, role: "support", password: "a long enough password" });
    await createServiceToken(ctx, SYSTEM, { name, role: "support", expiresAt: null });
    const id = randomUUID();
    const { namespaceId } = ctx;
    await ctx.db.update.create({
      data: { id, namespaceId, name, targets: {}, state: "finished", correlationId: id, createdBy: {} },
    });
  }
});

afterAll(async () => {
  await ctx.db.$disconnect();
  await database.drop();
});

describe.each(LISTS)("the search of %s", (_what, list) => {
  it("takes wildcards of the database for what they are: characters", async () => {
    for (const q of ["bay_7", "100%", "Y_7"]) expect(await list(ctx, { limit: 50, q })).toMatchObject({ total: 1 });
    for (const q of ["b%7", "\\", "____"]) expect(await list(ctx, { limit: 50, q })).toMatchObject({ total: 0 });
    expect(await list(ctx, { limit: 50, q: "bay" })).toMatchObject({ total: 2 });
  });

  it("finds nothing, rather than failing, for text that no database keeps", async () => {
    for (const q of ["\0", "\ud800"]) expect(await list(ctx, { limit: 50, q })).toMatchObject({ data: [], total: 0 });
  });

  it("refuses a cursor with such text", async () => {
    for (const parts of [["\0"], ["\0", "\0"]]) {
      await expect(list(ctx, { limit: 50, cursor: encodeCursor(parts) })).rejects.toMatchObject({
        code: "request.invalid",
      });
    }
  });
});

describe("the audit log", () => {
  it("has no entry about a target that no database keeps", async () => {
    expect(await listAudit(ctx, SYSTEM, { limit: 50, targetId: "\0" })).toMatchObject({ total: 0 });
  });
});
