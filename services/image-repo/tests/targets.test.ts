import { createServer } from "node:http";
import { describe, expect, it } from "vitest";
import { bytesOf, type Server, sha256, startServer, upload, verifyAsDevice } from "./harness.ts";
import { BYTES, clock, codeOf, ctx, filesKept, server, standForEachTest, targetsVersion } from "./stand.ts";

standForEachTest();

const COMMIT = "c".repeat(64);
const json = (method: string, body: unknown) => ({
  method,
  body: JSON.stringify(body),
  headers: { "content-type": "application/json" },
});
const post = (filename: string, fields: Record<string, unknown> = {}) =>
  server.call(
    `/targets/${filename}`,
    json("POST", {
      uri: "https://images.example/app",
      checksum: { method: "sha256", hash: sha256(BYTES) },
      length: BYTES.length,
      name: "app",
      version: "1",
      hardwareIds: ["rpi4"],
      ...fields,
    }),
  );
const tree = { uri: null, checksum: { method: "sha256", hash: COMMIT }, length: 0, targetFormat: "OSTREE" };
const itemOf = async (filename: string) => (await server.call(`/target_items/${filename}`)).json();

describe("an image kept elsewhere", () => {
  it("is listed with its address, and a download is sent there", async () => {
    const reply = await post("app_1");
    expect(reply.status).toBe(200);
    expect((await bytesOf(reply)).equals(await bytesOf(server.call("/targets.json")))).toBe(true);
    const download = await server.call("/targets/app_1", { redirect: "manual" });
    expect([download.status, download.headers.get("location")]).toEqual([302, "https://images.example/app"]);
    expect((await server.call("/targets/app_1", { method: "HEAD" })).status).toBe(200);
    const { targets } = await verifyAsDevice(server, clock.now);
    expect(targets.signed.targets.get("app_1")).toMatchObject({
      uri: "https://images.example/app",
      targetFormat: null,
    });
  });

  it("may be an OSTree commit, which nobody can download as a file", async () => {
    expect((await post("tree-1", tree)).status).toBe(200);
    const { targets } = await verifyAsDevice(server, clock.now);
    expect(targets.signed.targets.get("tree-1")).toMatchObject({ length: 0, targetFormat: "OSTREE" });
    const download = await server.call("/targets/tree-1");
    expect([download.status, (await bytesOf(download)).length]).toEqual([417, 0]);
  });

  it("without name or version has no custom part", async () => {
    await post("app_1", { name: undefined });
    expect(await itemOf("app_1")).toEqual({ hashes: { sha256: sha256(BYTES) }, length: BYTES.length, custom: null });
    await verifyAsDevice(server, clock.now);
    expect((await server.call("/targets/app_1", json("PATCH", { hardwareIds: ["x"] }))).status).toBe(400);
  });

  it.each([
    ["an OSTree commit with a length", { ...tree, length: 5 }],
    ["a file without bytes", { length: 0 }],
    ["an address that is not http", { uri: "file:///etc/passwd" }],
    ["an address that is not ASCII", { uri: "https://images.example/ü" }],
    ["another hash method", { checksum: { method: "sha512", hash: COMMIT } }],
    ["a name that is not ASCII", { name: "äpp" }],
  ])("is refused as %s", async (_what, fields) => {
    expect((await post("app_1", fields)).status).toBe(400);
  });

  it("keeps the bytes its name stands for, and what is stored of it", async () => {
    await upload(server, "app_1", BYTES);
    expect(await codeOf(await post("app_1", tree))).toEqual([409, "conflicting_entity"]);
    expect(await codeOf(await post("app_1", { length: 5 }))).toEqual([409, "conflicting_entity"]);
    expect((await post("app_1", { uri: null })).status).toBe(200);
    expect((await bytesOf(server.call("/targets/app_1"))).equals(BYTES)).toBe(true);
    await server.call("/targets/app_1", { method: "DELETE" });
    expect(await codeOf(await post("app_1", { length: 5 }))).toEqual([409, "conflicting_entity"]);
  });
});

