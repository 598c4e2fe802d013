import { once } from "node:events";
import { chmod, chown, lstat, mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { type PostgresPrograms, spawnPostgres, type UnprivilegedUser } from "#lib/db/embedded-binaries.ts";
import { AppError } from "#lib/errors/app-error.ts";

export const SUPERUSER = "gatehouse";

/**
 * Ids of the database's processes and files when we are root. Taken from systemd's range for dynamic users: no
 * distribution gives these to a person or a package, so nobody else can read the data.
 */
const DEDICATED_USER: UnprivilegedUser = { uid: 64117, gid: 64117 };

/**
 * Who must own and run the cluster: ourselves, or when we are root its present owner or a user of its own.
 *
 * @throws AppError `start.failed` when it belongs to somebody else and we are not root
 */
export async function chooseUser(clusterDir: string): Promise<UnprivilegedUser | null> {
  const ownUid = process.getuid?.();
  const owner = await lstat(clusterDir).catch(() => null);
  if (ownUid !== 0) {
    if (owner === null || owner.uid === ownUid) return null;
    throw new AppError(
      "start.failed",
      `${clusterDir} belongs to another user (id ${owner.uid}): start as that user or as root.`,
    );
  }
  return owner !== null && owner.uid !== 0 ? { uid: owner.uid, gid: owner.gid } : DEDICATED_USER;
}

/**
 * The cluster's path as PostgreSQL may use it after it gave up root. With the working folder already inside, this
 * name needs no permission on the folders above, so that data works in /root and in private temporary folders.
 */
export function enteredPath(programs: PostgresPrograms, clusterDir: string): string {
  return programs.runAs !== null && process.platform === "linux" ? "/proc/self/cwd" : clusterDir;
}

/**
 * Makes the cluster unless there is one. It appears under its name only when complete, so a start that was killed
 * half way leaves nothing that looks usable.
 *
 * @throws AppError `start.failed`
 */
export async function ensureCluster(programs: PostgresPrograms, clusterDir: string, password: string): Promise<void> {
  if (await exists(path.join(clusterDir, "PG_VERSION"))) return refuseOtherVersion(clusterDir);
  if ((await readdir(clusterDir).catch(() => [])).length > 0) {
    throw new AppError(
      "start.failed",
      `${clusterDir} holds something that is not a PostgreSQL data folder; move it away.`,
    );
  }
  const unfinished = `${clusterDir}.unfinished`;
  await rm(unfinished, { recursive: true, force: true });
  await mkdir(unfinished, { mode: 0o700 });
  // initdb insists on a name for its user id; the dedicated user has none, so a named one makes the files.
  const maker = programs.runAs === null ? null : await namedUser();
  const asMaker = { ...programs, runAs: maker };
  if (maker !== null) await chown(unfinished, maker.uid, maker.gid);
  const data = enteredPath(asMaker, unfinished);
  await runProgram(asMaker, { name: "initdb", args: initdbArgs(data), cwd: unfinished });
  // Given on standard input: no password in a command line or in a file that another user must be able to read.
  const setPassword = `ALTER ROLE ${SUPERUSER} PASSWORD '${password}'\n`;
  await runProgram(
    asMaker,
    { name: "postgres", args: ["--single", "-D", data, "postgres"], cwd: unfinished },
    setPassword,
  );
  await writeFile(path.join(unfinished, "pg_hba.conf"), "host all all 127.0.0.1/32 scram-sha-256\n");
  if (programs.runAs !== null) await chownTree(unfinished, programs.runAs);
  await rm(clusterDir, { recursive: true, force: true });
  await rename(unfinished, clusterDir);
}

function initdbArgs(data: string): string[] {
  const locale = ["--encoding=UTF8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"];
  return ["-D", data, "-U", SUPERUSER, ...locale, "--auth=trust", "--no-instructions"];
}

async function refuseOtherVersion(clusterDir: string): Promise<void> {
  const version = (await readFile(path.join(clusterDir, "PG_VERSION"), "utf8")).trim();
  if (version === "18") return;
  throw new AppError(
    "start.failed",
    `${clusterDir} was made by PostgreSQL ${version}, this is 18: dump it with the old version and load it again.`,
  );
}

async function runProgram(
  programs: PostgresPrograms,
  program: { name: "initdb" | "postgres"; args: readonly string[]; cwd: string },
  input = "",
): Promise<void> {
  const child = spawnPostgres(programs, program, ["pipe", "pipe", "pipe"]);
  const said: string[] = [];
  child.stdout?.on("data", (chunk: Buffer) => said.push(chunk.toString()));
  child.stderr?.on("data", (chunk: Buffer) => said.push(chunk.toString()));
  child.stdin?.on("error", () => undefined); // it may end before it read its input; the exit code tells
  child.stdin?.end(input);
  const [code, signal] = await once(child, "close");
  if (code === 0) return;
  throw new AppError("start.failed", `${program.name} could not prepare the database: ${lastLines(said.join(""))}`, {
    context: { code, signal },
  });
}

export function lastLines(output: string): string {
  const lines = output.split("\n").map((line) => line.trim());
  return (
    lines
      .filter((line) => line !== "")
      .slice(-3)
      .join(" | ") || "no message"
  );
}

/** A user of this system that has a name, preferably one without rights. */
async function namedUser(): Promise<UnprivilegedUser> {
  const accounts = (await readFile("/etc/passwd", "utf8")).split("\n").map((line) => line.split(":"));
  const account = accounts.find(([name]) => name === "nobody") ?? accounts.find(([, , uid]) => Number(uid) > 0);
  const [uid, gid] = [Number(account?.[2]), Number(account?.[3])];
  if (uid > 0 && gid >= 0) return { uid, gid };
  throw new AppError(
    "start.failed",
    "Running as root, PostgreSQL needs an unprivileged user, and /etc/passwd has none.",
  );
}

async function chownTree(folder: string, user: UnprivilegedUser): Promise<void> {
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    const file = path.join(entry.parentPath, entry.name);
    if (!entry.isSymbolicLink()) await chown(file, user.uid, user.gid);
  }
  await chown(folder, user.uid, user.gid);
  await chmod(folder, 0o700);
}

async function exists(file: string): Promise<boolean> {
  return (await lstat(file).catch(() => null)) !== null;
}
