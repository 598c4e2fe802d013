import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { cleanEnvironment, freshSettings } from "#cli/tests/running-install.ts";
import { readStoredSecrets } from "#lib/config/load.ts";

const CLI = fileURLToPath(new URL("../../cli/gatehouse.mjs", import.meta.url));
const SOME_PARTS = fileURLToPath(new URL("../../cli/tests/fixtures/install.ts", import.meta.url));
const READY_WITHIN_MS = 240_000;

export type PartName = "console" | "gateway" | "services" | "worker" | "postgres";

/** A whole install with a folder and ports of its own, as a person gets it from `npm start`. */
export type System = {
  readonly env: Record<string, string>;
  readonly dataDir: string;
  readonly consoleUrl: string;
  readonly door: { host: string; port: number; url: string };
  readonly toolsUrl: string;
  readonly decisionPort: number;
  readonly servicesPort: number;
  /** Everything it has printed. */
  output(): string;
  /** The one-time link it printed, when there was no user. */
  setupLink(): string | null;
  /** Runs the `gatehouse` command against it. @returns its standard output */
  cli(...args: string[]): string;
  /** @throws when there is no such process */
  pidOf(part: PartName): number;
  /** Ends a part with SIGKILL. @throws when there is no such process */
  kill9(part: PartName): void;
  /** Ends the supervisor itself with SIGKILL; its parts must follow by themselves. */
  kill9All(): Promise<void>;
  start(): Promise<void>;
  stop(): Promise<void>;
  /** Stops it and removes its folder. */
  drop(): Promise<void>;
};

/** Starts an install from this checkout's build; one that has only some parts, without the console, needs no build. */
export async function startSystem(
  settings: Record<string, string> = {},
  parts?: readonly Exclude<PartName, "console" | "postgres">[],
): Promise<System> {
  const fresh = await freshSettings();
  const some = parts?.map((name) => ({ name, port: 0, wish: "real" }));
  const program = some === undefined ? [CLI, "start"] : [SOME_PARTS, JSON.stringify(some)];
  const env: Record<string, string> = { ...fresh.env, ...settings };
  const said: string[] = [];
  let running: { pid: number; exit: Promise<unknown>; hasEnded(): boolean } | null = null;
  // A test run that is interrupted takes its install with it.
  process.once("exit", () => {
    if (running !== null && !running.hasEnded()) process.kill(running.pid, "SIGTERM");
  });

  async function start(): Promise<void> {
    const from = said.length;
    const child = spawn(process.execPath, program, {
      env: { ...cleanEnvironment(), ...env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    child.stdout.on("data", (chunk: Buffer) => said.push(chunk.toString()));
    child.stderr.on("data", (chunk: Buffer) => said.push(chunk.toString()));
    let ended = false;
    const exit = once(child, "close").then(() => {
      ended = true;
    });
    running = { pid: child.pid ?? 0, exit, hasEnded: () => ended };
    const deadline = Date.now() + READY_WITHIN_MS;
    while (!said.slice(from).join("").includes("Gatehouse is ready")) {
      if (ended || Date.now() > deadline)
        throw new Error(`the install did not get ready:\n${said.slice(from).join("")}`);
      await sleep(50);
    }
  }

  async function end(signal: "SIGTERM" | "SIGKILL"): Promise<void> {
    if (running === null) return;
    if (!running.hasEnded()) process.kill(running.pid, signal);
    await running.exit;
    running = null;
  }

  const pidOf = (part: PartName) => {
    if (running === null) throw new Error("the install does not run");
    return findPart(running.pid, part);
  };

  await start();
  const door = { host: "localhost", port: Number(env.DEVICE_DOOR_PORT) };
  return {
    env,
    dataDir: fresh.dataDir,
    consoleUrl: `http://localhost:${env.PORT}`,
    door: { ...door, url: `https://${door.host}:${door.port}` },
    toolsUrl: `https://localhost:${env.TOOLS_DOOR_PORT}`,
    decisionPort: Number(env.DECISION_PORT),
    servicesPort: Number(env.SERVICES_PORT),
    output: () => said.join(""),
    setupLink: () => /https?:\/\/\S+\/setup#\S+/.exec(said.join(""))?.[0] ?? null,
    cli: (...args) =>
      execFileSync(process.execPath, [CLI, ...args], { env: { ...cleanEnvironment(), ...env }, encoding: "utf8" }),
    pidOf,
    kill9: (part) => void process.kill(pidOf(part), "SIGKILL"),
    kill9All: () => end("SIGKILL"),
    start,
    stop: () => end("SIGTERM"),
    async drop() {
      await end("SIGTERM");
      await fresh.drop();
    },
  };
}

/** Settings that make an install use the services of another one instead of its own. */
export function backEndsOf(system: System): Record<string, string> {
  const url = `http://127.0.0.1:${system.servicesPort}`;
  const { SERVICES_TOKEN } = readStoredSecrets(system.dataDir);
  if (SERVICES_TOKEN === undefined) throw new Error("the other install has no services token");
  return {
    DEVICE_REGISTRY_URL: url,
    DIRECTOR_URL: url,
    REPOSERVER_URL: url,
    KEYSERVER_URL: url,
    TREEHUB_URL: url,
    BACKEND_TOKEN: SERVICES_TOKEN,
  };
}

const PROGRAM: Record<PartName, RegExp> = {
  console: /app\/main\.ts/,
  gateway: /gateway\/main\.ts/,
  services: /services\/main\.ts/,
  worker: /worker\/main\.ts/,
  postgres: /bin\/postgres\b.*-D/,
};

function findPart(supervisor: number, part: PartName): number {
  for (const entry of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
    const pid = Number(entry);
    if (PROGRAM[part].test(read(`/proc/${pid}/cmdline`).replaceAll("\0", " ")) && isBelow(pid, supervisor)) return pid;
  }
  throw new Error(`there is no process of ${part}`);
}

function isBelow(pid: number, ancestor: number): boolean {
  for (let at = pid; at > 1; at = parentOf(at)) if (at === ancestor) return true;
  return false;
}

function parentOf(pid: number): number {
  return Number(/^PPid:\s+(\d+)/m.exec(read(`/proc/${pid}/status`))?.[1] ?? 0);
}

/** Empty when the process ended meanwhile. */
function read(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && (error.code === "ENOENT" || error.code === "ESRCH")) return "";
    throw error;
  }
}
