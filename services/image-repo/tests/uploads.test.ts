import { createHash, randomBytes } from "node:crypto";
import { request } from "node:http";
import { describe, expect, it } from "vitest";
import { openBlobs } from "#lib/blobs/open.ts";
import { dropStaleUploads, sweepBlobs } from "#services/image-repo/service.ts";
import { authorization, bytesOf, sha256, upload, verifyAsDevice } from "./harness.ts";
import { BYTES, clock, codeOf, ctx, FUTURE, filesKept, other, server, standForEachTest } from "./stand.ts";

standForEachTest();

const MEBI = 1_048_576;
const HOUR_MS = 3_600_000;
const md5 = (bytes: Uint8Array, form: "base64" | "hex" = "base64") => createHash("md5").update(bytes).digest(form);
const json = (body: unknown, method: string) => ({
  method,
  body: JSON.stringify(body),
  headers: { "content-type": "application/json" },
});
const put = (bytes: Uint8Array, headers: Record<string, string> = {}) => ({
  method: "PUT",
  body: Uint8Array.from(bytes),
  headers: { "content-type": "application/octet-stream", ...headers },
});

/** What a signing tool does with the address it was given, past the door. */
async function followLink(uri: string, init: RequestInit, from = server): Promise<Response> {
  const prefix = `${ctx.config.toolsUrl}/repo/api/v1/user_repo`;
  expect(uri.startsWith(`${prefix}/`)).toBe(true);
  return from.call(uri.slice(prefix.length), init);
}

const received = (filename: string) =>
  ctx.db.imageUpload.findFirstOrThrow({ where: { filename, kind: "cli", state: "received" } });

describe("a signing tool's upload by parts", () => {
  const initiate = (filename: string, fileSize: number) =>
    server.call(`/multipart/initiate/${filename}?fileSize=${fileSize}`, { method: "POST" });
  const link = async (filename: string, uploadId: string, part: number, bytes: Uint8Array) => {
    const query = new URLSearchParams({ part: `${part}`, uploadId, md5: md5(bytes), contentLength: `${bytes.length}` });
    return server.call(`/multipart/url/${filename}?${query}`);
  };
  const complete = (filename: string, uploadId: string, eTags: string[], from = server) =>
    from.call(
      `/multipart/complete/${filename}`,
      json({ uploadId, partETags: eTags.map((eTag, index) => ({ part: index + 1, eTag })) }, "PUT"),
    );

  it("gives out addresses, answers ETags and keeps the whole for the signed list", async () => {
    const bytes = Buffer.concat([Buffer.alloc(100 * MEBI, "a"), BYTES]);
    const opened = await (await initiate("dir/app-1", bytes.length)).json();
    expect(opened).toEqual({ uploadId: expect.any(String), partSize: 104_857_600 });
    const parts = [bytes.subarray(0, opened.partSize), bytes.subarray(opened.partSize)];
    const eTags: string[] = [];
    for (const [index, part] of parts.entries()) {
      const { uri } = await (await link("dir/app-1", opened.uploadId, index + 1, part)).json();
      const sent = await followLink(uri, put(part, { "content-md5": md5(part) }));
      expect(sent.status).toBe(200);
      eTags.push(sent.headers.get("etag") ?? "");
    }
    expect(eTags).toEqual(parts.map((part) => `"${md5(part, "hex")}"`));
    expect((await complete("dir/app-1", opened.uploadId, ["x", ...eTags.slice(1)])).status).toBe(400);
    expect((await complete("dir/app-1", opened.uploadId, eTags)).status).toBe(200);
    expect((await complete("dir/app-1", opened.uploadId, eTags, other)).status).toBe(200);
    expect(await received("dir/app-1")).toMatchObject({ sha256: sha256(bytes), length: BigInt(bytes.length) });
    expect([filesKept(), (await server.call("/targets/dir/app-1")).status]).toEqual([1, 404]);
  }, 60_000);

  it("takes no bytes but those an address was made for", async () => {
    const { uploadId } = await (await initiate("app-1", BYTES.length)).json();
    const { uri } = await (await link("app-1", uploadId, 1, BYTES)).json();
    const otherBytes = randomBytes(BYTES.length);
    expect((await followLink(uri, put(otherBytes))).status).toBe(400);
    expect((await followLink(uri, put(BYTES.subarray(1)))).status).toBe(400);
    const changed = `${uri.slice(0, -8)}${uri.endsWith("AAAAAAAA") ? "BBBBBBBB" : "AAAAAAAA"}`;
    expect((await followLink(changed, put(BYTES))).status).toBe(403);
    const path = uri.slice(uri.indexOf("/multipart/"));
    const elsewhere = await server.call(path, { ...put(BYTES), namespace: "west" });
    expect(elsewhere.status).toBe(404);
    expect((await fetch(`${server.url}/api/v1/user_repo${path}`, put(BYTES))).status).toBe(401);
    clock.advance(HOUR_MS + 1_000);
    expect((await followLink(uri, put(BYTES))).status).toBe(403);
    clock.advance(-HOUR_MS - 1_000);
    expect(filesKept()).toBe(0);
    expect((await complete("app-1", uploadId, [])).status).toBe(400);
  });

  it.each([
    ["of a name that is listed", "app_1", 10, 409, "conflicting_entity"],
    ["that is too large", "app_2", 9_000_000_000, 413, "payload_too_large"],
    ["of a name no device could ask for", "a..b", 10, 400, "invalid_entity"],
    ["of nothing", "app_2", 0, 400, "invalid_entity"],
  ])("%s is refused at once", async (_what, filename, size, status, code) => {
    await upload(server, "app_1", BYTES);
    expect(await codeOf(await initiate(filename, size))).toEqual([status, code]);
  });

  it("refuses an address for a part that is too big, and one of another upload", async () => {
    const { uploadId } = await (await initiate("app-1", 10)).json();
    expect((await link("app-1", uploadId, 1, Buffer.alloc(11))).status).toBe(413);
    expect((await link("app-1", uploadId, 2, Buffer.alloc(1))).status).toBe(400);
    expect((await link("app-2", uploadId, 1, Buffer.alloc(10))).status).toBe(404);
    expect((await link("app-1", crypto.randomUUID(), 1, Buffer.alloc(10))).status).toBe(404);
  });
});

