import { readFile, stat, writeFile } from "node:fs/promises";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { AppError } from "#lib/errors/app-error.ts";

/** Above the kernel's highest process id (2^22), so that it is never alive. */
const NOBODYS_PID = "4194305";

/**
 * Stops a server that a killed supervisor left running on this cluster.
 *
 * The caller owns the data folder's lock, so nobody supervises that server any more. A process that merely got the
 * same id since is left alone, and the lock then loses that id but stays: its shared memory key is how PostgreSQL sees
 * a backend that outlived its server.
 *
 * @throws AppError `start.failed` when the server does not end
 */
export async function endOrphan(clusterDir: string, notice: (sentence: string) => void): Promise<void> {
  const lockFile = path.join(clusterDir, "postmaster.pid");
  const lock = await readFile(lockFile, "utf8").catch(() => "");
  const pid = Number(lock.split("\n")[0]);
  if (!Number.isInteger(pid) || pid <= 1) return;
  if (!(await isPostmasterOf(pid, clusterDir))) {
    if (isAlive(pid)) await writeFile(lockFile, lock.replace(/^\d+/, NOBODYS_PID));
    return;
  }
  notice(`Stopping a PostgreSQL server (process ${pid}) that an earlier run left behind.`);
  for (const signal of ["SIGINT", "SIGQUIT", "SIGKILL"] as const) {
    if (!kill(pid, signal) || (await ended(pid, clusterDir, 4000))) return;
  }
  throw new AppError("start.failed", `An earlier PostgreSQL server (process ${pid}) on ${clusterDir} does not end.`);
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

function kill(pid: number, signal: NodeJS.Signals): boolean {
  try {
    return process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ESRCH") return false;
    throw error;
  }
}

async function ended(pid: number, clusterDir: string, withinMs: number): Promise<boolean> {
  const deadline = Date.now() + withinMs;
  while (Date.now() < deadline) {
    if (!(await isPostmasterOf(pid, clusterDir))) return true;
    await sleep(50);
  }
  return false;
}

/** On Linux told by name and working folder; elsewhere a live process with the recorded id is taken for the server. */
async function isPostmasterOf(pid: number, clusterDir: string): Promise<boolean> {
  if (process.platform !== "linux") return isAlive(pid);
  const status = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => null);
  if (status === null || !status.includes("(postgres)") || /\) [ZX] /.test(status)) return false;
  const [running, ours] = await Promise.all([stat(`/proc/${pid}/cwd`).catch(() => null), stat(clusterDir)]);
  // Unreadable means another user's process: PostgreSQL's own lock then has the last word.
  return running !== null && running.ino === ours.ino && running.dev === ours.dev;
}
