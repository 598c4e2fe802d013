import { randomUUID } from "node:crypto";
import { constants } from "node:fs";
import { access, type FileHandle, mkdir, open, opendir, readdir, rename, rm, stat } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { isContentKey, STAGED } from "#lib/blobs/keys.ts";
import { measuring } from "#lib/blobs/measure.ts";
import type { BlobStore, StagedBlob, StageLimits } from "#lib/blobs/store.ts";
import { AppError } from "#lib/errors/app-error.ts";

/**
 * Blobs as files: `<folder>/ab/abcd…` by SHA-256, others by their names, uploads in `<folder>/staged`. A file gets its final name only after its
 * bytes are on the disk, and the rename is made durable too, so that a crash leaves either the whole blob or none.
 */
export function createFolderBlobs(folder: string): BlobStore {
  const staged = join(folder, STAGED);
  const pathOf = (key: string) => (isContentKey(key) ? join(folder, key.slice(0, 2), key) : join(folder, key));
  return {
    stage: (source, limits) => stageFile({ staged, pathOf }, source, limits),
    async open(key, range) {
      const file = await open(pathOf(key), "r").catch(absentAsNull);
      if (file === null) return null;
      const { size } = await file.stat();
      const stream = file.createReadStream(range === undefined ? {} : { start: range.start, end: range.end });
      return { stream, length: range === undefined ? size : Math.min(range.end, size - 1) - range.start + 1 };
    },
    async stat(key) {
      const facts = await stat(pathOf(key)).catch(absentAsNull);
      return facts === null ? null : { length: facts.size, modifiedAt: facts.mtime };
    },
    remove: (key) => rm(pathOf(key), { force: true }),
    keysOlderThan: (limit, below) =>
      below === undefined ? contentKeysOlderThan(folder, limit) : namesOlderThan(folder, below, limit),
    async sweepStaged(olderThan) {
      let removed = 0;
      for (const name of (await readdir(staged).catch(absentAsNull)) ?? []) {
        const path = join(staged, name);
        const facts = await stat(path).catch(absentAsNull);
        if (facts === null || facts.mtime >= olderThan) continue;
        await rm(path, { force: true });
        removed += 1;
      }
      return removed;
    },
    async check() {
      try {
        await mkdir(folder, { recursive: true, mode: 0o700 });
        await access(folder, constants.R_OK | constants.W_OK | constants.X_OK);
      } catch (cause) {
        throw new AppError("internal.unavailable", "The folder of blobs can't be used.", { cause });
      }
    },
  };
}

type Places = { staged: string; pathOf: (key: string) => string };

async function stageFile(
  { staged, pathOf }: Places,
  source: AsyncIterable<Uint8Array>,
  limits: StageLimits,
): Promise<StagedBlob> {
  await mkdir(staged, { recursive: true, mode: 0o700 });
  const path = join(staged, randomUUID());
  const file = await open(path, "wx", 0o600);
  const measured = measuring(source, limits);
  try {
    for await (const chunk of measured.bytes) await writeChunk(file, chunk);
    await file.sync();
  } catch (error) {
    await file.close();
    await rm(path, { force: true });
    throw isNoSpace(error)
      ? new AppError("internal.unavailable", "There is no space left to store this.", { cause: error })
      : error;
  }
  await file.close();
  const { sha256, length } = measured.result();
  return {
    sha256,
    length,
    async keep(name = sha256) {
      const target = pathOf(name);
      const parent = dirname(target);
      const made = await mkdir(parent, { recursive: true, mode: 0o700 });
      await rename(path, target);
      await syncUpwards(parent, made === undefined ? parent : dirname(made));
    },
    discard: () => rm(path, { force: true }),
  };
}

/** A write may take only a part. */
async function writeChunk(file: FileHandle, chunk: Uint8Array): Promise<void> {
  for (let offset = 0; offset < chunk.byteLength; ) {
    const { bytesWritten } = await file.write(chunk, offset);
    offset += bytesWritten;
  }
}

/** Makes a rename, and the folders that were made for it, survive a power cut. */
async function syncUpwards(from: string, to: string): Promise<void> {
  for (let path = from; ; path = dirname(path)) {
    const folder = await open(path, "r");
    try {
      await folder.sync();
    } finally {
      await folder.close();
    }
    if (path === to) return;
  }
}

async function* contentKeysOlderThan(folder: string, limit: Date): AsyncIterable<string> {
  for (const group of (await readdir(folder).catch(absentAsNull)) ?? []) {
    if (!/^[0-9a-f]{2}$/.test(group)) continue;
    for (const key of (await readdir(join(folder, group)).catch(absentAsNull)) ?? []) {
      const facts = await stat(join(folder, group, key)).catch(absentAsNull);
      if (facts !== null && facts.mtime < limit) yield key;
    }
  }
}

async function* namesOlderThan(folder: string, below: string, limit: Date): AsyncIterable<string> {
  const top = await opendir(join(folder, below), { recursive: true }).catch(absentAsNull);
  if (top === null) return;
  for await (const entry of top) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    const facts = await stat(path).catch(absentAsNull);
    if (facts !== null && facts.mtime < limit) yield relative(folder, path);
  }
}

function absentAsNull(error: unknown): null {
  if (hasCode(error, "ENOENT")) return null;
  throw error;
}

function isNoSpace(error: unknown): boolean {
  return hasCode(error, "ENOSPC") || hasCode(error, "EDQUOT");
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && "code" in error && error.code === code;
}
