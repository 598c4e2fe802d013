import type { ChildProcess } from "node:child_process";
import { randomBytes } from "node:crypto";
import { link, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Client } from "pg";
import { locatePostgres, type PostgresPrograms, spawnPostgres } from "#lib/db/embedded-binaries.ts";
import { chooseUser, ensureCluster, enteredPath, lastLines, SUPERUSER } from "#lib/db/embedded-cluster.ts";
import { endOrphan } from "#lib/db/embedded-orphan.ts";
import { AppError } from "#lib/errors/app-error.ts";

const DATABASE = "gatehouse";
const STARTUP_MS = 60_000;

export interface EmbeddedPostgres {
  /** Address of the database `gatehouse` with its password: a secret. */
  readonly url: string;
  readonly port: number;
  readonly pid: number;
  /** Resolves when the server process ended, wanted or not. */
  readonly exited: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
  /** Ends sessions and the server cleanly; no recovery is needed at the next start. */
  stop(): Promise<void>;
}

export interface EmbeddedOptions {
  /** Folder of this install; the caller holds its lock. */
  readonly dataDir: string;
  /** Sentences for the log that a person should see. */
  readonly notice: (sentence: string) => void;
  /** The port to come back on after a crash, so that open clients find the server again; any free one by default. */
  readonly port?: number;
  /** Off only for tests: a crash of the machine then loses the cluster. */
  readonly durable?: boolean;
}

/**
 * Starts the PostgreSQL that npm brought, on loopback, with its data in `<dataDir>/postgres`.
 *
 * `<dataDir>/postgres.json` (mode 0600) tells the command line where it is, as long as it runs.
 *
 * @throws AppError `start.failed` with a sentence for the person who started us
 */
export async function startEmbeddedPostgres(options: EmbeddedOptions): Promise<EmbeddedPostgres> {
  const dataDir = path.resolve(options.dataDir);
  const clusterDir = path.join(dataDir, "postgres");
  await mkdir(dataDir, { recursive: true, mode: 0o700 });
  const programs = await locatePostgres(await chooseUser(clusterDir), options.notice);
  const password = await keepPassword(path.join(dataDir, "postgres.password"));
  await endOrphan(clusterDir, options.notice);
  await ensureCluster(programs, clusterDir, password);
  const server = await launch(programs, clusterDir, { ...options, password });
  const url = `postgresql://${SUPERUSER}:${password}@127.0.0.1:${server.port}/${DATABASE}`;
  const connectionFile = path.join(dataDir, "postgres.json");
  await rm(connectionFile, { force: true });
  await writeFile(connectionFile, `${JSON.stringify({ url, pid: server.pid })}\n`, { mode: 0o600, flag: "wx" });
  return {
    url,
    port: server.port,
    pid: server.pid,
    exited: server.exited,
    async stop() {
      await rm(connectionFile, { force: true });
      await stopServer(server);
    },
  };
}

/** The running embedded database's address, or null when none is running for this data folder. */
export async function findEmbeddedUrl(dataDir: string): Promise<string | null> {
  const text = await readFile(path.join(dataDir, "postgres.json"), "utf8").catch(ignoreMissing);
  if (text === null) return null;
  const { url, pid } = JSON.parse(text) as { url: string; pid: number };
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ESRCH") return null; // left by a killed run
  }
  return url;
}

interface Server {
  readonly child: ChildProcess;
  readonly pid: number;
  readonly port: number;
  readonly exited: EmbeddedPostgres["exited"];
}

/** Starts the server; a port that was taken meanwhile and backends of a killed server that still end are waited out. */
async function launch(
  programs: PostgresPrograms,
  clusterDir: string,
  options: EmbeddedOptions & { password: string },
): Promise<Server> {
  const deadline = Date.now() + STARTUP_MS;
  for (;;) {
    const port = options.port ?? (await freePort());
    const args = serverArgs(enteredPath(programs, clusterDir), port, options.durable ?? true);
    const child = spawnPostgres(programs, { name: "postgres", args, cwd: clusterDir }, ["ignore", "ignore", "pipe"]);
    const said: string[] = [];
    const exited = watch(child, said);
    const ready = await becomesReady({ child, exited, port, password: options.password, deadline }).catch(
      async (error: unknown) => {
        await quit(child, exited);
        throw error;
      },
    );
    if (ready && child.pid !== undefined) {
      said.length = 0;
      return { child, pid: child.pid, port, exited };
    }
    const output = said.join("");
    const passing = /could not bind|could not create any TCP|pre-existing shared memory|lock file .* already exists/;
    if (!passing.test(output) || Date.now() > deadline - STARTUP_MS + 15_000) {
      await quit(child, exited);
      throw new AppError("start.failed", `PostgreSQL does not start in ${clusterDir}: ${lastLines(output)}`);
    }
    await sleep(200);
  }
}

