import { randomUUID } from "node:crypto";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type Actor, SYSTEM } from "#lib/authz/actor.ts";
import { type BackendCtx, createBackends } from "#lib/backends/backends.ts";
import { loadConfig } from "#lib/config/load.ts";
import { createLog } from "#lib/log/log.ts";
import { ensureAuthorities } from "#services/authorities/service.ts";
import { renameDevice } from "#services/fleet/service.ts";
import { deleteDevice, issueDevice } from "#services/identity/service.ts";
import { crawl, noteTraffic, refreshDirty } from "#services/sync/service.ts";
import { createTestClock, createTestCtx } from "#tests/harness/ctx.ts";
import { createTestDatabase, type TestDatabase } from "#tests/harness/database.ts";
import { type ContractServices, startContractServices } from "#tests/harness/generations.ts";

/* The fleet index follows back ends that are somebody else's, of either generation. */

const clock = createTestClock();
const actor: Actor = SYSTEM;
let database: TestDatabase;
let theirs: ContractServices;
let plain: ReturnType<typeof createTestCtx>;
let ctx: BackendCtx;

beforeAll(async () => {
  database = await createTestDatabase();
  plain = createTestCtx(database.url, { clock });
  await ensureAuthorities(plain);
});
afterAll(async () => {
  await plain.db.$disconnect();
  await database.drop();
});
beforeEach(() => open("A"));
afterEach(async () => {
  ctx.backends.close();
  theirs.close();
  await plain.db.$executeRaw`TRUNCATE fleet_device, fleet_activity, sync_device, sync_state`;
});

async function open(generation: "A" | "B", settings: readonly string[] = ["DEVICE_REGISTRY_URL", "DIRECTOR_URL"]) {
  theirs = await startContractServices(generation);
  const external = Object.fromEntries(settings.map((name) => [name, theirs.url]));
  const { config, secrets } = loadConfig("supervisor", { SERVICES_TOKEN: "t".repeat(40), ...external });
  const backends = createBackends(config, secrets);
  ctx = { ...plain, config: { ...plain.config, ...config }, log: createLog("test", "silent"), backends };
}
async function reopen(...given: Parameters<typeof open>) {
  ctx.backends.close();
  theirs.close();
  await open(...given);
}
async function crawlAll() {
  while (!(await crawl(ctx, { pages: 1 })));
  while ((await refreshDirty(ctx)) > 0);
}
const row = (uuid: string) => ctx.db.fleetDevice.findFirst({ where: { uuid } });
/** As the embedded registry writes them. */
async function addRows(uuids: readonly string[]) {
  const { namespaceId } = ctx;
  const columns = { hardwareIds: [], installedFilenames: [], assignedFilenames: [], status: "never_seen" };
  const rows = uuids.map((uuid) => ({
    ...columns,
    namespaceId,
    uuid,
    name: uuid,
    deviceId: uuid,
    statusAt: clock.now,
  }));
  await ctx.db.fleetDevice.createMany({ data: rows });
}
const heard = async (uuid: string) => {
  await noteTraffic(ctx, [uuid]);
  while ((await refreshDirty(ctx)) > 0);
};

describe.each(["A", "B"] as const)("a fleet of generation [%s] that existed before", (generation) => {
  beforeEach(() => reopen(generation));

  it("is read as a whole, with what each device runs", async () => {
    const well = theirs.addDevice("well", { lastSeen: "2024-05-01T10:00:00Z", deviceStatus: "UpToDate" });
    const ill = theirs.addDevice("ill", { lastSeen: "2024-05-01T10:00:00Z", deviceStatus: "Error" });
    const result = { success: false, code: "19", description: "no space" };
    theirs.reports.set(ill, [{ correlationId: "urn:here-ota:mtu:x", result }]);
    await crawlAll();
    expect(await row(well)).toMatchObject({
      name: "well",
      status: "up_to_date",
      hardwareIds: ["rpi4"],
      installedFilenames: ["base-1"],
      lastSeenAt: new Date("2024-05-01T10:00:00Z"),
    });
    expect(await row(ill)).toMatchObject({ status: "failed", lastFailureCode: "19" });
  });

  it("goes on where a stopped worker left it, and reads no page twice", async () => {
    for (let index = 0; index < 1_100; index += 1) theirs.addDevice(`device ${index}`);
    expect(await crawl(ctx, { pages: 1 })).toBe(false);
    expect(await ctx.db.fleetDevice.count()).toBe(500);
    await crawl(ctx, { pages: 10 });
    expect(await ctx.db.fleetDevice.count()).toBe(1_100);
    const pages = theirs.seen.filter((request) => /\/devices\?offset=\d+&limit=500$/.test(request));
    expect(pages.map((request) => /offset=(\d+)/.exec(request)?.[1])).toEqual(["0", "500", "1000"]);
  });
});

