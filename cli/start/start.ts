import { buildConsole, isBuildNeeded } from "#cli/start/build.ts";
import { lockFolder } from "#cli/start/data-lock.ts";
import { superviseEmbedded } from "#cli/start/database.ts";
import { readableIfTerminal } from "#cli/start/output.ts";
import { environmentFor, type Mode, type PartPlan, planParts, planPorts } from "#cli/start/parts.ts";
import { assertPortsFree } from "#cli/start/ports.ts";
import { type RunningPart, superviseParts } from "#cli/start/supervise.ts";
import { inheritedEnvironment } from "#lib/config/environment.ts";
import { type Config, loadConfig, type Secrets } from "#lib/config/load.ts";
import { ensureStoredSecrets } from "#lib/config/secrets-file.ts";
import { isAppError } from "#lib/errors/app-error.ts";
import { createLog, type Log } from "#lib/log/log.ts";
import { ensureClient } from "#prisma/generate.ts";
import { applyMigrations } from "#prisma/migrate.ts";

/** How long the parts of a killed run may still hold their ports. */
const LEFTOVERS_MS = 6_000;

export interface InstallOptions {
  readonly mode: Mode;
  /** The parts to run; all of this version by default. */
  readonly planParts?: (config: Config, mode: Mode) => PartPlan[];
}

/**
 * `npm start`: sets up what is missing, runs every part and stops them all on SIGINT, SIGTERM or SIGHUP.
 *
 * @returns the exit code: 0 stopped as asked, 1 could not start (every reason was printed as a sentence)
 */
export async function runInstall(options: InstallOptions): Promise<number> {
  const log = createLog("supervisor", "info", readableIfTerminal("supervisor"));
  const stops: (() => Promise<void>)[] = [];
  const stopAsked = listenForStop();
  try {
    await startInstall(options, { log, stopAsked, onStop: (stop) => stops.unshift(stop) });
    await aborted(stopAsked);
    return 0;
  } catch (error) {
    if (stopAsked.aborted) return 0; // stopped while it was still starting
    if (!isAppError(error)) throw error;
    process.stderr.write(`${error.message}\n`);
    return 1;
  } finally {
    if (stopAsked.aborted) log.info({ why: String(stopAsked.reason) }, "stopping");
    for (const stop of stops) await stop();
    if (stopAsked.aborted) log.info("stopped");
  }
}

interface Start {
  readonly log: Log;
  readonly stopAsked: AbortSignal;
  /** Last added is stopped first. */
  onStop(stop: () => Promise<void>): void;
}

async function startInstall({ mode, planParts: plan = planParts }: InstallOptions, start: Start): Promise<void> {
  const { config, secrets } = loadConfig("supervisor");
  const { log, stopAsked } = start;
  log.info({ node: process.versions.node, program: process.execPath, dataDir: config.DATA_DIR }, "starting Gatehouse");
  const lock = await lockFolder(config.DATA_DIR);
  start.onStop(() => lock.release());
  await assertPortsFree(planPorts(config), lock.tookOver ? LEFTOVERS_MS : 0);
  const allSecrets: Secrets = { ...ensureStoredSecrets(config.DATA_DIR), ...present(secrets) };

  await ensureClient();
  const plans = plan(config, mode);
  const needsBuild = mode === "production" && plans.some(({ name }) => name === "console");
  const built = needsBuild ? build(start) : Promise.resolve();
  built.catch(() => undefined); // awaited below
  const databaseUrl = await startDatabase(config, secrets, start);
  const applied = await applyMigrations(databaseUrl);
  if (applied.length > 0) log.info({ applied }, "migrated the database");
  // Loaded only now: on a clean checkout the database client that it imports was made a moment ago.
  const { prepareFirstUser } = await import("#cli/start/first-user.ts");
  const setupLink = await prepareFirstUser({ config, secrets: allSecrets, databaseUrl, log });
  await built;
  stopAsked.throwIfAborted();

  const partSecrets = { ...allSecrets, DATABASE_URL: databaseUrl };
  const parts: RunningPart[] = [];
  start.onStop(async () => {
    await Promise.all(parts.map((part) => part.stop()));
  });
  const ready = superviseParts(plans, {
    environmentOf: (part) => inheritedEnvironment(environmentFor(part, partSecrets, mode)),
    log,
    onStarted: (part) => parts.push(part),
  });
  await Promise.race([ready, aborted(stopAsked)]);
  stopAsked.throwIfAborted();
  log.info({ parts: parts.map(({ name }) => name) }, "ready");
  console.log(`Gatehouse is ready: ${config.publicUrl}`);
  if (setupLink !== null) console.log(`Nobody can sign in yet. This link sets up the first admin, once: ${setupLink}`);
}

async function startDatabase(config: Config, secrets: Secrets, start: Start): Promise<string> {
  if (secrets.DATABASE_URL !== undefined) return secrets.DATABASE_URL;
  const database = await superviseEmbedded(config.DATA_DIR, start.log);
  start.onStop(() => database.stop());
  return database.url;
}

async function build({ log, stopAsked, onStop }: Start): Promise<void> {
  if (!(await isBuildNeeded())) return;
  log.info("building the console; this takes a minute or two");
  const failedElsewhere = new AbortController();
  onStop(async () => failedElsewhere.abort());
  await buildConsole({ verbose: false, signal: AbortSignal.any([stopAsked, failedElsewhere.signal]) });
}

function listenForStop(): AbortSignal {
  const asked = new AbortController();
  for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(name, () => asked.abort(name));
  process.on("disconnect", () => asked.abort("the process that started it is gone"));
  // A closed terminal or log pipe is no reason to leave parts running half watched.
  for (const stream of [process.stdout, process.stderr]) stream.on("error", () => undefined);
  return asked.signal;
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
}

function present(secrets: Secrets): Secrets {
  return Object.fromEntries(Object.entries(secrets).filter(([, value]) => value !== undefined));
}