describe("a signing tool's upload in one piece", () => {
  const ask = (filename: string, headers: Record<string, string | number>) =>
    new Promise<{ status: number | undefined; location: string }>((resolve, reject) => {
      const path = `${server.url}/api/v1/user_repo/uploads/${filename}`;
      const req = request(path, { method: "PUT", headers: { authorization, ...headers } });
      req.on("error", reject);
      req.on("response", (res) => {
        resolve({ status: res.statusCode, location: res.headers.location ?? "" });
        req.destroy();
      });
      req.flushHeaders();
    });

  it("is sent on to an address that takes exactly it", async () => {
    const { status, location } = await ask("app-1", { "content-length": BYTES.length });
    expect(status).toBe(302);
    expect((await followLink(location, put(BYTES.subarray(1)))).status).toBe(400);
    const sent = await followLink(location, put(BYTES), other);
    expect([sent.status, sent.headers.get("etag")]).toEqual([200, `"${md5(BYTES, "hex")}"`]);
    expect((await received("app-1")).sha256).toBe(sha256(BYTES));
    expect((await ask("app-1", { "transfer-encoding": "chunked" })).status).toBe(411);
    expect((await ask("app-1", { "content-length": 9_000_000_000 })).status).toBe(413);
    await upload(server, "app_1", BYTES);
    expect((await ask("app_1", { "content-length": 10 })).status).toBe(409);
  });
});

