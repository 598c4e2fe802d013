import { beforeEach, describe, expect, it } from "vitest";
import { openBlobs } from "#lib/blobs/open.ts";
import { sweepBlobs } from "#services/image-repo/service.ts";
import { releaseOnceWaiting } from "#tests/harness/held-lock.ts";
import { bytesOf, sha256, upload, verifyAsDevice } from "./harness.ts";
import { assign, BYTES, clock, codeOf, ctx, FUTURE, filesKept, other, server, standForEachTest } from "./stand.ts";

standForEachTest();

describe("a download", () => {
  beforeEach(() => upload(server, "app_1", BYTES));
  const get = (headers: Record<string, string> = {}, method = "GET") =>
    server.call("/targets/app_1", { headers, method });

  it("is the whole image, its length and the promise of ranges", async () => {
    const reply = await get();
    expect([reply.status, reply.headers.get("content-length"), reply.headers.get("accept-ranges")]).toEqual([
      200,
      "400000",
      "bytes",
    ]);
    expect(reply.headers.get("content-encoding")).toBeNull();
    expect((await bytesOf(reply)).equals(BYTES)).toBe(true);
  });

  it.each([
    ["bytes=1000-", 1_000, 399_999],
    ["bytes=0-0", 0, 0],
    ["bytes=10-20", 10, 20],
    ["bytes=399999-", 399_999, 399_999],
    ["bytes=-5", 399_995, 399_999],
    ["bytes=5-9999999", 5, 399_999],
    ["bytes=-9999999", 0, 399_999],
  ])("resumes with %s", async (range, start, end) => {
    const reply = await get({ range });
    expect([reply.status, reply.headers.get("content-range")]).toEqual([206, `bytes ${start}-${end}/400000`]);
    expect(reply.headers.get("content-length")).toBe(String(end - start + 1));
    expect((await bytesOf(reply)).equals(BYTES.subarray(start, end + 1))).toBe(true);
  });

  it.each(["bytes=400000-", "bytes=-0", "bytes=9999999-99999999"])(
    "beyond the end (%s) is 416 with an empty body",
    async (range) => {
      const reply = await get({ range });
      expect([reply.status, reply.headers.get("content-range")]).toEqual([416, "bytes */400000"]);
      expect([reply.headers.get("content-length"), (await bytesOf(reply)).length]).toEqual(["0", 0]);
    },
  );

  it.each(["bytes=5-1", "bytes=-", "items=0-1", "bytes=0-1,3-4", "bytes=a-b", "bytes=99999999999999999999-"])(
    "sends the whole for %s, which it does not understand",
    async (range) => expect((await get({ range })).status).toBe(200),
  );

  it("does not continue other bytes", async () => {
    const etag = (await get()).headers.get("etag") ?? "";
    expect((await get({ range: "bytes=5-", "if-range": etag })).status).toBe(206);
    expect((await get({ range: "bytes=5-", "if-range": '"other"' })).status).toBe(200);
  });

  it("answers HEAD without a body", async () => {
    const reply = await get({}, "HEAD");
    expect([reply.status, reply.headers.get("content-length")]).toEqual([200, "400000"]);
    expect((await server.call("/targets/none", { method: "HEAD" })).status).toBe(404);
  });

  it("that fails has an empty body, whatever the reason", async () => {
    await openBlobs(ctx.config).remove(sha256(BYTES));
    const gone = await get();
    const absent = await server.call("/targets/none");
    const denied = await fetch(`${server.url}/api/v1/user_repo/targets/app_1`);
    const foreign = await server.call("/targets/app_1", { namespace: "west" });
    for (const [reply, status] of [
      [gone, 409],
      [absent, 404],
      [denied, 401],
      [foreign, 404],
    ] as const) {
      expect([reply.status, reply.headers.get("content-length")]).toEqual([status, "0"]);
      expect((await bytesOf(reply)).length).toBe(0);
    }
  });
});

describe("a deletion", () => {
  const remove = (filename: string) => server.call(`/targets/${filename}`, { method: "DELETE" });

  it("takes the image off the signed list, with its comment and its bytes", async () => {
    await upload(server, "app_1", BYTES);
    await server.call("/comments/app_1", {
      method: "PUT",
      body: '{"comment":"x"}',
      headers: { "content-type": "application/json" },
    });
    expect((await remove("app_1")).status).toBe(204);
    const { targets } = await verifyAsDevice(other, clock.now);
    expect([targets.signed.targets.size, filesKept()]).toEqual([0, 0]);
    expect((await server.call("/targets/app_1")).status).toBe(404);
    expect((await server.call("/comments/app_1")).status).toBe(404);
    expect(await codeOf(await remove("app_1"))).toEqual([404, "target_not_found"]);
  });

  it("is refused while a device has the image assigned", async () => {
    await upload(server, "app_1", BYTES);
    await assign("app_1");
    expect(await codeOf(await remove("app_1"))).toEqual([409, "image_in_use"]);
    expect((await bytesOf(server.call("/targets/app_1"))).equals(BYTES)).toBe(true);
  });

  it("leaves bytes that another image needs", async () => {
    await upload(server, "app_1", BYTES);
    await upload(server, "app_2", BYTES);
    await remove("app_1");
    expect((await bytesOf(server.call("/targets/app_2"))).equals(BYTES)).toBe(true);
  });

  it("and an upload of the same bytes wait for each other", async () => {
    await upload(server, "old_1", BYTES);
    const cross = () => Promise.all([remove("old_1"), upload(other, "new_1", BYTES)]);
    const lock = { name: `blob:${sha256(BYTES)}`, waiters: 2 };
    expect((await releaseOnceWaiting(ctx.db, lock, cross)).map(({ status }) => status)).toEqual([204, 204]);
    expect((await bytesOf(server.call("/targets/new_1"))).equals(BYTES)).toBe(true);
  });

  it("crossing an upload of the same bytes never leaves an image without bytes", async () => {
    for (let turn = 0; turn < 8; turn += 1) {
      await upload(server, `old_${turn}`, BYTES);
      const [, uploaded] = await Promise.all([remove(`old_${turn}`), upload(other, `new_${turn}`, BYTES)]);
      expect(uploaded.status).toBe(204);
      expect((await bytesOf(server.call(`/targets/new_${turn}`))).equals(BYTES)).toBe(true);
      await remove(`new_${turn}`);
    }
  });
});

describe("the sweep", () => {
  const sweep = () => sweepBlobs({ ...ctx, blobs: openBlobs(ctx.config) }, FUTURE);

  it("removes what no image lists and nothing else", async () => {
    await upload(server, "app_1", BYTES);
    const orphan = await openBlobs(ctx.config).stage(new Blob(["orphan"]).stream(), { maxBytes: 100 });
    await orphan.keep();
    await openBlobs(ctx.config).stage(new Blob(["unfinished"]).stream(), { maxBytes: 100 });
    expect([await sweep(), filesKept()]).toEqual([2, 1]);
    expect((await bytesOf(server.call("/targets/app_1"))).equals(BYTES)).toBe(true);
  });

  it("leaves what is younger than asked", async () => {
    const orphan = await openBlobs(ctx.config).stage(new Blob(["orphan"]).stream(), { maxBytes: 100 });
    await orphan.keep();
    expect(await sweepBlobs({ ...ctx, blobs: openBlobs(ctx.config) }, new Date(0))).toBe(0);
  });
});
