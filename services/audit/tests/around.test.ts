import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { SYSTEM } from "#lib/authz/actor.ts";
import type { Ctx } from "#lib/ctx.ts";
import { AppError } from "#lib/errors/app-error.ts";
import { auditBackendChange, listAudit } from "#services/audit/service.ts";
import { createTestCtx } from "#tests/harness/ctx.ts";
import { createTestDatabase, type TestDatabase } from "#tests/harness/database.ts";

let database: TestDatabase;
let ctx: Ctx;

beforeAll(async () => {
  database = await createTestDatabase();
  ctx = createTestCtx(database.url);
});

afterAll(async () => {
  await ctx.db.$disconnect();
  await database.drop();
});

async function outcomesAfter(error: Error): Promise<string[]> {
  const id = crypto.randomUUID();
  const entry = { action: "device.delete", target: { kind: "device", id } } as const;
  const change = auditBackendChange(ctx, { actor: SYSTEM, entry }, () => Promise.reject(error));
  await expect(change).rejects.toBe(error);
  return (await listAudit(ctx, SYSTEM, { limit: 5, targetId: id })).data.map(({ outcome }) => outcome);
}

const refused = (status: number) => new AppError("backend.refused", "no", { context: { status } });

describe("a change that failed at its back end", () => {
  it.each([refused(400), refused(404), refused(409), new AppError("device.conflict", "taken")])(
    "is refused when the back end said no",
    async (error) => {
      expect(await outcomesAfter(error)).toEqual(["refused", "requested"]);
    },
  );

  it.each([
    refused(500),
    refused(503),
    new AppError("backend.timeout", "slow"),
    new AppError("backend.unreachable", "away"),
    new Error("anything else"),
  ])("is unknown when the back end may have acted", async (error) => {
    expect(await outcomesAfter(error)).toEqual(["unknown", "requested"]);
  });
});
