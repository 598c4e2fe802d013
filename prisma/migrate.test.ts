import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import pg from "pg";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { applyMigrations, diagnose, diff } from "#prisma/migrate.ts";
import { createEmptyDatabase, createTestDatabase, type TestDatabase } from "#tests/harness/database.ts";

const SCHEMA_DIR = fileURLToPath(new URL("./schema", import.meta.url));

describe("the migrator", () => {
  let database: TestDatabase;
  let migrationsDir: string;

  beforeEach(async () => {
    database = await createEmptyDatabase();
    migrationsDir = await mkdtemp(path.join(tmpdir(), "gatehouse-migrations-"));
  });
  afterEach(async () => {
    await database.drop();
    await rm(migrationsDir, { recursive: true });
  });

  it("applies each migration once when several processes start together", async () => {
    await migration("001_first", "CREATE TABLE first (id int)");
    await migration("002_second", "CREATE TABLE second (id int)");
    const applied = await Promise.all([1, 2, 3].map(() => applyMigrations(database.url, { migrationsDir })));
    expect(applied.flat()).toEqual(["001_first", "002_second"]);
    expect(await diagnose(database.url, { migrationsDir })).toEqual({ state: "current" });
  });

  it("keeps semicolons in function bodies and texts whole", async () => {
    await migration(
      "001_body",
      `CREATE FUNCTION answer() RETURNS text LANGUAGE plpgsql AS $$ BEGIN RETURN 'a;b'; END $$; -- a comment; with one`,
    );
    await applyMigrations(database.url, { migrationsDir });
    expect(await query("SELECT answer() AS answer")).toEqual([{ answer: "a;b" }]);
  });

  it("leaves nothing of a migration that fails, names it, and applies it once it is mended", async () => {
    await migration("001_bad", "CREATE TABLE half (id int); SELECT no_such_column");
    await expect(applyMigrations(database.url, { migrationsDir })).rejects.toMatchObject({
      code: "start.failed",
      message: expect.stringContaining("001_bad"),
    });
    expect(await query("SELECT to_regclass('half') AS half")).toEqual([{ half: null }]);
    await migration("001_bad", "CREATE TABLE half (id int)");
    expect(await applyMigrations(database.url, { migrationsDir })).toEqual(["001_bad"]);
  });

  it("takes up a migration again that a killed process had only begun", async () => {
    await migration("001_first", "CREATE TABLE first (id int)");
    await applyMigrations(database.url, { migrationsDir });
    await query("UPDATE _prisma_migrations SET finished_at = NULL");
    await query("DROP TABLE first");
    expect(await applyMigrations(database.url, { migrationsDir })).toEqual(["001_first"]);
  });

  it("refuses a database that a newer version migrated", async () => {
    await migration("001_first", "CREATE TABLE first (id int)");
    await migration("002_newer", "CREATE TABLE newer (id int)");
    await applyMigrations(database.url, { migrationsDir });
    await rm(path.join(migrationsDir, "002_newer"), { recursive: true });
    await expect(applyMigrations(database.url, { migrationsDir })).rejects.toMatchObject({ code: "start.failed" });
    expect(await diagnose(database.url, { migrationsDir })).toEqual({ state: "ahead", unknown: ["002_newer"] });
  });

  it("refuses a migration whose text changed after it was applied", async () => {
    await migration("001_first", "CREATE TABLE first (id int)");
    await applyMigrations(database.url, { migrationsDir });
    await migration("001_first", "CREATE TABLE first (id bigint)");
    await expect(applyMigrations(database.url, { migrationsDir })).rejects.toMatchObject({ code: "start.failed" });
  });

  it("says which server does not answer", async () => {
    const nowhere = "postgresql://user:hidden@127.0.0.1:1/nowhere";
    const refusal = await applyMigrations(nowhere).catch((error: unknown) => error);
    expect(refusal).toMatchObject({ code: "database.unreachable", message: expect.stringContaining("127.0.0.1:1") });
    expect(String(refusal)).not.toContain("hidden");
  });

  async function migration(name: string, sql: string): Promise<void> {
    await mkdir(path.join(migrationsDir, name), { recursive: true });
    await writeFile(path.join(migrationsDir, name, "migration.sql"), sql);
  }

  async function query(sql: string): Promise<unknown[]> {
    const client = new pg.Client({ connectionString: database.url });
    await client.connect();
    try {
      return (await client.query(sql)).rows;
    } finally {
      await client.end();
    }
  }
});

describe("the committed migrations", () => {
  it("lead exactly to the schema", async () => {
    const database = await createTestDatabase();
    const names = await readdir(SCHEMA_DIR);
    const files = names.map(async (name) => ({
      path: path.join(SCHEMA_DIR, name),
      content: await readFile(path.join(SCHEMA_DIR, name), "utf8"),
    }));
    expect(await diff(database.url, await Promise.all(files))).toBe("");
    await database.drop();
  });
});
