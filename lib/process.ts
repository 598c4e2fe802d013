import { randomUUID } from "node:crypto";
import { type Config, loadConfig, type Part, requireSecret, type Secrets } from "#lib/config/load.ts";
import { type Ctx, DEFAULT_NAMESPACE } from "#lib/ctx.ts";
import { assertReachable, createDb, type Db, isTableMissing } from "#lib/db/client.ts";
import { AppError, isAppError } from "#lib/errors/app-error.ts";
import { createMasterKey, type MasterKey, secretsEqual } from "#lib/keys/master-key.ts";
import { createLog, type Log } from "#lib/log/log.ts";

const DISPOSE_WITHIN_MS = 3_000;
const CHECK_VALUE = "master_key_check";

/** What a part's `start` gets. `ctx` is the process's own: a request makes its own from it. */
export type Process = {
  readonly config: Config;
  readonly secrets: Secrets;
  readonly databaseUrl: string;
  readonly ctx: Ctx;
  readonly log: Log;
  /** Runs at the end, last added first. Stop taking work there, then wait for what is under way. */
  onStop(name: string, stop: () => Promise<void> | void): void;
};

/**
 * The life of every part: configuration, database, master key, then `start`; at SIGTERM, SIGINT or when the supervisor that
 * started it is gone, everything is stopped in reverse within three seconds. Ends with exit code 1 and one log line on a fatal error.
 *
 * Problems of the configuration, and a database that cannot be used, are printed as plain sentences: a person reads them.
 */
export async function runProcess(part: Part, start: (it: Process) => Promise<void>): Promise<void> {
  const { config, secrets } = loadConfigOrExit(part);
  const log = createLog(part, config.LOG_LEVEL);
  const stops: { name: string; stop: () => Promise<void> | void }[] = [];
  const end = createEnd(log, stops);
  process.on("SIGTERM", () => void end("SIGTERM", 0));
  process.on("SIGINT", () => void end("SIGINT", 0));
  process.on("disconnect", () => void end("the supervisor is gone", 0));
  process.on("uncaughtException", (err) => fatal(log, err, end));
  process.on("unhandledRejection", (err) => fatal(log, err, end));
  try {
    const databaseUrl = requireSecret(secrets, "DATABASE_URL");
    const db = createDb(databaseUrl);
    stops.push({ name: "database", stop: () => db.$disconnect() });
    await assertReachable(db, databaseUrl);
    const keys = createMasterKey(requireSecret(secrets, "MASTER_KEY"));
    await assertMasterKey(db, keys);
    const ctx = createProcessCtx({ config, db, log, keys });
    await start({ config, secrets, databaseUrl, ctx, log, onStop: (name, stop) => stops.push({ name, stop }) });
    log.info("started");
    process.send?.({ type: "ready", part });
  } catch (error) {
    fatal(log, error, end);
  }
}

/** A context outside any request: jobs, start-up, tests. */
export function createProcessCtx(input: { config: Config; db: Db; log: Log; keys: MasterKey }): Ctx {
  return { ...input, clock: () => new Date(), requestId: randomUUID(), namespaceId: DEFAULT_NAMESPACE };
}

/**
 * Compares the master key with the one that this database was first used with; the first to come stores it.
 *
 * @throws AppError `config.master_key_mismatch` | `start.failed` (no tables yet)
 */
export async function assertMasterKey(db: Db, keys: MasterKey): Promise<void> {
  const rows = await db.$queryRaw<{ value: string }[]>`
    WITH first AS (
      INSERT INTO install_fact (name, value) VALUES (${CHECK_VALUE}, ${keys.checkValue}) ON CONFLICT DO NOTHING RETURNING value
    )
    SELECT value FROM first UNION ALL SELECT value FROM install_fact WHERE name = ${CHECK_VALUE}`.catch((cause) => {
    if (!isTableMissing(cause)) throw cause;
    throw new AppError(
      "start.failed",
      "The database has no Gatehouse tables. Run `npx --no-install gatehouse migrate` first.",
      {
        cause,
      },
    );
  });
  // Empty when another process stored it between our two reads: then it is there by now.
  const stored =
    rows[0] ?? (await db.installFact.findUniqueOrThrow({ where: { name: CHECK_VALUE }, select: { value: true } }));
  if (secretsEqual(stored.value, keys.checkValue)) return;
  throw new AppError(
    "config.master_key_mismatch",
    "MASTER_KEY is not the one this database was set up with, so its stored keys can't be opened. Restore secrets.json of this install.",
  );
}

type End = (why: string, exitCode: number) => Promise<void>;

function createEnd(log: Log, stops: { name: string; stop: () => Promise<void> | void }[]): End {
  let ending = false;
  return async (why, exitCode) => {
    if (ending) return;
    ending = true;
    if (exitCode === 0) log.info({ why }, "stopping");
    setTimeout(() => {
      log.warn("not everything stopped in time");
      process.exit(exitCode);
    }, DISPOSE_WITHIN_MS).unref();
    for (const { name, stop } of stops.reverse()) {
      try {
        await stop();
      } catch (err) {
        log.warn({ err, name }, "did not stop cleanly");
      }
    }
    process.exit(exitCode);
  };
}

function fatal(log: Log, error: unknown, end: End): void {
  if (isAppError(error) && PLAIN.has(error.code)) process.stderr.write(`${error.message}\n`);
  else log.fatal({ err: error }, "can't go on");
  void end("fatal error", 1);
}

const PLAIN: ReadonlySet<string> = new Set([
  "config.invalid",
  "config.master_key_mismatch",
  "database.unreachable",
  "start.failed",
]);

function loadConfigOrExit(part: Part): ReturnType<typeof loadConfig> {
  try {
    return loadConfig(part);
  } catch (error) {
    if (!isAppError(error, "config.invalid")) throw error;
    process.stderr.write(`${error.message}\n`);
    process.exit(1);
  }
}
