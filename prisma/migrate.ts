import { createHash } from "node:crypto";
import { fileURLToPath } from "node:url";
import type { SchemaEngine } from "@prisma/schema-engine-wasm/schema_engine_bg";
import { Client } from "pg";
import { AppError, isAppError } from "#lib/errors/app-error.ts";
import { type MigrationList, readMigrations } from "#prisma/migrations-folder.ts";

const MIGRATIONS = fileURLToPath(new URL("./migrations", import.meta.url));
const NO_FILTER = { externalTables: [], externalEnums: [] };
/** "gateh" as a number: the advisory lock under which one process at a time migrates a database. */
const MIGRATION_LOCK = 0x67_61_74_65_68;
const LOCK_WAIT_MS = 120_000;

export interface MigrateOptions {
  /** Ours by default; tests bring their own. */
  readonly migrationsDir?: string;
}

/**
 * Brings the database up to this version's schema and returns the names of what was applied.
 *
 * Any number of processes may call it at once: one works, the others wait and find nothing left to do. Each migration
 * is one transaction (so it must not commit by itself), and one that failed is tried again at the next call.
 *
 * @throws AppError `database.unreachable` | `start.failed` (a failed, edited or unknown migration, named in the sentence)
 */
export async function applyMigrations(databaseUrl: string, options: MigrateOptions = {}): Promise<string[]> {
  const lock = await connect(databaseUrl);
  try {
    await lock.query(`SET lock_timeout = ${LOCK_WAIT_MS}`);
    await lock.query("SELECT pg_advisory_lock($1)", [MIGRATION_LOCK]);
    const migrationsList = await readMigrations(options.migrationsDir ?? MIGRATIONS);
    if (await isCurrent(lock, migrationsList)) return [];
    return await withEngine(databaseUrl, async (engine, lastSqlError) => {
      const found = await diagnoseWith(engine, migrationsList);
      if (found.state === "failed") await forgetFailures(engine, found.names);
      else refuseUnsoundHistory(found);
      try {
        const { appliedMigrationNames } = await engine.applyMigrations({ migrationsList, filters: NO_FILTER });
        return appliedMigrationNames;
      } catch (error) {
        const after = await diagnoseWith(engine, migrationsList);
        const failed = after.state === "failed" ? after.names : [];
        await forgetFailures(engine, failed);
        throw failedMigration(failed, error, lastSqlError());
      }
    });
  } finally {
    await lock.end(); // ends the session and with it the lock
  }
}

/** The usual start: exactly these migrations are applied. Told without the engine, which takes long to load. */
async function isCurrent(client: Client, { migrationDirectories }: MigrationList): Promise<boolean> {
  const { rows: found } = await client.query("SELECT to_regclass('_prisma_migrations') IS NOT NULL AS present");
  if (found[0]?.present !== true) return false;
  const { rows } = await client.query<{ migration_name: string; checksum: string; finished: boolean }>(
    "SELECT migration_name, checksum, finished_at IS NOT NULL AS finished FROM _prisma_migrations WHERE rolled_back_at IS NULL",
  );
  const applied = new Map(rows.map((row) => [row.migration_name, row.finished ? row.checksum : null]));
  return (
    applied.size === migrationDirectories.length &&
    migrationDirectories.every(({ path: name, migrationFile: { content } }) => {
      return content.tag === "ok" && applied.get(name) === createHash("sha256").update(content.value).digest("hex");
    })
  );
}

export type MigrationState =
  | { readonly state: "current" }
  | { readonly state: "behind"; readonly missing: readonly string[] }
  | { readonly state: "ahead"; readonly unknown: readonly string[] }
  | { readonly state: "edited" | "failed"; readonly names: readonly string[] };

/** Compares the database's migrations with ours, without changing anything. */
export async function diagnose(databaseUrl: string, options: MigrateOptions = {}): Promise<MigrationState> {
  await (await connect(databaseUrl)).end();
  return withEngine(databaseUrl, async (engine) =>
    diagnoseWith(engine, await readMigrations(options.migrationsDir ?? MIGRATIONS)),
  );
}

