import { createHash, randomUUID } from "node:crypto";
import { type FileHandle, mkdir, open, readdir, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import type { BlobStore, StagedBlob, StageLimits } from "#lib/blobs/store.ts";
import { AppError } from "#lib/errors/app-error.ts";

/**
 * Blobs as files: `<folder>/ab/abcd…` by SHA-256, uploads in `<folder>/staged`. A file gets its final name only after its
 * bytes are on the disk, and the rename is made durable too, so that a crash leaves either the whole blob or none.
 */
export function createFolderBlobs(folder: string): BlobStore {
  const staged = join(folder, "staged");
  const pathOf = (key: string) => join(folder, assertKey(key).slice(0, 2), key);
  return {
    stage: (source, limits) => stageFile({ folder, staged, pathOf }, source, limits),
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
    keysOlderThan: (limit) => keysOlderThan(folder, limit),
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
  };
}

type Places = { folder: string; staged: string; pathOf: (key: string) => string };

async function stageFile(
  { folder, staged, pathOf }: Places,
  source: AsyncIterable<Uint8Array>,
  limits: StageLimits,
): Promise<StagedBlob> {
  await mkdir(staged, { recursive: true, mode: 0o700 });
  const path = join(staged, randomUUID());
  const file = await open(path, "wx", 0o600);
  let written: { sha256: string; length: number };
  try {
    written = await writeAll(file, source, limits);
    await file.sync();
  } catch (error) {
    await file.close();
    await rm(path, { force: true });
    throw isNoSpace(error)
      ? new AppError("internal.unavailable", "There is no space left to store this.", { cause: error })
      : error;
  }
  await file.close();
  return {
    ...written,
    async keep() {
      const target = pathOf(written.sha256);
      const parent = join(folder, written.sha256.slice(0, 2));
      await mkdir(parent, { recursive: true, mode: 0o700 });
      await rename(path, target);
      await syncFolder(parent);
      await syncFolder(folder);
    },
    discard: () => rm(path, { force: true }),
  };
}

async function writeAll(file: FileHandle, source: AsyncIterable<Uint8Array>, limits: StageLimits) {
  const hash = createHash("sha256");
  let length = 0;
  for await (const chunk of source) {
    length += chunk.byteLength;
    if (length > limits.maxBytes) {
      throw new AppError("request.too_large", `At most ${limits.maxBytes} bytes are accepted.`);
    }
    hash.update(chunk);
    await writeChunk(file, chunk);
  }
  const sha256 = hash.digest("hex");
  if (limits.expectSha256 !== undefined && limits.expectSha256 !== sha256) {
    throw new AppError(
      "uptane.hash_mismatch",
      `The bytes that arrived have the SHA-256 ${sha256}, not ${limits.expectSha256}.`,
    );
  }
  return { sha256, length };
}

/** A write may take only a part. */
async function writeChunk(file: FileHandle, chunk: Uint8Array): Promise<void> {
  for (let offset = 0; offset < chunk.byteLength; ) {
    const { bytesWritten } = await file.write(chunk, offset);
    offset += bytesWritten;
  }
}

/** Makes a rename or a new folder survive a power cut. */
async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, "r");
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

async function* keysOlderThan(folder: string, limit: Date): AsyncIterable<string> {
  for (const group of (await readdir(folder).catch(absentAsNull)) ?? []) {
    if (!/^[0-9a-f]{2}$/.test(group)) continue;
    for (const key of (await readdir(join(folder, group)).catch(absentAsNull)) ?? []) {
      const facts = await stat(join(folder, group, key)).catch(absentAsNull);
      if (facts !== null && facts.mtime < limit) yield key;
    }
  }
}

/** Keys become paths, so nothing but a digest may pass. */
function assertKey(key: string): string {
  if (/^[0-9a-f]{64}$/.test(key)) return key;
  throw new AppError("internal.error", "A blob key must be a SHA-256.");
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
