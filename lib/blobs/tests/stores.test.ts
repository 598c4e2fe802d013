import { createHash, randomBytes } from "node:crypto";
import { mkdtempSync, readdirSync, utimesSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { createFolderBlobs } from "#lib/blobs/folder.ts";
import { createS3Blobs } from "#lib/blobs/s3.ts";
import type { BlobStore } from "#lib/blobs/store.ts";
import { isAppError } from "#lib/errors/app-error.ts";
import { startTestStorage, type TestStorage } from "#tests/harness/s3.ts";

const SMALL = randomBytes(300_000);
/** Longer than what object storage takes in one part. */
const LARGE = randomBytes(19_000_000);
const UNLIMITED = { maxBytes: 20_000_000 };
const NAME = `treehub/${"0".repeat(64)}/objects/ab/${"c".repeat(62)}.filez`;
const FUTURE = new Date(Date.now() + 86_400_000);

const sha256 = (bytes: Buffer) => createHash("sha256").update(bytes).digest("hex");

async function* chunks(bytes: Buffer, size = 65_536): AsyncIterable<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

async function* breaksOff(bytes: Buffer): AsyncIterable<Uint8Array> {
  yield* chunks(bytes.subarray(0, bytes.length - 100_000));
  throw new Error("the connection broke");
}

const codeOf = (error: unknown) => (isAppError(error) ? error.code : "unknown");
const filesBelow = (path: string): string[] =>
  readdirSync(path, { recursive: true, withFileTypes: true }).flatMap((entry) => (entry.isFile() ? [entry.name] : []));

let folder: string;
let storage: TestStorage;
beforeAll(async () => {
  storage = await startTestStorage();
});
afterAll(() => storage.close());

const STORES: Record<string, () => BlobStore & { close?(): void }> = {
  "a folder of blobs": () => createFolderBlobs(folder),
  "S3-compatible storage of blobs": () =>
    createS3Blobs({ ...storage.place, prefix: `tests/${randomBytes(8).toString("hex")}` }),
};

describe.each(Object.entries(STORES))("%s", (_, create) => {
  let blobs: BlobStore & { close?(): void };
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "gatehouse-blobs-"));
    blobs = create();
  });
  afterEach(() => blobs.close?.());

  /** Every key, whatever its age. */
  async function keys(limit = FUTURE): Promise<string[]> {
    const found: string[] = [];
    for await (const key of blobs.keysOlderThan(limit)) found.push(key);
    for await (const key of blobs.keysOlderThan(limit, "treehub")) found.push(key);
    return found;
  }

  it.each([
    ["short", SMALL],
    ["long", LARGE],
  ])("gives back %s bytes under their SHA-256, whole and in ranges", async (_size, bytes) => {
    const staged = await blobs.stage(chunks(bytes), UNLIMITED);
    expect([staged.sha256, staged.length]).toEqual([sha256(bytes), bytes.length]);
    await staged.keep();
    await staged.discard();
    const whole = await blobs.open(staged.sha256);
    const part = await blobs.open(staged.sha256, { start: 1_000, end: 1_999 });
    if (whole === null || part === null) throw new Error("nothing stored");
    expect(whole.length).toBe(bytes.length);
    expect((await buffer(whole.stream)).equals(bytes)).toBe(true);
    expect(part.length).toBe(1_000);
    expect((await buffer(part.stream)).equals(bytes.subarray(1_000, 2_000))).toBe(true);
    expect((await blobs.stat(staged.sha256))?.length).toBe(bytes.length);
    expect(await blobs.sweepStaged(FUTURE)).toBe(0);
  });

  it.each([
    ["short", SMALL],
    ["long", LARGE],
  ])("keeps %s bytes under a name, and others instead at once", async (_size, bytes) => {
    await (await blobs.stage(chunks(Buffer.from("before")), UNLIMITED)).keep(NAME);
    const staged = await blobs.stage(chunks(bytes), UNLIMITED);
    expect((await blobs.stat(NAME))?.length).toBe(6);
    await staged.keep(NAME);
    await staged.discard();
    const found = await blobs.open(NAME);
    expect(found !== null && (await buffer(found.stream)).equals(bytes)).toBe(true);
    expect(await keys()).toEqual([NAME]);
  });

  it("keeps nothing at all, too", async () => {
    await (await blobs.stage(chunks(Buffer.alloc(0)), UNLIMITED)).keep(NAME);
    expect((await blobs.stat(NAME))?.length).toBe(0);
  });

  it("shows nothing under the key before it is kept", async () => {
    const staged = await blobs.stage(chunks(LARGE), UNLIMITED);
    expect([await blobs.open(staged.sha256), await blobs.stat(staged.sha256), await keys()]).toEqual([null, null, []]);
    await staged.discard();
    expect(await blobs.sweepStaged(FUTURE)).toBe(0);
  });

  it.each([
    ["short", SMALL],
    ["long", LARGE],
  ])("leaves nothing of %s bytes that break off, are too many or not what was announced", async (_size, bytes) => {
    await expect(blobs.stage(breaksOff(bytes), UNLIMITED)).rejects.toThrow("the connection broke");
    expect(await blobs.stage(chunks(bytes), { maxBytes: bytes.length - 1 }).catch(codeOf)).toBe("request.too_large");
    const other = { ...UNLIMITED, expectSha256: "0".repeat(64) };
    expect(await blobs.stage(chunks(bytes), other).catch(codeOf)).toBe("uptane.hash_mismatch");
    expect([await keys(), await blobs.sweepStaged(FUTURE), filesBelow(folder)]).toEqual([[], 0, []]);
  });

  it("accepts exactly the limit", async () => {
    expect((await blobs.stage(chunks(SMALL), { maxBytes: SMALL.length })).length).toBe(SMALL.length);
  });

  it("keeps the same bytes once, however often they come", async () => {
    await (await blobs.stage(chunks(SMALL), UNLIMITED)).keep();
    await (await blobs.stage(chunks(SMALL), UNLIMITED)).keep();
    expect(await keys()).toEqual([sha256(SMALL)]);
  });

  it("removes a key, twice without complaint", async () => {
    await (await blobs.stage(chunks(SMALL), UNLIMITED)).keep();
    await blobs.remove(sha256(SMALL));
    await blobs.remove(sha256(SMALL));
    expect(await blobs.open(sha256(SMALL))).toBeNull();
  });

  it.each([
    "../../etc/passwd",
    "treehub/../x",
    "/etc/passwd",
    "staged/x",
    "x",
    "treehub/.x",
    "treehub//x",
    "Treehub/x",
    "",
  ])("refuses %j, which is no key", async (key) => {
    expect(await blobs.open(key).catch(codeOf)).toBe("internal.error");
  });

  it("sweeps uploads that never ended and leaves those that may still run", async () => {
    await blobs.stage(chunks(LARGE), UNLIMITED);
    expect(await blobs.sweepStaged(new Date(0))).toBe(0);
    expect(await blobs.sweepStaged(FUTURE)).toBe(1);
    expect(await blobs.sweepStaged(FUTURE)).toBe(0);
  });

  it("lists digests and names by age, apart from each other", async () => {
    await (await blobs.stage(chunks(SMALL), UNLIMITED)).keep();
    await (await blobs.stage(chunks(SMALL), UNLIMITED)).keep(NAME);
    expect(await keys(new Date(0))).toEqual([]);
    expect(await keys()).toEqual([sha256(SMALL), NAME]);
  });

  it("says that it can be used", async () => expect(await blobs.check()).toBeUndefined());
});

