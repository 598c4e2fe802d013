import { createHash, randomBytes } from "node:crypto";
import { mkdtempSync, readdirSync, utimesSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { beforeEach, describe, expect, it } from "vitest";
import { createFolderBlobs } from "#lib/blobs/folder.ts";
import type { BlobStore } from "#lib/blobs/store.ts";
import { isAppError } from "#lib/errors/app-error.ts";

const BYTES = randomBytes(300_000);
const KEY = createHash("sha256").update(BYTES).digest("hex");
const UNLIMITED = { maxBytes: 1_000_000 };
let folder: string;
let blobs: BlobStore;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "gatehouse-blobs-"));
  blobs = createFolderBlobs(folder);
});

async function* chunks(bytes: Buffer, size = 65_536): AsyncIterable<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

async function* breaksOff(): AsyncIterable<Uint8Array> {
  yield BYTES.subarray(0, 100_000);
  throw new Error("the connection broke");
}

const codeOf = (error: unknown) => (isAppError(error) ? error.code : "unknown");
const filesBelow = (path: string): string[] =>
  readdirSync(path, { recursive: true, withFileTypes: true }).flatMap((entry) => (entry.isFile() ? [entry.name] : []));

describe("a folder of blobs", () => {
  it("gives back the bytes under their SHA-256, whole and in ranges", async () => {
    const staged = await blobs.stage(chunks(BYTES), UNLIMITED);
    expect([staged.sha256, staged.length]).toEqual([KEY, BYTES.length]);
    await staged.keep();
    const whole = await blobs.open(KEY);
    const part = await blobs.open(KEY, { start: 1_000, end: 1_999 });
    if (whole === null || part === null) throw new Error("nothing stored");
    expect((await buffer(whole.stream)).equals(BYTES)).toBe(true);
    expect(part.length).toBe(1_000);
    expect((await buffer(part.stream)).equals(BYTES.subarray(1_000, 2_000))).toBe(true);
  });

  it("shows nothing under the key before it is kept", async () => {
    const staged = await blobs.stage(chunks(BYTES), UNLIMITED);
    expect(await blobs.open(KEY)).toBeNull();
    expect(await blobs.stat(KEY)).toBeNull();
    await staged.discard();
    expect(filesBelow(folder)).toEqual([]);
  });

  it("leaves nothing of an upload that breaks off, is too long or is not what was announced", async () => {
    await expect(blobs.stage(breaksOff(), UNLIMITED)).rejects.toThrow("the connection broke");
    expect(await blobs.stage(chunks(BYTES), { maxBytes: 299_999 }).catch(codeOf)).toBe("request.too_large");
    const other = { ...UNLIMITED, expectSha256: "0".repeat(64) };
    expect(await blobs.stage(chunks(BYTES), other).catch(codeOf)).toBe("uptane.hash_mismatch");
    expect(filesBelow(folder)).toEqual([]);
  });

  it("accepts exactly the limit", async () => {
    expect((await blobs.stage(chunks(BYTES), { maxBytes: BYTES.length })).length).toBe(BYTES.length);
  });

  it("keeps the same bytes once, however often they come", async () => {
    await (await blobs.stage(chunks(BYTES), UNLIMITED)).keep();
    await (await blobs.stage(chunks(BYTES), UNLIMITED)).keep();
    expect(filesBelow(folder)).toEqual([KEY]);
  });

  it("removes a key, twice without complaint", async () => {
    await (await blobs.stage(chunks(BYTES), UNLIMITED)).keep();
    await blobs.remove(KEY);
    await blobs.remove(KEY);
    expect(await blobs.open(KEY)).toBeNull();
  });

  it("refuses a key that is a path", async () => {
    expect(await blobs.open("../../etc/passwd").catch(codeOf)).toBe("internal.error");
  });

  it("sweeps uploads that never ended and leaves those that may still run", async () => {
    await blobs.stage(chunks(BYTES), UNLIMITED);
    await blobs.stage(chunks(BYTES.subarray(1)), UNLIMITED);
    const [old = ""] = readdirSync(join(folder, "staged"));
    utimesSync(join(folder, "staged", old), new Date(0), new Date(0));
    expect(await blobs.sweepStaged(new Date(1_000))).toBe(1);
    expect(readdirSync(join(folder, "staged"))).toHaveLength(1);
  });

  it("lists keys by age", async () => {
    await (await blobs.stage(chunks(BYTES), UNLIMITED)).keep();
    const listed = async (limit: Date) => {
      const keys: string[] = [];
      for await (const key of blobs.keysOlderThan(limit)) keys.push(key);
      return keys;
    };
    expect(await listed(new Date(0))).toEqual([]);
    expect(await listed(new Date(Date.now() + 60_000))).toEqual([KEY]);
  });

  it("works on a folder that does not exist yet", async () => {
    const fresh = createFolderBlobs(join(folder, "not", "yet"));
    expect(await fresh.sweepStaged(new Date())).toBe(0);
    await (await fresh.stage(chunks(BYTES), UNLIMITED)).keep();
    expect((await fresh.stat(KEY))?.length).toBe(BYTES.length);
  });
});
