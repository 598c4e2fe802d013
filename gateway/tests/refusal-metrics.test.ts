import { afterAll, beforeAll, expect, it } from "vitest";
import { createDoorMetrics } from "#gateway/door-metrics.ts";
import { openReplica } from "#gateway/replica.ts";
import type { Ctx } from "#lib/ctx.ts";
import { createTestClock, createTestCtx } from "#tests/harness/ctx.ts";
import { createTestDatabase, type TestDatabase } from "#tests/harness/database.ts";
import { eventually } from "#tests/harness/eventually.ts";

const NOON = new Date("2026-03-04T12:00:00Z");
let database: TestDatabase;
let ctx: Ctx;

beforeAll(async () => {
  database = await createTestDatabase();
  ctx = createTestCtx(database.url, { clock: createTestClock(NOON) });
});
afterAll(async () => {
  await ctx.db.$disconnect();
  await database.drop();
});

it("a gateway shows how often all of them refused, against what is usual, by the codes of the closed list alone", async () => {
  const { namespaceId } = ctx;
  const counts = { expired: 51, revoked: 50, something_of_a_later_version: 3, another_one: 60 };
  const rows = Object.entries(counts).map(([code, count]) => ({ namespaceId, hour: NOON, code, count }));
  await ctx.db.refusalHour.createMany({ data: rows });
  const metrics = createDoorMetrics();
  const replica = openReplica(ctx, { doorUrl: "https://gateway.example", connections: () => 0, metrics });
  const shown = () =>
    metrics
      .render()
      .split("\n")
      .filter((line) => line.startsWith("gatehouse_refusals_"));
  await eventually(async () => expect(shown().length).toBeGreaterThan(0), 20_000);
  await replica.close();
  expect(shown().sort()).toEqual([
    'gatehouse_refusals_last_hour{code="expired"} 51',
    'gatehouse_refusals_last_hour{code="other"} 63',
    'gatehouse_refusals_last_hour{code="revoked"} 50',
    'gatehouse_refusals_unusual{code="expired"} 1',
    'gatehouse_refusals_unusual{code="other"} 1',
    'gatehouse_refusals_unusual{code="revoked"} 0',
    'gatehouse_refusals_usual_hour{code="expired"} 0',
    'gatehouse_refusals_usual_hour{code="other"} 0',
    'gatehouse_refusals_usual_hour{code="revoked"} 0',
  ]);
});
