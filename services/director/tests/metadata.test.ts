import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { isJsonObject, type JsonObject } from "#lib/uptane/json.ts";
import { verifyInitialRoot, verifyNextRoot, verifySnapshot, verifyTimestamp } from "#lib/uptane/verify.ts";
import { deleteDevice, refreshDeviceRoles } from "#services/director/service.ts";
import { refreshRoots } from "#services/keyserver/service.ts";
import { assign, enrol, NEW, seen, startDirector, TestDevice, type TestDirector } from "./harness.ts";

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
let director: TestDirector;
beforeAll(async () => {
  director = await startDirector();
});
afterAll(() => director.stop());

const get = (device: TestDevice, role: string) => director.ask("GET", device.path(`${role}.json`));
const signedOf = (json: unknown): JsonObject => {
  const document = json as JsonObject;
  if (!isJsonObject(document.signed)) throw new Error("no signed part");
  return document.signed;
};
const versionsOf = async (device: TestDevice) => {
  const rows = await director.ctx.db.directorRole.findMany({ where: { deviceUuid: device.uuid } });
  return Object.fromEntries(rows.map(({ role, version }) => [role, version]));
};

describe("a device's metadata", () => {
  it("is served as the bytes that were signed, until something changes", async () => {
    const device = await enrol(director);
    const first = await get(device, "targets");
    director.clock.advance(DAY_MS);
    const again = await get(device, "targets");
    expect(first.headers["content-type"]).toMatch(/^application\/json/);
    expect(again.bytes.equals(first.bytes)).toBe(true);
    const row = await director.ctx.db.directorRole.findUniqueOrThrow({
      where: { deviceUuid_role: { deviceUuid: device.uuid, role: "targets" } },
    });
    expect(again.bytes.equals(Buffer.from(row.bytes))).toBe(true);
  });

  it("lists an assignment with ecuIdentifiers, correlation id and a 20 character date, and nothing of the image repository", async () => {
    const device = await enrol(director);
    const { correlationId } = await assign(director, [device]);
    const { json, bytes } = await get(device, "targets");
    const { expires, ...signed } = signedOf(json);
    expect(signed).toEqual({
      _type: "Targets",
      custom: { correlationId },
      targets: {
        [NEW.filepath]: {
          custom: {
            ecuIdentifiers: { [device.primary.serial]: { hardwareId: "rpi4" } },
            uri: null,
            userDefinedCustom: null,
          },
          hashes: { sha256: NEW.sha256 },
          length: NEW.length,
        },
      },
      version: 2,
    });
    expect(expires).toHaveLength(20);
    expect([...bytes].every((byte) => byte >= 0x20 && byte < 0x7f)).toBe(true);
  });

  it("is a snapshot over root and targets and a timestamp over the snapshot, all of one moment", async () => {
    const device = await enrol(director);
    await assign(director, [device]);
    await get(device, "targets");
    const root = verifyInitialRoot((await get(device, "1.root")).bytes, 1);
    const now = director.clock.now;
    const timestamp = verifyTimestamp({ bytes: (await get(device, "timestamp")).bytes, root, now });
    const snapshot = verifySnapshot({ bytes: (await get(device, "snapshot")).bytes, root, now, timestamp });
    expect(snapshot.signed.meta.get("targets.json")?.version).toBe(2);
    expect(snapshot.signed.meta.get("root.json")?.version).toBe(1);
    expect(snapshot.signed.version).toBe(2);
  });

  it("rises by one with each change, and the fetch marks the assignment as in flight everywhere", async () => {
    const device = await enrol(director);
    await assign(director, [device]);
    const before = await seen(director, device);
    expect([before.open[0]?.inFlight, before.fleet.inFlight, before.registryStatus]).toEqual([
      false,
      false,
      "Outdated",
    ]);
    expect((await device.fetch()).version).toBe(2);
    expect((await device.fetch()).version).toBe(2);
    const after = await seen(director, device);
    expect([after.open[0]?.inFlight, after.fleet.inFlight, after.registryStatus]).toEqual([
      true,
      true,
      "UpdatePending",
    ]);
    await director.ask("PUT", `/api/v1/admin/devices/${device.uuid}/targets.json`);
    expect((await device.fetch()).version).toBe(3);
    expect(await versionsOf(device)).toEqual({ targets: 3, snapshot: 3, timestamp: 3 });
  });

  it("is made for an id that never registered, and not for one of a deleted device", async () => {
    const device = new TestDevice(director);
    expect((await device.fetch()).targets.size).toBe(0);
    const gone = await enrol(director);
    await director.ctx.db.$transaction((tx) => deleteDevice(tx, director.ctx, gone.uuid));
    expect((await get(gone, "targets")).status).toBe(404);
    expect((await gone.report()).status).toBe(404);
  });

  it("keeps counting up when a deleted device comes back, so that the device does not see a rollback", async () => {
    const device = await enrol(director);
    await assign(director, [device]);
    const { version } = await device.fetch();
    await director.ctx.db.$transaction((tx) => deleteDevice(tx, director.ctx, device.uuid));
    expect((await device.register()).status).toBe(201);
    expect((await device.fetch()).version).toBeGreaterThan(version);
  });

  it("answers 404 to an address that is no device id, and 404 or 405 to what it does not have", async () => {
    expect((await director.ask("GET", "/api/v1/device/not-an-id/targets.json")).status).toBe(404);
    const device = await enrol(director);
    expect((await get(device, "unheard-of")).status).toBe(404);
    expect((await director.ask("POST", device.path("targets.json"))).status).toBe(405);
  });
});