/** The SQL that leads from the migrations to the given Prisma schema files; empty when they agree. Uses a shadow database. */
export async function diff(
  databaseUrl: string,
  schemaFiles: readonly { path: string; content: string }[],
  options: MigrateOptions = {},
): Promise<string> {
  const migrations = await readMigrations(options.migrationsDir ?? MIGRATIONS);
  return withEngine(databaseUrl, async (engine) => {
    const { stdout } = await engine.diff({
      from: { tag: "migrations", ...migrations },
      to: { tag: "schemaDatamodel", files: [...schemaFiles] },
      script: true,
      exitCode: null,
      filters: NO_FILTER,
    });
    const sql = (stdout ?? "").trim();
    return sql === "-- This is an empty migration." ? "" : sql;
  });
}

async function withEngine<T>(
  databaseUrl: string,
  work: (engine: SchemaEngine, lastSqlError: () => unknown) => Promise<T>,
): Promise<T> {
  const { openSchemaEngine } = await import("#prisma/schema-engine.ts");
  const { engine, lastSqlError, close } = await openSchemaEngine(databaseUrl);
  try {
    return await work(engine, lastSqlError);
  } finally {
    engine.free();
    await close();
  }
}

async function diagnoseWith(engine: SchemaEngine, migrationsList: MigrationList): Promise<MigrationState> {
  const found = await engine.diagnoseMigrationHistory({
    migrationsList,
    optInToShadowDatabase: false,
    filters: NO_FILTER,
  });
  if (found.failedMigrationNames.length > 0) return { state: "failed", names: found.failedMigrationNames };
  if (found.editedMigrationNames.length > 0) return { state: "edited", names: found.editedMigrationNames };
  if (found.history === null) return { state: "current" };
  if (found.history.diagnostic === "databaseIsBehind") {
    return { state: "behind", missing: found.history.unappliedMigrationNames };
  }
  return { state: "ahead", unknown: found.history.unpersistedMigrationNames };
}

/** A failed or interrupted migration left nothing behind (one transaction), so it may simply be tried again. */
async function forgetFailures(engine: SchemaEngine, names: readonly string[]): Promise<void> {
  for (const migrationName of names) await engine.markMigrationRolledBack({ migrationName });
}

function refuseUnsoundHistory(found: MigrationState): void {
  if (found.state === "ahead") {
    throw new AppError(
      "start.failed",
      `The database was migrated by a newer Gatehouse than this one (${found.unknown.join(", ")}): start that version, or restore an older backup.`,
    );
  }
  if (found.state === "edited") {
    throw new AppError(
      "start.failed",
      `The database was migrated with another form of ${found.names.join(", ")}: start the Gatehouse version it belongs to.`,
    );
  }
}

function failedMigration(names: readonly string[], engineError: unknown, sqlError: unknown): AppError {
  const cause = sqlError ?? engineError;
  const text = cause instanceof Error ? cause.message.split("\n")[0] : String(cause);
  const which = names[0] ?? "of the database";
  return new AppError("start.failed", `Migration ${which} failed and was rolled back: ${text}.`, { cause });
}

async function connect(databaseUrl: string): Promise<Client> {
  const client = new Client({ connectionString: databaseUrl, connectionTimeoutMillis: 10_000 });
  client.on("error", () => undefined); // the next query tells
  try {
    await client.connect();
    return client;
  } catch (error) {
    await client.end().catch(() => undefined);
    throw unreachable(databaseUrl, error);
  }
}

function unreachable(databaseUrl: string, cause: unknown): AppError {
  if (isAppError(cause)) return cause;
  const { hostname, port, pathname } = new URL(databaseUrl);
  const { code, message } = cause as { code?: string; message?: string };
  const where = `${hostname}:${port || "5432"}${pathname}`;
  return new AppError(
    "database.unreachable",
    `The database at ${where} does not answer (${code ?? message}): check DATABASE_URL.`,
    {
      cause,
    },
  );
}
