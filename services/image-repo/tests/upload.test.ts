import { randomBytes } from "node:crypto";
import { request } from "node:http";
import { describe, expect, it } from "vitest";
import { openBlobs } from "#lib/blobs/open.ts";
import { sweepBlobs } from "#services/image-repo/service.ts";
import { authorization, bytesOf, sha256, upload, verifyAsDevice } from "./harness.ts";
import {
  BYTES,
  clock,
  codeOf,
  ctx,
  FUTURE,
  filesKept,
  form,
  other,
  server,
  standForEachTest,
  targetsVersion,
} from "./stand.ts";

standForEachTest();

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
    expect((await put("/targets/app_1?version=1", form(BYTES))).status).toBe(404);
    expect((await put(`/targets/app_1${query}`, form(BYTES, "data"))).status).toBe(400);
    expect((await put(`/targets/app_1${query}`, "x", "multipart/form-data")).status).toBe(400);
    const cut = '--b\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\nhalf of the fi';
    expect((await put(`/targets/app_1${query}`, cut, "multipart/form-data; boundary=b")).status).toBe(400);
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
