import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { enrol, OLD, startDirector, TestDevice, type TestDirector } from "./harness.ts";

let director: TestDirector;
let devices: TestDevice[];
beforeAll(async () => {
  director = await startDirector();
  devices = [];
  for (const hardware of ["alpha", "beta", "alpha"]) {
    director.clock.advance(1_000);
    devices.push(await enrol(director, { hardwareIds: [hardware, "sensor"] }));
  }
});
afterAll(() => director.stop());

const get = (path: string, namespace?: string) =>
  director.ask("GET", `/api/v1/admin/devices${path}`, namespace === undefined ? {} : { namespace });
const device = (index: number): TestDevice => devices[index] ?? new TestDevice(director);

describe("the director's admin reads", () => {
  it("list registered devices, oldest first, page by page", async () => {
    const stored = await director.ctx.db.directorDevice.findMany({ orderBy: [{ createdAt: "asc" }, { uuid: "asc" }] });
    const uuids = stored.map(({ uuid }) => uuid);
    expect((await get("")).json).toEqual({ values: uuids, total: 3, offset: 0, limit: 50 });
    expect((await get("?offset=1&limit=1")).json).toEqual({ values: [uuids[1]], total: 3, offset: 1, limit: 1 });
    expect((await get("?limit=100000")).json).toMatchObject({ limit: 1_000 });
    expect((await get("?limit=-1")).status).toBe(400);
    expect((await get("?offset=x")).status).toBe(400);
    expect((await get("", "elsewhere")).json).toMatchObject({ values: [], total: 0 });
  });

  it("find devices by their primary's hardware", async () => {
    const reply = await get("?primaryHardwareId=alpha");
    expect(reply.json).toMatchObject({ total: 2 });
    const values = (reply.json as { values: { id: string; primaryEcu: string }[] }).values;
    expect(new Map(values.map(({ id, primaryEcu }) => [id, primaryEcu]))).toEqual(
      new Map([device(0), device(2)].map(({ uuid, primary }) => [uuid, primary.serial])),
    );
    expect((await get("?primaryHardwareId=sensor")).json).toMatchObject({ values: [], total: 0 });
  });

  it("list hardware ids, each once", async () => {
    expect((await get("/hardware_identifiers")).json).toEqual({
      values: ["alpha", "beta", "sensor"],
      total: 3,
      offset: 0,
      limit: 50,
    });
  });

  it("show what ECUs run, once they have said so", async () => {
    const silent = await enrol(director, { image: null });
    expect((await get(`/${silent.uuid}`)).json).toEqual([]);
    const reply = await get(`/${device(0).uuid}?includeReplaced=true`);
    expect(reply.json).toContainEqual({
      id: device(0).primary.serial,
      hardwareId: "alpha",
      primary: true,
      image: { filepath: OLD.filepath, size: OLD.length, hash: { sha256: OLD.sha256 } },
    });
    expect(reply.json).toHaveLength(2);
    const missing = await get(`/${randomUUID()}`);
    expect([missing.status, (missing.json as { code: string }).code]).toEqual([404, "device_missing_primary_ecu"]);
  });

  it("list installed targets with an entry for every id asked for", async () => {
    const unknown = randomUUID();
    const reply = await director.ask("POST", "/api/v1/admin/devices/list-installed-targets", {
      body: [device(1).uuid, unknown],
    });
    const { values } = reply.json as { values: Record<string, unknown[]> };
    expect(values[unknown]).toEqual([]);
    expect(values[device(1).uuid]).toContainEqual({
      ecuId: device(1).primary.serial,
      checksum: { method: "sha256", hash: OLD.sha256 },
      filename: OLD.filepath,
      hardwareId: "beta",
      isPrimary: true,
    });
  });

  it("list devices with all their ECUs, page by page", async () => {
    const all = await get("/ecus");
    const { values, total } = all.json as { values: Record<string, { ecuSerial: string }[]>[]; total: number };
    expect(values).toHaveLength(total);
    const stored = await director.ctx.db.directorDevice.findMany({ orderBy: [{ createdAt: "asc" }, { uuid: "asc" }] });
    const second = stored[1]?.uuid ?? "";
    const reply = await get("/ecus?offset=1&limit=1");
    expect(reply.json).toMatchObject({ total, offset: 1, limit: 1, values: [{ [second]: expect.any(Array) }] });
    const own = devices.find(({ uuid }) => uuid === second) ?? device(0);
    const { keytype, keyval } = own.primary.signer.publicKey;
    const [listed] = (reply.json as { values: Record<string, unknown[]>[] }).values;
    expect(listed?.[second]).toContainEqual({
      ecuSerial: own.primary.serial,
      deviceId: second,
      namespace: "default",
      hardwareId: own.primary.hardwareId,
      publicKey: { keytype, keyval },
      installedTarget: { uuid: expect.stringMatching(/^[0-9a-f-]{36}$/) },
      primary: true,
    });
    const uuids = values.flatMap((value) => Object.values(value)).flat();
    expect(
      new Set(uuids.map((ecu) => JSON.stringify((ecu as { installedTarget?: unknown }).installedTarget))).size,
    ).toBe(2);
  });

  it("count ECUs an image is installed on, leaving out what none runs", async () => {
    const reply = await director.ask("POST", "/api/v1/admin/images/installed_count", {
      body: { filepaths: [OLD.filepath, "nobody", "__proto__"] },
    });
    expect(reply.json).toEqual({ [OLD.filepath]: 6 });
  });

  it("give an ECU's public key as it was registered", async () => {
    const { serial, signer } = device(0).ecu(1);
    const { keytype, keyval } = signer.publicKey;
    expect((await get(`/${device(0).uuid}/ecus/${serial}/public_key`)).json).toEqual({ keytype, keyval });
    expect((await get(`/${device(0).uuid}/ecus/unheard-of/public_key`)).status).toBe(404);
  });

  it("tell the state of a device, and answer 404 for one of another namespace", async () => {
    await director.ask("POST", "/api/v1/admin/repo", { namespace: "elsewhere" });
    expect((await get(`/${device(0).uuid}/gatehouse/state`)).json).toMatchObject({
      registeredAt: expect.stringMatching(/^.{19}Z$/),
      targetsVersion: 1,
      mayStillInstall: false,
      ecus: [{ primary: true, installed: { filename: OLD.filepath }, assigned: null }, { hardwareId: "sensor" }],
    });
    expect((await get(`/${device(0).uuid}/gatehouse/state`, "elsewhere")).status).toBe(404);
    expect((await get(`/${device(0).uuid}/gatehouse/manifests/${"0".repeat(64)}`)).status).toBe(404);
    const outdate = (namespace: string) =>
      director.ask("PUT", `/api/v1/admin/devices/${device(0).uuid}/targets.json`, { namespace });
    expect((await outdate("elsewhere")).status).toBe(404);
    expect((await outdate("default")).status).toBe(202);
  });

  it("forget a device that somebody else's registry has lost, of their own namespace only", async () => {
    const { uuid } = device(2);
    const forget = (namespace: string) =>
      director.ask("DELETE", `/api/v1/admin/devices/${uuid}/gatehouse`, { namespace });
    expect((await forget("elsewhere")).status).toBe(204);
    expect((await get(`/${uuid}`)).status).toBe(200);
    for (const _again of ["", "again"]) expect((await forget("default")).status).toBe(204);
    expect((await get(`/${uuid}`)).status).toBe(404);
  });

  it("need the services token", async () => {
    const reply = await director.app.inject({ method: "GET", url: "/api/v1/admin/devices" });
    expect(reply.statusCode).toBe(401);
  });
});