describe("the console's upload by parts", () => {
  const bytes = Buffer.concat([randomBytes(1_000), Buffer.alloc(32 * MEBI, "b")]);
  const parts = [0, 16, 32].map((at) => bytes.subarray(at * MEBI, (at + 16) * MEBI));
  const open = async (fields: Record<string, unknown> = {}) => {
    const body = {
      filename: "app_1",
      name: "app",
      version: "1",
      hardwareIds: ["rpi4"],
      length: bytes.length,
      ...fields,
    };
    return server.call("/gatehouse/uploads", json(body, "POST"));
  };
  const send = (uploadId: string, number: number, part: Uint8Array, query = "", from = server) =>
    from.call(`/gatehouse/uploads/${uploadId}/parts/${number}${query}`, put(part));
  const finish = (uploadId: string, from = server) =>
    from.call(`/gatehouse/uploads/${uploadId}/complete`, { method: "POST" });

  it("takes parts in any order and twice, tells which are there, and lists the verified image", async () => {
    const reply = await open({ sha256: sha256(bytes) });
    const { uploadId, partSize, partCount } = await reply.json();
    expect([reply.status, partSize, partCount]).toEqual([201, 16 * MEBI, 3]);
    for (const [from, number] of [
      [server, 3],
      [other, 1],
      [server, 1],
    ] as const) {
      const part = parts[number - 1] ?? Buffer.alloc(0);
      const sent = await send(uploadId, number, part, `?sha256=${sha256(part)}`, from);
      expect(await sent.json()).toEqual({ number, length: part.length, sha256: sha256(part) });
    }
    expect(await codeOf(await finish(uploadId))).toEqual([400, "invalid_entity"]);
    const state = await (await other.call(`/gatehouse/uploads/${uploadId}`)).json();
    expect(state.parts.map(({ number }: { number: number }) => number)).toEqual([1, 3]);
    await send(uploadId, 2, parts[1] ?? Buffer.alloc(0));
    const listed = await Promise.all([finish(uploadId), finish(uploadId, other)]);
    expect(listed.map(({ status }) => status)).toEqual([200, 200]);
    expect((await listed[0]?.json())?.verification.state).toBe("verified");
    expect((await finish(uploadId)).status).toBe(200);
    expect((await bytesOf(server.call("/targets/app_1"))).equals(bytes)).toBe(true);
    expect((await verifyAsDevice(other, clock.now)).targets.signed.targets.get("app_1")?.length).toBe(bytes.length);
    expect(filesKept()).toBe(1);
  });

  it("refuses a part that is not what was announced, and keeps what was there", async () => {
    const { uploadId } = await (await open({ length: BYTES.length })).json();
    await send(uploadId, 1, BYTES);
    expect((await send(uploadId, 1, BYTES.subarray(1))).status).toBe(400);
    expect((await send(uploadId, 1, Buffer.concat([BYTES, BYTES]))).status).toBe(413);
    expect((await send(uploadId, 1, randomBytes(BYTES.length), `?sha256=${sha256(BYTES)}`)).status).toBe(400);
    expect((await send(uploadId, 2, BYTES)).status).toBe(400);
    const { parts: kept } = await (await server.call(`/gatehouse/uploads/${uploadId}`)).json();
    expect(kept).toEqual([{ number: 1, length: BYTES.length, sha256: sha256(BYTES) }]);
    expect(filesKept()).toBe(1);
  });

  it("is not listed when the whole has another digest; a part sent anew mends it", async () => {
    const { uploadId } = await (await open({ length: BYTES.length, sha256: sha256(BYTES) })).json();
    await send(uploadId, 1, randomBytes(BYTES.length));
    expect(await codeOf(await finish(uploadId))).toEqual([400, "invalid_entity"]);
    expect((await server.call("/targets/app_1")).status).toBe(404);
    await send(uploadId, 1, BYTES);
    expect((await finish(uploadId)).status).toBe(200);
  });

  it("given up leaves nothing, but bytes that an image has stay", async () => {
    await upload(server, "app_0", BYTES);
    const { uploadId } = await (await open({ length: BYTES.length })).json();
    await send(uploadId, 1, BYTES);
    expect((await server.call(`/gatehouse/uploads/${uploadId}`, { method: "DELETE" })).status).toBe(204);
    expect(await codeOf(await finish(uploadId))).toEqual([404, "missing_entity"]);
    expect((await bytesOf(server.call("/targets/app_0"))).equals(BYTES)).toBe(true);
  });

  it("of another namespace does not exist", async () => {
    const { uploadId } = await (await open({ length: BYTES.length })).json();
    await server.call("", { ...json({}, "POST"), namespace: "west" });
    const seen = await server.call(`/gatehouse/uploads/${uploadId}`, { namespace: "west" });
    const sent = await server.call(`/gatehouse/uploads/${uploadId}/parts/1`, { ...put(BYTES), namespace: "west" });
    expect([seen.status, sent.status]).toEqual([404, 404]);
  });

  it("survives the sweep while somebody goes on with it, and is given up after two days", async () => {
    const { uploadId } = await (await open({ length: BYTES.length })).json();
    await send(uploadId, 1, BYTES);
    const sweep = () => sweepBlobs({ ...ctx, blobs: openBlobs(ctx.config) }, FUTURE);
    expect([await dropStaleUploads(ctx), await sweep()]).toEqual([0, 0]);
    clock.advance(49 * HOUR_MS);
    expect([await dropStaleUploads(ctx), await sweep(), filesKept()]).toEqual([1, 1, 0]);
    clock.advance(-49 * HOUR_MS);
  });

  it("of a name with other bytes is refused before anything is sent", async () => {
    await upload(server, "app_1", BYTES);
    expect(await codeOf(await open())).toEqual([409, "conflicting_entity"]);
    expect((await open({ length: BYTES.length, sha256: sha256(BYTES) })).status).toBe(201);
  });
});
