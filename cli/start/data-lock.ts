import { execFileSync } from "node:child_process";
import { randomUUID } from "node:crypto";
import { readFileSync, readlinkSync } from "node:fs";
import { link, mkdir, readFile, rename, rm, stat, utimes, writeFile } from "node:fs/promises";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { AppError } from "#lib/errors/app-error.ts";

const HEARTBEAT_MS = 5_000;
const SILENT_MS = 4 * HEARTBEAT_MS;

export interface DataLock {
  /** An earlier run held it and was killed: its children may still be ending. */
  readonly tookOver: boolean;
  release(): Promise<void>;
}

/** Who holds a lock: a process is named by id and start, because ids are used again. */
interface Holder {
  readonly pid: number;
  readonly startedAt: string;
  /** The machine's boot and process namespace, in which `pid` means something. */
  readonly where: string;
}

/**
 * Makes this process the only one that works on a folder. A killed holder's lock is taken over; one held in another
 * container, whose processes cannot be seen, counts as abandoned when it has not been renewed for twenty seconds.
 *
 * @throws AppError `start.failed` naming the folder and the process that uses it
 */
export async function lockFolder(folder: string, name = "gatehouse.lock"): Promise<DataLock> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const file = path.join(folder, name);
  const draft = `${file}.${process.pid}.${randomUUID()}`;
  await writeFile(draft, JSON.stringify(describeProcess(process.pid)), { mode: 0o600 });
  let tookOver = false;
  try {
    while (!(await tryLink(draft, file))) {
      const held = await readFile(file, "utf8").catch(() => null);
      if (held === null) continue; // released meanwhile
      const holder = parseHolder(held);
      if (holder !== null && (await isHeld(holder, file))) throw inUse(folder, holder);
      tookOver = (await discard(file, held)) || tookOver;
    }
    if (tookOver) await assertStillOurs(folder, draft, file);
  } finally {
    await rm(draft, { force: true });
  }
  const heartbeat = setInterval(() => void utimes(file, new Date(), new Date()).catch(() => undefined), HEARTBEAT_MS);
  heartbeat.unref();
  return {
    tookOver,
    async release() {
      clearInterval(heartbeat);
      await rm(file, { force: true });
    },
  };
}

function inUse(folder: string, holder: Holder): AppError {
  return new AppError(
    "start.failed",
    `${folder} is in use by another Gatehouse (process ${holder.pid}): stop it, or set DATA_DIR to another folder.`,
  );
}

async function tryLink(draft: string, file: string): Promise<boolean> {
  try {
    await link(draft, file); // fails when there is one: of two starts only one succeeds
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
}

/**
 * Of several starts over one abandoned lock, a slow one may move a new lock aside for a moment, and a third may come in
 * between: who took over looks again after that moment.
 */
async function assertStillOurs(folder: string, draft: string, file: string): Promise<void> {
  await sleep(100);
  const [ours, there] = await Promise.all([readFile(draft, "utf8"), readFile(file, "utf8").catch(() => "")]);
  const holder = parseHolder(there);
  if (there !== ours && holder !== null) throw inUse(folder, holder);
}

/** Moves an abandoned lock away, unless it is no longer the one that was judged. */
async function discard(file: string, judged: string): Promise<boolean> {
  const aside = `${file}.abandoned.${randomUUID()}`;
  try {
    await rename(file, aside);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return false;
    throw error;
  }
  const same = (await readFile(aside, "utf8")) === judged;
  if (!same) await link(aside, file).catch(() => undefined);
  await rm(aside);
  return same;
}

async function isHeld(holder: Holder, file: string): Promise<boolean> {
  const seen = describeProcess(holder.pid);
  if (holder.where === seen.where) return seen.startedAt !== "" && seen.startedAt === holder.startedAt;
  for (;;) {
    const renewedMsAgo = Date.now() - (await stat(file).catch(() => ({ mtimeMs: 0 }))).mtimeMs;
    if (renewedMsAgo > SILENT_MS) return false;
    if (renewedMsAgo < HEARTBEAT_MS) {
      await sleep(HEARTBEAT_MS + 1_000);
      const later = Date.now() - (await stat(file).catch(() => ({ mtimeMs: 0 }))).mtimeMs;
      if (later < HEARTBEAT_MS + 1_000) return true;
    }
    await sleep(1_000);
  }
}

function parseHolder(text: string): Holder | null {
  try {
    const { pid, startedAt, where } = JSON.parse(text) as Partial<Holder>;
    if (typeof pid !== "number" || typeof startedAt !== "string" || typeof where !== "string") return null;
    return { pid, startedAt, where };
  } catch (error) {
    if (error instanceof SyntaxError) return null; // cut short by a crash of the machine
    throw error;
  }
}

/** `startedAt` is empty when there is no such process. */
function describeProcess(pid: number): Holder {
  if (process.platform !== "linux") {
    return { pid, startedAt: startAccordingToPs(pid), where: process.platform };
  }
  const where = `${readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim()} ${readlinkSync("/proc/self/ns/pid")}`;
  try {
    const afterName = readFileSync(`/proc/${pid}/stat`, "utf8")
      .replace(/^.*\) /s, "")
      .split(" ");
    const ended = afterName[0] === "Z" || afterName[0] === "X";
    return { pid, startedAt: ended ? "" : (afterName[19] ?? ""), where };
  } catch (error) {
    if (["ENOENT", "ESRCH"].includes((error as NodeJS.ErrnoException).code ?? "")) return { pid, startedAt: "", where };
    throw error;
  }
}

function startAccordingToPs(pid: number): string {
  try {
    return execFileSync("ps", ["-o", "lstart=", "-p", String(pid)], { encoding: "utf8" }).trim();
  } catch {
    return ""; // ps ends with 1 when there is no such process
  }
}
