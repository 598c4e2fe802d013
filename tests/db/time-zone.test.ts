import pg from "pg";
import { afterAll, beforeAll, expect, it } from "vitest";
import { createTestCtx } from "#tests/harness/ctx.ts";
import { createTestDatabase, type TestDatabase } from "#tests/harness/database.ts";

let database: TestDatabase;

beforeAll(async () => {
  database = await createTestDatabase();
  const client = new pg.Client({ connectionString: database.url });
  await client.connect();
  await client.query(
    `ALTER DATABASE ${pg.escapeIdentifier(new URL(database.url).pathname.slice(1))} SET TimeZone = 'Asia/Kathmandu'`,
  );
  await client.end();
});

afterAll(() => database.drop());

it("keeps instants when the server lives in another time zone", async () => {
  const { db } = createTestCtx(database.url);
  const at = new Date("2026-01-02T03:04:05.678Z");
  await db.consoleEvent.create({ data: { namespaceId: "tz", topic: "device", subjectId: "", at } });
  const rows = await db.$queryRaw<{ same: boolean }[]>`
    SELECT at = '2026-01-02T03:04:05.678Z'::timestamptz AS same FROM console_event WHERE at = ${at}`;
  expect(rows).toEqual([{ same: true }]);
  await db.$disconnect();
});
