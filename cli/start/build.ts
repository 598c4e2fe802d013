import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { readdir, readFile, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { lockFolder } from "#cli/start/data-lock.ts";
import { inheritedEnvironment } from "#lib/config/environment.ts";
import { AppError, isAppError } from "#lib/errors/app-error.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const STAMP = path.join(ROOT, ".next", "built-from");
/** What the console is made from. Tests beside the sources count too: building once too often does no harm. */
const SOURCES = ["app", "components", "lib", "services", "public", "prisma/schema"];
const SOURCE_FILES = [
  "package.json",
  "package-lock.json",
  "next.config.ts",
  "postcss.config.ts",
  "proxy.ts",
  "tsconfig.json",
];

/** Whether the console's build is missing or was made from other sources. */
export async function isBuildNeeded(): Promise<boolean> {
  if (!existsSync(path.join(ROOT, "app"))) return false;
  const stamp = await readFile(STAMP, "utf8").catch(() => null);
  return stamp === null || stamp !== (await fingerprint());
}

/**
 * Builds the console. Two starts from one checkout do not build at once: the second waits and uses what the first made.
 *
 * @throws AppError `start.failed`; what Next said is on our error output
 */
export async function buildConsole(options: { verbose: boolean; signal?: AbortSignal }): Promise<void> {
  const lock = await waitForBuildLock();
  try {
    if (!(await isBuildNeeded())) return;
    const stamp = await fingerprint();
    await rm(STAMP, { force: true });
    await runNextBuild(options);
    await writeFile(STAMP, stamp);
  } finally {
    await lock.release();
  }
}

async function runNextBuild({ verbose, signal }: { verbose: boolean; signal?: AbortSignal }): Promise<void> {
  const next = createRequire(import.meta.url).resolve("next/dist/bin/next");
  const child = spawn(process.execPath, [next, "build"], {
    cwd: ROOT,
    env: inheritedEnvironment({ NEXT_TELEMETRY_DISABLED: "1", NODE_ENV: "production" }),
    stdio: ["ignore", verbose ? "inherit" : "pipe", verbose ? "inherit" : "pipe"],
    ...(signal === undefined ? {} : { signal }),
  });
  const said: Buffer[] = [];
  child.stdout?.on("data", (chunk: Buffer) => said.push(chunk));
  child.stderr?.on("data", (chunk: Buffer) => said.push(chunk));
  const code = await new Promise<number | null>((resolve) => {
    child.once("error", () => resolve(null));
    child.once("close", resolve);
  });
  if (code === 0) return;
  if (signal?.aborted !== true) process.stderr.write(Buffer.concat(said));
  throw new AppError("start.failed", "The console could not be built; the reason is above.");
}

async function waitForBuildLock(): ReturnType<typeof lockFolder> {
  for (;;) {
    try {
      return await lockFolder(path.join(ROOT, ".next"), "building.lock");
    } catch (error) {
      if (!isAppError(error, "start.failed")) throw error;
      await sleep(500);
    }
  }
}

async function fingerprint(): Promise<string> {
  const hash = createHash("sha256");
  const inFolders = await Promise.all(SOURCES.map(listFiles));
  const files = [...inFolders.flat(), ...SOURCE_FILES.map((file) => path.join(ROOT, file))].sort();
  for (const file of files) {
    const content = await readFile(file).catch(() => null);
    if (content !== null) hash.update(`${path.relative(ROOT, file)}\0${content.length}\0`).update(content);
  }
  return hash.digest("hex");
}

async function listFiles(folder: string): Promise<string[]> {
  const absolute = path.join(ROOT, folder);
  if (!existsSync(absolute)) return [];
  const entries = await readdir(absolute, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => path.join(entry.parentPath, entry.name));
  return files.filter((file) => !file.includes(`${path.sep}generated${path.sep}`));
}