describe("metadata that runs out", () => {
  it("is re-signed on reading in its last hour, with the same content under the next version", async () => {
    const device = await enrol(director);
    const { correlationId } = await assign(director, [device]);
    await device.fetch();
    director.clock.advance(31 * DAY_MS - 2 * HOUR_MS);
    expect((await device.fetch()).version).toBe(2);
    director.clock.advance(HOUR_MS + 1);
    const refreshed = await device.fetch();
    expect([refreshed.version, refreshed.correlationId, [...refreshed.targets.keys()]]).toEqual([
      3,
      correlationId,
      [NEW.filepath],
    ]);
    expect(refreshed.expires.getTime() - director.clock.now.getTime()).toBeGreaterThan(30 * DAY_MS - 1_001);
    expect(await versionsOf(device)).toEqual({ targets: 3, snapshot: 3, timestamp: 3 });
  });

  it("re-signs the timestamp alone when only that runs out", async () => {
    const device = await enrol(director);
    director.clock.advance(31 * DAY_MS);
    await device.fetch();
    expect(await versionsOf(device)).toEqual({ targets: 2, snapshot: 2, timestamp: 2 });
    director.clock.advance(DAY_MS);
    expect((await get(device, "timestamp")).status).toBe(200);
    expect(await versionsOf(device)).toEqual({ targets: 2, snapshot: 2, timestamp: 3 });
  });

  it("is re-signed by the worker a day ahead, without a device asking and without counting as fetched", async () => {
    const device = await enrol(director);
    await device.fetch();
    director.clock.advance(30 * DAY_MS + 2 * HOUR_MS);
    expect(await refreshDeviceRoles(director.ctx)).toBeGreaterThan(0);
    expect(await versionsOf(device)).toEqual({ targets: 2, snapshot: 2, timestamp: 2 });
    const state = await director.ask("GET", `/api/v1/admin/devices/${device.uuid}/gatehouse/state`);
    expect(state.json).toMatchObject({ targetsVersion: 2, fetchedAt: null });
    await device.fetch();
    const fetched = await director.ask("GET", `/api/v1/admin/devices/${device.uuid}/gatehouse/state`);
    expect((fetched.json as { fetchedAt: string | null }).fetchedAt).not.toBeNull();
    expect(await refreshDeviceRoles(director.ctx)).toBe(0);
  });
});

describe("the root", () => {
  it("is there in every version for ever; the next is 404 to a device and 424 to the admin API", async () => {
    const device = await enrol(director);
    director.clock.advance(340 * DAY_MS);
    await refreshRoots(director.ctx);
    const first = verifyInitialRoot((await get(device, "1.root")).bytes, 1);
    const second = verifyNextRoot(first, (await get(device, "2.root")).bytes);
    expect((await get(device, "root")).bytes.equals((await get(device, "2.root")).bytes)).toBe(true);
    const missing = await get(device, "3.root");
    expect([missing.status, (missing.json as JsonObject).code]).toEqual([404, "root_role_not_found"]);
    const admin = await director.ask("GET", "/api/v1/admin/repo/3.root.json");
    expect([admin.status, (admin.json as JsonObject).code]).toEqual([424, "root_role_not_found"]);
    expect((await director.ask("GET", "/api/v1/admin/repo/2.root.json")).bytes).toEqual(
      (await get(device, "2.root")).bytes,
    );
    expect((await get(device, "99999999999999999999.root")).status).toBe(404);
    expect((await get(device, "0.root")).status).toBe(404);
    expect(second.signed.version).toBe(2);
  });

  it("is the device's sign of life, also when the version it asks for is missing", async () => {
    const device = await enrol(director);
    director.clock.advance(HOUR_MS);
    await get(device, "7.root");
    const row = await director.ctx.db.registryDevice.findUniqueOrThrow({ where: { uuid: device.uuid } });
    expect(row.lastSeen).toEqual(director.clock.now);
    expect(row.activatedAt).not.toBeNull();
  });
});