describe("the fleet index of external back ends", () => {
  it("loses a device only when the registry itself says that it is gone", async () => {
    const kept = theirs.addDevice("kept");
    const gone = theirs.addDevice("gone");
    await crawlAll();
    const hidden = theirs.devices.get(kept);
    theirs.devices.delete(gone);
    theirs.devices.delete(kept);
    clock.advance(600_000);
    await crawl(ctx, { pages: 1 }); // lists neither
    if (hidden !== undefined) theirs.devices.set(kept, hidden);
    while ((await refreshDirty(ctx)) > 0);
    expect([(await row(kept))?.name, await row(gone)]).toEqual(["kept", null]);
  });

  it("keeps everything when a crawl breaks off", async () => {
    const uuid = theirs.addDevice("one");
    await crawlAll();
    theirs.close();
    clock.advance(600_000);
    await expect(crawl(ctx, { pages: 1 })).rejects.toMatchObject({ code: "backend.unreachable" });
    await noteTraffic(ctx, [uuid]);
    await refreshDirty(ctx);
    expect((await row(uuid))?.name).toBe("one");
    expect(await ctx.db.syncDevice.count({ where: { uuid, dirtyAt: { not: null }, urgent: true } })).toBe(1);
  });

  it("reads what passed the gateway before all others", async () => {
    const uuids = Array.from({ length: 80 }, (_, index) => theirs.addDevice(`device ${index}`));
    const last = uuids.sort().at(-1) ?? "";
    await crawl(ctx, { pages: 1 });
    clock.advance(1);
    await noteTraffic(ctx, [last]);
    await refreshDirty(ctx);
    expect(await ctx.db.syncDevice.count({ where: { uuid: last, dirtyAt: null } })).toBe(1);
    expect(await ctx.db.syncDevice.count({ where: { dirtyAt: { not: null } } })).toBe(16);
  });

  it("follows an assignment that somebody else made, to its end", async () => {
    const uuid = theirs.addDevice("one", { deviceStatus: "UpToDate" });
    await crawlAll();
    const correlationId = `urn:here-ota:mtu:${randomUUID()}`;
    const assigned = { correlationId, inFlight: false, ecu: `ecu-${uuid}`, filename: "app_2" };
    theirs.assignments.set(uuid, [assigned]);
    await heard(uuid);
    expect(await row(uuid)).toMatchObject({ status: "assigned", correlationId, assignedFilenames: ["app_2"] });
    theirs.assignments.set(uuid, [{ ...assigned, inFlight: true }]);
    await heard(uuid);
    expect(await row(uuid)).toMatchObject({ status: "assigned", inFlight: true });
    theirs.assignments.delete(uuid);
    await heard(uuid);
    expect(await row(uuid)).toMatchObject({ status: "assigned", correlationId });
    theirs.reports.set(uuid, [{ correlationId, result: { success: false, code: "19", description: "no space" } }]);
    clock.advance(5_000); // nobody is heard of any more: it is looked for all the same
    await refreshDirty(ctx);
    expect(await row(uuid)).toMatchObject({ status: "failed", lastFailureCode: "19", correlationId: null });
  });

  it("shows a device that is issued here at once, renames it there, and forgets it when it is deleted", async () => {
    const { uuid } = await issueDevice(ctx, actor, { name: "bench", hardwareId: "rpi4" });
    expect(await row(uuid)).toMatchObject({ name: "bench", certificateState: "allowed" });
    await renameDevice(ctx, actor, { uuid, name: "shelf" });
    expect([theirs.devices.get(uuid)?.deviceName, (await row(uuid))?.name]).toEqual(["shelf", "shelf"]);
    await deleteDevice(ctx, actor, uuid);
    expect([theirs.devices.has(uuid), await row(uuid)]).toEqual([false, null]);
  });

  it("shows the certificate of a device that comes back into the index", async () => {
    const { uuid } = await issueDevice(ctx, actor, { name: "known", hardwareId: "rpi4" });
    await ctx.db.fleetDevice.deleteMany();
    await crawlAll();
    expect(await row(uuid)).toMatchObject({ name: "known", certificateState: "allowed" });
  });

  it("has the embedded director forget what an external registry has lost, and no external one", async () => {
    const told: string[] = [];
    const forgetDevice = async (_call: unknown, uuid: string) => void told.push(uuid);
    const settings = [["DEVICE_REGISTRY_URL"], ["DEVICE_REGISTRY_URL", "DIRECTOR_URL"]];
    const uuids: string[] = [];
    for (const external of settings) {
      await reopen("A", external);
      const uuid = randomUUID();
      await addRows([uuid]);
      const { backends } = ctx;
      const director = { ...backends.director, forgetDevice };
      ctx = { ...ctx, backends: { ...backends, director } };
      await heard(uuid);
      expect(await row(uuid)).toBeNull();
      uuids.push(uuid);
    }
    expect(told).toEqual(uuids.slice(0, 1));
  });

  it.each([
    ["B", "the one device whose queue has changed", 1],
    ["A", "every device, since it has no list of queues", 3],
  ] as const)("with an external director [%s] alone, a later crawl reads %s", async (generation, _what, read) => {
    await reopen(generation, ["DIRECTOR_URL"]);
    const uuids = ["one", "two", "three"].map((name) => theirs.addDevice(name));
    await addRows(uuids);
    await crawlAll();
    const [changed = ""] = uuids;
    const correlationId = `urn:here-ota:mtu:${randomUUID()}`;
    theirs.assignments.set(changed, [{ correlationId, inFlight: false, ecu: `ecu-${changed}`, filename: "app_2" }]);
    clock.advance(600_000);
    const before = theirs.seen.length;
    await crawlAll();
    const asked = theirs.seen.slice(before).filter((request) => /^GET \/api\/v1\/assignments\/[^?]/.test(request));
    expect(asked).toHaveLength(read);
    expect(await row(changed)).toMatchObject({ status: "assigned", assignedFilenames: ["app_2"] });
  });

  it("with an external director alone, keeps the devices that the embedded registry wrote", async () => {
    await reopen("B", ["DIRECTOR_URL"]);
    const uuid = theirs.addDevice("theirs");
    const [known, silent] = [uuid, randomUUID()];
    await addRows([known, silent]);
    const stranger = theirs.addDevice("unknown to the registry");
    await crawlAll();
    expect(await row(known)).toMatchObject({ name: known, installedFilenames: ["base-1"], status: "up_to_date" });
    expect([(await row(silent))?.status, await row(stranger)]).toEqual(["never_seen", null]);
    expect(theirs.seen.filter((request) => request.includes("/device-registry/"))).toEqual([]);
  });
});