describe("what is said of an image", () => {
  const patch = (body: unknown) => server.call("/targets/app_1", json("PATCH", body));
  const merge = (body: unknown) => server.call("/proprietary-custom/app_1", json("PATCH", body));
  const own = async () => {
    const { name, version, hardwareIds, targetFormat, uri, createdAt, updatedAt, ...rest } = (await itemOf("app_1"))
      .custom;
    return rest;
  };

  it("is replaced by PATCH, without a new date, and reaches the signed list", async () => {
    await upload(server, "app_1", BYTES);
    const before = await itemOf("app_1");
    clock.advance(60_000);
    const uri = "https://images.example/app";
    const reply = await patch({
      uri,
      hardwareIds: ["rpi5"],
      proprietaryCustom: { a: { b: [1, null, "x"] }, name: "no" },
    });
    const after = { ...before, custom: { ...before.custom, uri, hardwareIds: ["rpi5"], a: { b: [1, null, "x"] } } };
    expect([reply.status, await reply.json()]).toEqual([200, after]);
    expect((await (await server.call("/targets.json")).json()).signed.targets.app_1).toEqual(after);
    await patch({ hardwareIds: [], proprietaryCustom: { c: true } });
    expect([await own(), (await itemOf("app_1")).custom.hardwareIds]).toEqual([{ c: true }, ["rpi5"]]);
    expect((await patch({ proprietaryCustom: {} })).status).toBe(400);
    expect((await bytesOf(server.call("/targets/app_1"))).equals(BYTES)).toBe(true);
  });

  it("is merged by PATCH of the proprietary part, and cleared by an empty one", async () => {
    await upload(server, "app_1", BYTES);
    expect((await merge({ a: 1, b: { c: 2 } })).status).toBe(204);
    expect((await merge({ b: { d: 3 }, version: "9" })).status).toBe(204);
    expect(await own()).toEqual({ a: 1, b: { d: 3 } });
    expect((await itemOf("app_1")).custom.version).toBe("1");
    await verifyAsDevice(server, clock.now);
    expect((await merge({})).status).toBe(204);
    expect(await own()).toEqual({});
    expect(await codeOf(await server.call("/proprietary-custom/none", json("PATCH", {})))).toEqual([
      404,
      "target_not_found",
    ]);
  });

  it.each([
    ["text that is not ASCII", { a: "ü" }],
    ["a member name that is not ASCII", { ü: 1 }],
    ["a fraction", { a: 1.5 }],
    ["deep nesting", { a: [[[[[[[[[1]]]]]]]]] }],
    ["a list", []],
  ])("is refused with %s, and nothing changes", async (_what, body) => {
    await upload(server, "app_1", BYTES);
    const version = await targetsVersion();
    expect((await merge(body)).status).toBe(400);
    expect(await targetsVersion()).toBe(version);
  });

  it("does not survive what belongs to the director", async () => {
    await upload(server, "app_1", BYTES);
    await merge({ ecuIdentifiers: { a: { hardwareId: "x" } }, big: "x".repeat(60_000) });
    expect(Object.keys(await own())).toEqual(["big"]);
    expect(await codeOf(await merge({ more: "x".repeat(10_000) }))).toEqual([413, "payload_too_large"]);
  });
});

describe("an image from an address", () => {
  const origin = async (): Promise<string> => {
    const files = createServer((req, res) => {
      if (req.url === "/image") res.end(BYTES);
      else if (req.url === "/moved") res.writeHead(302, { location: "/image" }).end();
      else if (req.url === "/inside") res.writeHead(302, { location: "http://169.254.169.254/latest" }).end();
      else if (req.url === "/broken") res.writeHead(200, { "content-length": "9999" }).write("x", () => res.destroy());
      else res.writeHead(404).end();
    });
    await new Promise<void>((resolve) => files.listen(0, "127.0.0.1", resolve));
    const address = files.address();
    if (address === null || typeof address === "string") throw new Error("no port");
    stop = () => files.close();
    return `http://127.0.0.1:${address.port}`;
  };
  let stop = () => {};
  const fetchFrom = (to: Server, uri: string, query: Record<string, string> = {}) =>
    to.call(`/targets/app_1?${new URLSearchParams({ name: "app", version: "1", fileUri: uri, ...query })}`, {
      method: "PUT",
    });

  it("is fetched, over redirects, from where the settings allow", async () => {
    const url = await origin();
    const allowing = await startServer({ ...ctx, config: { ...ctx.config, FETCH_PRIVATE: ["127.0.0.0/8"] } });
    try {
      const reply = await fetchFrom(allowing, `${url}/moved`, { sha256: sha256(BYTES) });
      expect([reply.status, (await reply.json()).signed.targets.app_1.length]).toEqual([200, BYTES.length]);
      expect((await bytesOf(server.call("/targets/app_1"))).equals(BYTES)).toBe(true);
      const inside = await fetchFrom(allowing, `${url}/inside`);
      const gone = await fetchFrom(allowing, `${url}/none`);
      const broken = await fetchFrom(allowing, `${url}/broken`);
      expect([inside.status, gone.status, broken.status, filesKept()]).toEqual([400, 502, 502, 1]);
    } finally {
      await allowing.app.close();
      stop();
    }
  });

  it.each([
    "http://127.0.0.1:1/",
    "http://localhost:1/",
    "http://[::1]:1/",
    "http://[::ffff:10.0.0.1]/",
    "ftp://a.example/",
    "http://me:secret@a.example/",
    "http://2130706433:1/",
  ])("is not fetched from %s", async (uri) =>
    expect(await codeOf(await fetchFrom(server, uri))).toEqual([400, "invalid_entity"]),
  );
});

describe("ten thousand images", () => {
  it("take one change more in bounded time and memory", async () => {
    await ctx.db.imageTarget.createMany({
      data: Array.from({ length: 10_000 }, (_, index) => ({
        ...{ namespaceId: "default", filename: `firmware_2.${index}.0`, name: "firmware", version: `2.${index}.0` },
        ...{ hardwareIds: ["rpi4", "rpi5"], sha256: COMMIT, length: 1n, storage: "managed", format: "BINARY" },
      })),
    });
    await upload(server, "app_0", BYTES);
    const before = process.memoryUsage().rss;
    const begin = performance.now();
    for (const name of ["app_1", "app_2", "app_3"]) expect((await upload(server, name, BYTES)).status).toBe(204);
    expect((performance.now() - begin) / 3).toBeLessThan(10_000);
    expect(process.memoryUsage().rss - before).toBeLessThan(400 * 1_048_576);
    const { targets } = await verifyAsDevice(server, clock.now);
    expect([targets.signed.targets.size, targets.bytes.length < 8_388_608]).toEqual([10_004, true]);
  }, 60_000);
});
