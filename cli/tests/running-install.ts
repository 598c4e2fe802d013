import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { freePort } from "#tests/harness/free-port.ts";

const FIXTURE = fileURLToPath(new URL("./fixtures/install.ts", import.meta.url));

export interface WantedPart {
  readonly name: string;
  readonly port: number;
  readonly wish?: string;
}

/** A supervisor with small real parts, as a process of its own. */
export interface RunningInstall {
  readonly process: ChildProcess;
  readonly pid: number;
  /** Everything it has printed so far, on both outputs. */
  output(): string;
  /** Its exit code; null when a signal ended it. */
  readonly exit: Promise<number | null>;
  /** Waits until the output has `text`; rejects with the whole output when it ends first. */
  says(text: string): Promise<void>;
}

export function startFixture(parts: readonly WantedPart[], env: Record<string, string>): RunningInstall {
  const child = spawn(process.execPath, [FIXTURE, JSON.stringify(parts)], {
    env: { ...cleanEnvironment(), ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const said: string[] = [];
  child.stdout.on("data", (chunk: Buffer) => said.push(chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => said.push(chunk.toString()));
  const exit = once(child, "close").then(([code]) => code as number | null);
  const output = () => said.join("");
  return {
    process: child,
    pid: child.pid ?? 0,
    output,
    exit,
    says: (text) => until(() => output().includes(text), `"${text}" in:\n`, output),
  };
}

/** Settings of an install of its own: a fresh folder and free ports. */
export async function freshSettings(): Promise<{
  dataDir: string;
  env: Record<string, string>;
  drop(): Promise<void>;
}> {
  const dataDir = await mkdtemp(path.join(tmpdir(), "gatehouse-install-"));
  const names = ["PORT", "DEVICE_DOOR_PORT", "TOOLS_DOOR_PORT", "DECISION_PORT", "SERVICES_PORT"];
  const env = Object.fromEntries(await Promise.all(names.map(async (name) => [name, String(await freePort())])));
  return {
    dataDir,
    env: { ...env, DATA_DIR: dataDir },
    drop: () => rm(dataDir, { recursive: true, force: true, maxRetries: 5 }),
  };
}

/** Polls with a deadline; the failure says what was waited for. */
export async function until(
  holds: () => boolean | Promise<boolean>,
  what: string,
  detail: () => string = () => "",
): Promise<void> {
  const deadline = Date.now() + 45_000;
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error(`waited in vain for ${what}${detail()}`);
    await sleep(30);
  }
}

/** Ours without what the machine may have set for Gatehouse. */
export function cleanEnvironment(): NodeJS.ProcessEnv {
  const { DATABASE_URL: _, MASTER_KEY: __, SERVICES_TOKEN: ___, NODE_OPTIONS: ____, ...rest } = process.env;
  return rest;
}
