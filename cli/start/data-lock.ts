import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { DatabaseSync } from "node:sqlite";
import { AppError } from "#lib/errors/app-error.ts";

const SQLITE_BUSY = 5;

/** A lock lasts as long as its database is open; one that nobody refers to would be collected, and closed. */
const openLocks = new Set<DatabaseSync>();

export interface DataLock {
  /** An earlier run held it and was killed: its children may still be ending. */
  readonly tookOver: boolean;
  release(): Promise<void>;
}

/**
 * Makes this process the only one that works on a folder. The lock is SQLite's on a file that stays empty: one of the
 * operating system, held across containers too, and gone with its process however that ends. Beside it stands a note of
 * who holds it.
 *
 * @throws AppError `start.failed` naming the folder and the process that uses it
 */
export async function lockFolder(folder: string, name = "gatehouse.lock"): Promise<DataLock> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const note = path.join(folder, `${name}.holder`);
  const lock = new DatabaseSync(path.join(folder, name), { timeout: 0 });
  try {
    lock.exec("BEGIN EXCLUSIVE");
  } catch (error) {
    lock.close();
    if ((error as { errcode?: number }).errcode !== SQLITE_BUSY) throw error;
    throw inUse(folder, await readNote(note), error);
  }
  openLocks.add(lock);
  const tookOver = (await readNote(note)) !== "";
  await writeFile(note, String(process.pid), { mode: 0o600 });
  return {
    tookOver,
    async release() {
      if (!openLocks.delete(lock)) return;
      await rm(note, { force: true });
      lock.close();
    },
  };
}

function inUse(folder: string, holder: string, cause: unknown): AppError {
  const who = holder === "" ? "" : ` (process ${holder})`;
  return new AppError(
    "start.failed",
    `${folder} is in use by another Gatehouse${who}: stop it, or set DATA_DIR to another folder.`,
    { cause },
  );
}

/** Empty when nobody holds the lock, or its holder has not got that far. */
async function readNote(note: string): Promise<string> {
  try {
    return await readFile(note, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return "";
    throw error;
  }
}