/** Ends a server that is of no use, so that none is left behind a failed start. */
async function quit(child: ChildProcess, exited: EmbeddedPostgres["exited"]): Promise<void> {
  if (child.pid === undefined) return; // it never started
  child.kill("SIGQUIT");
  await exited;
}

function serverArgs(data: string, port: number, durable: boolean): string[] {
  const settings: Record<string, string | number> = {
    listen_addresses: "127.0.0.1",
    port,
    unix_socket_directories: "",
    max_connections: 200,
    shared_buffers: "128MB",
    timezone: "UTC",
    log_timezone: "UTC",
    // Failed statements are logged by who sent them; here they could carry what somebody typed.
    log_min_messages: "log",
    log_checkpoints: "off",
    ...(durable ? {} : { fsync: "off", synchronous_commit: "off", full_page_writes: "off", autovacuum: "off" }),
  };
  return ["-D", data, ...Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`])];
}

function watch(child: ChildProcess, said: string[]): EmbeddedPostgres["exited"] {
  child.stderr?.on("data", (chunk: Buffer) => {
    said.push(chunk.toString());
    if (said.length > 200) said.shift();
  });
  return new Promise((resolve) => {
    child.once("error", (error) => {
      said.push(error.message);
      resolve({ code: null, signal: null });
    });
    child.once("exit", (code, signal) => resolve({ code, signal }));
  });
}

async function becomesReady(start: {
  child: ChildProcess;
  exited: EmbeddedPostgres["exited"];
  port: number;
  password: string;
  deadline: number;
}): Promise<boolean> {
  let ended = false;
  void start.exited.then(() => {
    ended = true;
  });
  while (!ended && Date.now() < start.deadline) {
    if (await ensureDatabase(start.port, start.password)) return true;
    await sleep(30);
  }
  return false;
}

/** False while the server does not take connections yet. */
async function ensureDatabase(port: number, password: string): Promise<boolean> {
  const client = new Client({ host: "127.0.0.1", port, user: SUPERUSER, password, database: "postgres" });
  client.on("error", () => undefined); // a server that ends meanwhile is told by its exit
  try {
    await client.connect();
    const { rowCount } = await client.query("SELECT 1 FROM pg_database WHERE datname = $1", [DATABASE]);
    if (rowCount === 0) await client.query(`CREATE DATABASE ${DATABASE}`);
    return true;
  } catch (error) {
    const { code } = error as { code?: string };
    if (code === "28P01") {
      throw new AppError(
        "start.failed",
        "PostgreSQL refuses the password in DATA_DIR/postgres.password: restore the file that belongs to this data folder.",
        { cause: error },
      );
    }
    if (code === "ECONNREFUSED" || code === "ECONNRESET" || code === "57P03") return false;
    throw error;
  } finally {
    await client.end().catch(() => undefined);
  }
}

async function stopServer(server: Server): Promise<void> {
  server.child.kill("SIGINT"); // fast shutdown: sessions are ended, everything is written
  const patience = new AbortController();
  const late = sleep(4000, "late" as const, { signal: patience.signal }).catch(() => "ended" as const);
  if ((await Promise.race([server.exited, late])) === "late") {
    server.child.kill("SIGQUIT");
    await server.exited;
  }
  patience.abort();
}

/** Made once; written aside and linked, so that a half-written password is never kept. */
async function keepPassword(file: string): Promise<string> {
  const kept = await readFile(file, "utf8").catch(ignoreMissing);
  if (kept !== null) return kept.trim();
  const password = randomBytes(24).toString("hex");
  const draft = `${file}.${process.pid}`;
  await writeFile(draft, `${password}\n`, { mode: 0o600 });
  await link(draft, file);
  await rm(draft);
  return password;
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once("error", reject);
    probe.listen(0, "127.0.0.1", () => {
      const address = probe.address();
      probe.close(() => (typeof address === "object" && address !== null ? resolve(address.port) : reject(address)));
    });
  });
}

function ignoreMissing(error: unknown): null {
  if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
  throw error;
}
