import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { assignAddedImages } from "#services/director/service.ts";
import { ensureRepo } from "#services/keyserver/service.ts";
import { createTestClock, createTestCtx } from "#tests/harness/ctx.ts";
import { createTestDatabase, type TestDatabase } from "#tests/harness/database.ts";
import { createCountingDb } from "./counting.ts";
import { direct, enrol, image, makeMtu, NEW, type TestDevice, type TestDirector, toTarget } from "./harness.ts";

/* What is asked most, and what is asked for most devices, in statements; BEGIN and COMMIT count. */

let database: TestDatabase;
let director: TestDirector;
let counting: ReturnType<typeof createCountingDb>;
beforeAll(async () => {
  database = await createTestDatabase();
  const clock = createTestClock(new Date("2026-03-01T10:00:00.000Z"));
  counting = createCountingDb(database.url);
  const base = createTestCtx(database.url, { clock });
  await base.db.$disconnect();
  const ctx = { ...base, db: counting.db };
  await ensureRepo(ctx, "director");
  director = direct(ctx, clock);
});
afterAll(async () => {
  await director.app.close();
  await counting.db.$disconnect();
  await database.drop();
});

const signatures = async (device: TestDevice) => {
  const rows = await director.ctx.db.directorRole.findMany({ where: { deviceUuid: device.uuid } });
  return rows.map(({ role, checksum }) => `${role} ${checksum}`).sort();
};

describe("an idle poll", () => {
  it("takes a fixed few statements and no signature", async () => {
    const device = await enrol(director, { hardwareIds: ["rpi4", "sensor", "lamp"] });
    await device.fetch();
    await director.ask("GET", device.path("2.root.json"));
    const before = await signatures(device);
    const manifest = await counting.count(() => device.report());
    const root = await counting.count(() => director.ask("GET", device.path("2.root.json")));
    const targets = await counting.count(() => director.ask("GET", device.path("targets.json")));
    expect([manifest.length, targets.length], [...manifest, ...targets].join("\n")).toEqual([1, 1]);
    expect(root.length, root.join("\n")).toBeLessThanOrEqual(6);
    expect(await signatures(device)).toEqual(before);
  });

  it("is written down once in five minutes, so that people see when the device last spoke", async () => {
    const device = await enrol(director);
    const spoke = async () =>
      (await director.ctx.db.fleetDevice.findFirstOrThrow({ where: { uuid: device.uuid } })).lastManifestAt;
    const first = await spoke();
    director.clock.advance(299_000);
    await device.report();
    expect(await spoke()).toEqual(first);
    director.clock.advance(1_000);
    await device.report();
    expect(await spoke()).toEqual(director.clock.now);
  });
});

describe("a call for many devices", () => {
  it("takes as many statements for 1,000 devices as for one", async () => {
    const devices = await manyDevices(1_000);
    const mtuId = await makeMtu(director);
    const [first, ...rest] = devices;
    const assigned = (uuids: readonly (string | undefined)[], digit: number) => () =>
      director.ask("POST", "/api/v1/assignments", {
        body: {
          correlationId: `urn:here-ota:campaign:00000000-0000-4000-8000-00000000000${digit}`,
          mtuId,
          devices: uuids,
        },
      });
    const one = await counting.count(assigned([first], 1));
    const many = await counting.count(assigned(rest, 2));
    expect(await director.ctx.db.directorAssignment.count()).toBe(1_000);
    expect(await director.ctx.db.fleetDevice.count({ where: { status: "assigned" } })).toBe(1_000);
    expect(many.length, many.join("\n")).toBe(one.length);
    expect(many.length).toBeLessThanOrEqual(27);
    const cancelled = await counting.count(() => director.ask("PATCH", "/api/v1/assignments", { body: devices }));
    expect(await director.ctx.db.directorAssignment.count()).toBe(0);
    expect(cancelled.length, cancelled.join("\n")).toBeLessThanOrEqual(25);
    const further = await manyDevices(1_001);
    const two = await counting.count(assigned([...devices, ...further], 3));
    expect(two.length, two.join("\n")).toBeLessThanOrEqual(75);
    expect(await director.ctx.db.directorAssignment.count()).toBe(2_001);
  }, 60_000);

  it("updates and takes back 1,000 devices in as many statements as one", async () => {
    const [first, ...rest] = await manyDevices(1_000);
    const to = toTarget(NEW);
    const start = (devices: readonly (string | undefined)[]) => () =>
      director.ask("POST", "/api/v1/updates/devices", { body: { targets: { rpi4: { to } }, devices } });
    const one = await counting.count(start([first]));
    const many = await counting.count(start(rest));
    const { db } = director.ctx;
    expect(await db.directorUpdateDevice.count({ where: { status: "Assigned" } })).toBe(1_000);
    expect(many.length, many.join("\n")).toBe(one.length);
    const [update] = await db.directorUpdateDevice.findMany({ where: { deviceUuid: rest[0] ?? "" } });
    const cancelled = await counting.count(() => director.ask("PATCH", `/api/v1/updates/${update?.updateId}`));
    expect(await db.directorUpdateDevice.count({ where: { status: "Assigned" } })).toBe(1);
    expect(cancelled.length, cancelled.join("\n")).toBeLessThanOrEqual(30);
  }, 60_000);

  it("assigns a new image to 1,001 devices that wait for it, a thousand a transaction", async () => {
    const devices = await manyDevices(1_001);
    const { ctx } = director;
    const { namespaceId } = ctx;
    await ctx.db.directorAutoUpdate.createMany({
      data: devices.map((deviceUuid) => ({
        id: randomUUID(),
        namespaceId,
        deviceUuid,
        ecuSerial: "P",
        targetName: "app",
      })),
    });
    const { filepath: filename, sha256, length } = image("app_9.0");
    await ctx.db.imageAdded.create({ data: { namespaceId, name: "app", filename, sha256, length } });
    const statements = await counting.count(() => assignAddedImages(ctx));
    expect(await ctx.db.directorAssignment.count({ where: { targetFilename: filename } })).toBe(1_001);
    expect(await ctx.db.imageAdded.count()).toBe(0);
    expect(statements.length, statements.join("\n")).toBeLessThanOrEqual(75);
  }, 60_000);
});

/** Registered devices without keys that anybody holds: rows as registration leaves them. */
async function manyDevices(count: number): Promise<string[]> {
  const { db, namespaceId } = director.ctx;
  const rows = await db.$queryRaw<{ uuid: string }[]>`
    INSERT INTO director_device (uuid, "namespaceId", "primarySerial", "registeredAt")
    SELECT gen_random_uuid(), ${namespaceId}, 'P', now() FROM generate_series(1, ${count}::int) RETURNING uuid`;
  await db.$executeRaw`
    INSERT INTO director_ecu ("deviceUuid", serial, "namespaceId", "hardwareId", "keyType", "publicValue", "primary")
    SELECT uuid, 'P', "namespaceId", 'rpi4', 'ED25519', 'unused', true FROM director_device d
    WHERE NOT EXISTS (SELECT 1 FROM director_ecu e WHERE e."deviceUuid" = d.uuid)`;
  await db.$executeRaw`
    INSERT INTO fleet_device ("namespaceId", uuid, name, "deviceId", status, "statusAt")
    SELECT "namespaceId", uuid, uuid::text, uuid::text, 'up_to_date', now() FROM director_device ON CONFLICT DO NOTHING`;
  return rows.map(({ uuid }) => uuid);
}
