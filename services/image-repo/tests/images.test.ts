import { randomBytes } from "node:crypto";
import { existsSync, readdirSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { openBlobs } from "#lib/blobs/open.ts";
import type { Ctx } from "#lib/ctx.ts";
import { sweepBlobs } from "#services/image-repo/service.ts";
import { createTestClock, createTestCtx } from "#tests/harness/ctx.ts";
import { createTestDatabase, type TestDatabase } from "#tests/harness/database.ts";
import { releaseOnceWaiting } from "#tests/harness/held-lock.ts";
import { authorization, bytesOf, type Server, sha256, startServer, upload, verifyAsDevice } from "./harness.ts";

const BYTES = randomBytes(400_000);
const FUTURE = new Date(Date.now() + 86_400_000);
const clock = createTestClock();
let database: TestDatabase;
let ctx: Ctx;
let second: Ctx;
let server: Server;
let other: Server;

beforeEach(async () => {
  database = await createTestDatabase();
  ctx = createTestCtx(database.url, { clock });
  second = createTestCtx(database.url, { clock, like: ctx });
  [server, other] = await Promise.all([startServer(ctx), startServer(second)]);
});

afterEach(async () => {
  await Promise.all([server.app.close(), other.app.close()]);
  await Promise.all([ctx.db.$disconnect(), second.db.$disconnect()]);
  await database.drop();
});

const blobFolder = () => join(ctx.config.DATA_DIR, "blobs");
const blobPath = (key: string) => join(blobFolder(), key.slice(0, 2), key);
const filesKept = () =>
  existsSync(blobFolder())
    ? readdirSync(blobFolder(), { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile()).length
    : 0;
const targetsVersion = async (from: Server = server) =>
  (await (await from.call("/targets.json")).json()).signed.version;
const codeOf = async (reply: Response) => [reply.status, (await reply.json()).code];

function form(bytes: Uint8Array, field = "file"): FormData {
  const body = new FormData();
  body.append("note", "ignored");
  body.append(field, new Blob([Uint8Array.from(bytes)]), "whatever.bin");
  return body;
}

/** Claims that a device has an image assigned. */
async function assign(filename: string): Promise<void> {
  await ctx.db.fleetDevice.create({
    data: {
      namespaceId: "default",
      uuid: crypto.randomUUID(),
      name: "d",
      deviceId: "d",
      status: "assigned",
      statusAt: new Date(),
      hardwareIds: ["rpi4"],
      installedFilenames: [],
      assignedFilenames: [filename],
    },
  });
}

describe("an upload", () => {
  it("as a form answers 200 with the new signed targets, as any other body 204", async () => {
    const query = "?name=app&version=1&hardwareIds=rpi4,%20rpi5,rpi4";
    const asForm = await server.call(`/targets/app_1${query}`, { method: "PUT", body: form(BYTES) });
    expect(asForm.status).toBe(200);
    expect((await bytesOf(asForm)).equals(await bytesOf(server.call("/targets.json")))).toBe(true);
    expect((await upload(server, "app_2", BYTES, { version: "2" })).status).toBe(204);
    const { targets } = await verifyAsDevice(server, clock.now);
    const [one, two] = [targets.signed.targets.get("app_1"), targets.signed.targets.get("app_2")];
    expect(one).toMatchObject({ length: BYTES.length, hashes: { sha256: sha256(BYTES) }, targetFormat: "BINARY" });
    expect([one?.hardwareIds, two?.hardwareIds, one?.ecuIdentifiers]).toEqual([["rpi4", "rpi5"], ["rpi4"], null]);
  });

  it("has the custom object of the contract", async () => {
    await upload(server, "app_1", BYTES);
    const { signed } = await (await server.call("/targets.json")).json();
    const at = `${clock.now.toISOString().slice(0, 19)}Z`;
    const custom = {
      name: "app",
      version: "1",
      hardwareIds: ["rpi4"],
      targetFormat: "BINARY",
      uri: null,
      createdAt: at,
      updatedAt: at,
    };
    expect(signed.targets.app_1).toEqual({ custom, hashes: { sha256: sha256(BYTES) }, length: BYTES.length });
  });

  it("without a length, in chunks, arrives whole", async () => {
    const body = new Blob([Uint8Array.from(BYTES)]).stream();
    const reply = await server.call("/targets/app_1?name=app&version=1&hardwareIds=rpi4", {
      method: "PUT",
      body,
      duplex: "half",
    });
    expect(reply.status).toBe(204);
    expect((await bytesOf(server.call("/targets/app_1"))).equals(BYTES)).toBe(true);
  });

  it.each([
    ["a file name that is not ASCII", "app_ü", {}],
    ["a file name with ..", "a..b", {}],
    ["a file name with an empty part", "a//b", {}],
    ["a file name that is a member of objects", "__proto__", {}],
    ["a name that is not ASCII", "app_1", { name: "äpp" }],
    ["a version with a control character", "app_1", { version: "1\n" }],
    ["a hardware id that is not ASCII", "app_1", { hardwareIds: "rpi4,rpí" }],
    ["an OSTree commit", "app_1", { targetFormat: "OSTREE" }],
    ["other bytes than announced", "app_1", { sha256: "0".repeat(64) }],
  ])("of %s is refused with 400 invalid_entity and leaves nothing", async (_what, filename, query) => {
    await server.call("/targets.json");
    expect(await codeOf(await upload(server, filename, BYTES, query))).toEqual([400, "invalid_entity"]);
    expect(await targetsVersion()).toBe(1);
    expect(await sweepBlobs({ ...ctx, blobs: openBlobs(ctx.config) }, FUTURE)).toBe(0);
  });

  it("without bytes is refused, since devices take length 0 for OSTree", async () => {
    expect((await upload(server, "app_1", Buffer.alloc(0))).status).toBe(400);
    expect(await targetsVersion()).toBe(1);
  });

  it("without a name, a file, or a whole form is refused", async () => {
    const put = (path: string, body: FormData | string, type?: string) =>
      server.call(path, { method: "PUT", body, ...(type === undefined ? {} : { headers: { "content-type": type } }) });
    const query = "?name=app&version=1";
    expect((await put("/targets/app_1?version=1", form(BYTES))).status).toBe(400);
    expect((await put(`/targets/app_1${query}`, form(BYTES, "data"))).status).toBe(400);
    expect((await put(`/targets/app_1${query}`, "x", "multipart/form-data")).status).toBe(400);
    const cut = '--b\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\nhalf of the fi';
    expect((await put(`/targets/app_1${query}`, cut, "multipart/form-data; boundary=b")).status).toBe(400);
    expect((await put(`/targets/app_1${query}&fileUri=http://169.254.169.254/`, "x")).status).toBe(501);
    expect([await targetsVersion(), filesKept()]).toEqual([1, 0]);
  });

  it("announced as too long is refused before it is read", async () => {
    const reply = await new Promise<number | undefined>((resolve, reject) => {
      const headers = { authorization, "content-length": "536872001", "content-type": "application/octet-stream" };
      const req = request(`${server.url}/api/v1/user_repo/targets/app_1?name=a&version=1`, { method: "PUT", headers });
      req.on("error", reject);
      req.on("response", (res) => {
        resolve(res.statusCode);
        req.destroy();
      });
      req.flushHeaders();
    });
    expect(reply).toBe(413);
  });

  it.each([
    ["application/octet-stream", ""],
    ["multipart/form-data; boundary=b", '--b\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\n'],
  ])("that breaks off (%s) leaves nothing", async (contentType, start) => {
    await server.call("/targets.json");
    const headers = { authorization, "content-length": "1000000", "content-type": contentType };
    const req = request(`${server.url}/api/v1/user_repo/targets/app_1?name=a&version=1`, { method: "PUT", headers });
    const broken = new Promise((resolve) => req.once("error", resolve));
    req.write(start);
    req.write(BYTES);
    await expect.poll(() => filesKept(), { timeout: 5_000 }).toBe(1);
    req.destroy();
    await broken;
    await expect.poll(filesKept, { timeout: 5_000 }).toBe(0);
    expect([await targetsVersion(), (await server.call("/health")).status]).toEqual([1, 404]);
  });
});

describe("a list that would outgrow the 8 MiB a device accepts", () => {
  it("is refused when made, and nothing changes", async () => {
    const hardwareIds = Array.from({ length: 90 }, (_, index) => `${index}-`.padEnd(200, "x"));
    await ctx.db.imageTarget.createMany({
      data: Array.from({ length: 500 }, (_, index) => ({
        namespaceId: "default",
        filename: `big_${index}`,
        name: "big",
        version: "1",
        hardwareIds,
        sha256: "0".repeat(64),
        length: 1n,
        storage: "managed",
      })),
    });
    const before = await ctx.db.imageRole.findMany();
    expect(await codeOf(await upload(server, "app_1", BYTES))).toEqual([413, "payload_too_large"]);
    expect(await ctx.db.imageRole.findMany()).toEqual(before);
    expect([await ctx.db.imageTarget.count(), filesKept()]).toEqual([500, 0]);
  });
});

describe("a file name", () => {
  it("keeps its bytes: other ones are refused with 409, the same ones change nothing", async () => {
    await upload(server, "app_1", BYTES);
    const version = await targetsVersion();
    expect(await codeOf(await upload(server, "app_1", randomBytes(9)))).toEqual([409, "conflicting_entity"]);
    expect((await upload(server, "app_1", BYTES)).status).toBe(204);
    expect(
      (await server.call("/targets/app_1?name=app&version=1&hardwareIds=rpi4", { method: "PUT", body: form(BYTES) }))
        .status,
    ).toBe(200);
    expect([await targetsVersion(), filesKept()]).toEqual([version, 1]);
  });

  it("takes other hardware ids with the same bytes, and keeps its age", async () => {
    await upload(server, "app_1", BYTES);
    const created = (await (await server.call("/target_items/app_1")).json()).custom.createdAt;
    clock.advance(60_000);
    await upload(server, "app_1", BYTES, { hardwareIds: "rpi4,rpi5" });
    const { custom } = await (await server.call("/target_items/app_1")).json();
    expect([custom.hardwareIds, custom.createdAt]).toEqual([["rpi4", "rpi5"], created]);
    expect(custom.updatedAt > created).toBe(true);
    await verifyAsDevice(server, clock.now);
  });

  it("that was deleted comes back with the same bytes only", async () => {
    await upload(server, "app_1", BYTES);
    await server.call("/targets/app_1", { method: "DELETE" });
    expect(await codeOf(await upload(server, "app_1", randomBytes(9)))).toEqual([409, "conflicting_entity"]);
    expect((await upload(server, "app_1", BYTES)).status).toBe(204);
    expect((await bytesOf(server.call("/targets/app_1"))).equals(BYTES)).toBe(true);
  });

  it("with a slash, a plus and a per cent sign is found under its encoded form", async () => {
    const name = "dir a/fw+1%.bin";
    expect((await upload(server, name, BYTES)).status).toBe(204);
    expect((await bytesOf(server.call("/targets/dir%20a/fw%2B1%25.bin"))).equals(BYTES)).toBe(true);
    const one = await server.call(`/gatehouse/targets/${encodeURIComponent(name)}`);
    expect((await one.json()).filename).toBe(name);
  });

  it("given twice at once to two processes belongs to one of them", async () => {
    const uploads = Array.from({ length: 6 }, (_, index) =>
      upload(index % 2 === 0 ? server : other, "app_1", Buffer.from(`bytes ${index}`)),
    );
    const statuses = (await Promise.all(uploads)).map(({ status }) => status).sort();
    expect(statuses).toEqual([204, 409, 409, 409, 409, 409]);
    const { targets } = await verifyAsDevice(other, clock.now);
    const bytes = await bytesOf(server.call("/targets/app_1"));
    expect(targets.signed.targets.get("app_1")?.hashes.sha256).toBe(sha256(bytes));
  });
});

describe("many uploads at once", () => {
  it("to two processes are all listed, one version each", async () => {
    const before = await targetsVersion();
    const uploads = Array.from({ length: 10 }, (_, index) =>
      upload(index % 2 === 0 ? server : other, `app_${index}`, Buffer.from(`bytes ${index % 3}`)),
    );
    expect((await Promise.all(uploads)).map(({ status }) => status)).toEqual(Array(10).fill(204));
    const { targets, versions } = await verifyAsDevice(other, clock.now);
    expect([targets.signed.targets.size, versions]).toEqual([10, Array(3).fill(before + 10)]);
  });
});

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

describe("verification", () => {
  const verify = async () => (await server.call("/gatehouse/targets/app_1/verify", { method: "POST" })).json();
  const shown = async () => (await server.call("/gatehouse/targets/app_1")).json();

  it("runs right after an upload: all four checks, with the keys that signed", async () => {
    await upload(server, "app_1", BYTES);
    const { verification } = await shown();
    expect(verification.state).toBe("verified");
    expect(verification.checks.map(({ check, result }: Record<string, string>) => [check, result])).toEqual([
      ["root", "ok"],
      ["targets", "ok"],
      ["length", "ok"],
      ["digest", "ok"],
    ]);
    const { root } = await verifyAsDevice(server, clock.now);
    expect(verification.checks[1].keyIds).toEqual(root.signed.roles.targets.keyids);
  });

  it("finds a byte flipped on the disk and names both digests; the same bytes uploaded again mend it", async () => {
    await upload(server, "app_1", BYTES);
    const damaged = Buffer.from(BYTES);
    damaged[1_000] = (damaged[1_000] ?? 0) ^ 1;
    writeFileSync(blobPath(sha256(BYTES)), damaged);
    const { verification } = await verify();
    const digest = verification.checks.find(({ check }: { check: string }) => check === "digest");
    expect([verification.state, digest.result]).toEqual(["mismatch", "failed"]);
    expect(digest.text).toContain(sha256(BYTES));
    expect(digest.text).toContain(sha256(damaged));
    expect((await shown()).verification.state).toBe("mismatch");
    await upload(server, "app_1", BYTES);
    expect((await shown()).verification.state).toBe("verified");
  });

  it("finds a missing end and missing bytes", async () => {
    await upload(server, "app_1", BYTES);
    writeFileSync(blobPath(sha256(BYTES)), BYTES.subarray(1));
    const results = async () => (await verify()).verification.checks.map(({ result }: { result: string }) => result);
    expect(await results()).toEqual(["ok", "ok", "failed", "failed"]);
    await openBlobs(ctx.config).remove(sha256(BYTES));
    expect(await results()).toEqual(["ok", "ok", "failed", "failed"]);
  });

  it("finds metadata that was changed in the database", async () => {
    await upload(server, "app_1", BYTES);
    const role = await ctx.db.imageRole.findFirstOrThrow({ where: { role: "targets" } });
    const forged = Buffer.from(role.bytes).toString("latin1").replace('"rpi4"', '"rpi5"');
    await ctx.db.imageRole.updateMany({ where: { role: "targets" }, data: { bytes: Buffer.from(forged, "latin1") } });
    const { verification } = await verify();
    expect([verification.state, verification.checks[1].result]).toEqual(["mismatch", "failed"]);
  });

  it("finds a root that was changed, and then trusts no targets", async () => {
    await upload(server, "app_1", BYTES);
    const root = await ctx.db.tufRoot.findFirstOrThrow();
    const forged = Buffer.from(root.bytes).toString("latin1").replace('"version":1', '"version":2');
    await ctx.db.tufRoot.updateMany({ data: { bytes: Buffer.from(forged, "latin1") } });
    const { verification } = await verify();
    expect([verification.checks[0].result, verification.checks[1].result]).toEqual(["failed", "not_checked"]);
  });
});

describe("the list for the console", () => {
  const page = async (query: string) => (await server.call(`/gatehouse/targets?${query}`)).json();
  const names = ({ data }: { data: { filename: string }[] }) => data.map(({ filename }) => filename);

  it("walks all images once in every order, also where dates are equal", async () => {
    for (const [index, name] of ["b_1", "a_1", "d_1", "c_1", "e_1"].entries()) {
      if (index !== 2) clock.advance(1_000);
      await upload(server, name, Buffer.from(name), { name: name.slice(0, 1) });
    }
    for (const [sort, expected] of [
      ["filename", "a_1 b_1 c_1 d_1 e_1"],
      ["-filename", "e_1 d_1 c_1 b_1 a_1"],
      ["createdAt", "b_1 a_1 d_1 c_1 e_1"],
      ["-createdAt", "e_1 c_1 d_1 a_1 b_1"],
    ]) {
      const walked: string[] = [];
      let cursor = "";
      do {
        const { data, nextCursor, total } = await page(`sort=${sort}&limit=2${cursor}`);
        expect(total).toBe(5);
        walked.push(...names({ data }));
        cursor = nextCursor === null ? "" : `&cursor=${nextCursor}`;
      } while (cursor !== "");
      expect(walked.join(" ")).toBe(expected);
    }
  });

  it("filters by text, taken literally, and by hardware id", async () => {
    await upload(server, "app_1", Buffer.from("1"));
    await upload(server, "appX1", Buffer.from("2"), { hardwareIds: "imx8" });
    expect(names(await page("q=APP_"))).toEqual(["app_1"]);
    expect(names(await page("q=%25"))).toEqual([]);
    expect(names(await page("hardware=imx8"))).toEqual(["appX1"]);
    expect(names(await page("q=app&sort=filename"))).toEqual(["appX1", "app_1"]);
  });

  it("refuses a cursor or a limit that makes no sense, and knows nothing of other namespaces", async () => {
    await upload(server, "app_1", BYTES);
    for (const query of ["cursor=x", "limit=0", "limit=201", "sort=size"]) {
      expect((await server.call(`/gatehouse/targets?${query}`)).status).toBe(400);
    }
    await server.call("", { method: "POST", namespace: "west" });
    expect((await server.call("/gatehouse/targets/app_1", { namespace: "west" })).status).toBe(404);
  });
});

describe("comments and items", () => {
  const json = { "content-type": "application/json" };

  it("are plain arrays and pages, as in the contract", async () => {
    await upload(server, "app_1", BYTES);
    await upload(server, "lib_1", BYTES);
    const put = await server.call("/comments/app_1", {
      method: "PUT",
      body: '{"comment":"grüße \\u0000 ok"}',
      headers: json,
    });
    expect(put.status).toBe(200);
    const all = [{ filename: "app_1", comment: "grüße  ok" }];
    expect(await (await server.call("/comments")).json()).toEqual(all);
    expect(await (await server.call("/comments?nameContains=lib")).json()).toEqual([]);
    expect(await (await server.call("/comments/app_1")).json()).toEqual({ comment: "grüße  ok" });
    const listed = await server.call("/list-target-comments", {
      method: "POST",
      body: '["app_1","lib_1"]',
      headers: json,
    });
    expect(await listed.json()).toEqual(all);
    const unknown = await server.call("/comments/none", { method: "PUT", body: '{"comment":"x"}', headers: json });
    expect(await codeOf(unknown)).toEqual([404, "target_not_found"]);
    const items = await (await server.call("/target_items?nameContains=lib&limit=5")).json();
    expect([items.total, items.offset, items.limit, items.values[0].custom.name]).toEqual([1, 0, 5, "app"]);
    expect((await server.call("/target_items?offset=-1")).status).toBe(400);
    expect(await codeOf(await server.call("/target_items/none"))).toEqual([404, "target_not_found"]);
  });
});