describe("a folder of blobs", () => {
  it("sweeps by age, file by file", async () => {
    folder = mkdtempSync(join(tmpdir(), "gatehouse-blobs-"));
    const blobs = createFolderBlobs(folder);
    await blobs.stage(chunks(SMALL), UNLIMITED);
    await blobs.stage(chunks(SMALL.subarray(1)), UNLIMITED);
    const [old = ""] = readdirSync(join(folder, "staged"));
    utimesSync(join(folder, "staged", old), new Date(0), new Date(0));
    expect(await blobs.sweepStaged(new Date(1_000))).toBe(1);
    expect(readdirSync(join(folder, "staged"))).toHaveLength(1);
  });

  it("works on a folder that does not exist yet", async () => {
    const fresh = createFolderBlobs(join(mkdtempSync(join(tmpdir(), "gatehouse-blobs-")), "not", "yet"));
    expect(await fresh.sweepStaged(new Date())).toBe(0);
    await (await fresh.stage(chunks(SMALL), UNLIMITED)).keep();
    expect((await fresh.stat(sha256(SMALL)))?.length).toBe(SMALL.length);
  });
});

describe("S3-compatible storage of blobs", () => {
  it("that does not answer, refuses or has no such bucket is said to be unavailable", async () => {
    const { place } = storage;
    const closed = { ...place, endpoint: "http://127.0.0.1:1" };
    for (const wrong of [closed, { ...place, accessKeyId: "NOBODY" }, { ...place, bucket: "absent" }]) {
      const blobs = createS3Blobs(wrong);
      expect(await blobs.check().catch(codeOf)).toBe("internal.unavailable");
      const staged = await blobs.stage(chunks(SMALL), UNLIMITED);
      expect(await staged.keep().catch(codeOf)).toBe("internal.unavailable");
      blobs.close();
    }
  });
});
