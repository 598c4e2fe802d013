import pg from "pg";
import { expect, it } from "vitest";
import { createDb } from "#lib/db/client.ts";
import { createTestDatabase } from "#tests/harness/database.ts";

it("keeps instants on a database whose own time zone is not UTC", async () => {
  const database = await createTestDatabase();
  const admin = new pg.Client({ connectionString: database.url });
  await admin.connect();
  await admin.query(`ALTER DATABASE ${new URL(database.url).pathname.slice(1)} SET timezone = 'Asia/Tokyo'`);
  const db = createDb(database.url);
  try {
    const at = new Date("2026-03-01T12:00:00.123Z");
    await db.namespace.create({ data: { id: "time", createdAt: at } });
    expect((await db.namespace.findUniqueOrThrow({ where: { id: "time" } })).createdAt).toEqual(at);
    const [raw] = await db.$queryRaw<{ at: Date }[]>`SELECT "createdAt" AS at FROM namespace WHERE "createdAt" = ${at}`;
    expect(raw?.at).toEqual(at);
    const seen = await admin.query(
      `SELECT extract(epoch FROM "createdAt") * 1000 AS ms FROM namespace WHERE id = 'time'`,
    );
    expect(Number(seen.rows[0].ms)).toBe(at.getTime());
  } finally {
    await db.$disconnect();
    await admin.end();
    await database.drop();
  }
});
