import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { assignAddedImages } from "#services/director/auto-updates.ts";
import {
  assign,
  enrol,
  image,
  makeEcu,
  OTHER,
  seen,
  startDirector,
  type TestDevice,
  type TestDirector,
} from "./harness.ts";

let director: TestDirector;
beforeAll(async () => {
  director = await startDirector();
});
afterAll(() => director.stop());

const path = (device: TestDevice, name = "", serial = device.primary.serial) =>
  `/api/v1/admin/devices/${device.uuid}/ecus/${serial}/auto_update${name === "" ? "" : `/${encodeURIComponent(name)}`}`;
const define = (device: TestDevice, name: string, serial?: string) => director.ask("PUT", path(device, name, serial));
const codeOf = (reply: { json: unknown }) => (reply.json as { code?: string }).code;

/** As the image repository writes it down with an upload. */
async function added(name: string, filename: string, namespaceId = director.ctx.namespaceId) {
  const { sha256, length } = image(filename);
  await director.ctx.db.imageAdded.create({ data: { namespaceId, name, filename, sha256, length } });
}
const left = () => director.ctx.db.imageAdded.count();

describe("a definition", () => {
  it("is added once, listed and removed, for an ECU that is there", async () => {
    const device = await enrol(director);
    expect((await director.ask("GET", path(device))).json).toEqual([]);
    expect((await define(device, "my app/1")).status).toBe(204);
    expect((await define(device, "other")).status).toBe(204);
    const again = await define(device, "other");
    expect([again.status, codeOf(again)]).toEqual([409, "conflicting_entity"]);
    expect((await director.ask("GET", path(device))).json).toEqual(["my app/1", "other"]);
    expect((await director.ask("DELETE", path(device, "my app/1"))).status).toBe(204);
    expect((await director.ask("DELETE", path(device, "my app/1"))).status).toBe(404);
    expect((await define(device, "app", "unheard-of")).status).toBe(404);
    await director.ask("POST", "/api/v1/admin/repo", { namespace: "elsewhere" });
    expect((await director.ask("PUT", path(device, "app"), { namespace: "elsewhere" })).status).toBe(404);
    expect((await director.ask("DELETE", path(device, "other"), { namespace: "elsewhere" })).status).toBe(404);
  });
});

describe("an image of a name that ECUs wait for", () => {
  it("is assigned under the definition's own id, and the registry hears of it when the device fetches", async () => {
    const device = await enrol(director, { hardwareIds: ["rpi4", "sensor"] });
    await define(device, "one");
    const definition = await director.ctx.db.directorAutoUpdate.findFirstOrThrow({ where: { targetName: "one" } });
    await added("one", "one-2.0");
    await assignAddedImages(director.ctx);
    const after = await seen(director, device);
    expect(after.open).toMatchObject([
      {
        ecuSerial: device.primary.serial,
        correlationId: `urn:here-ota:auto-update:${definition.id}`,
        targetFilename: "one-2.0",
      },
    ]);
    expect([after.outdated, after.registryStatus, after.fleet.status]).toEqual([true, "NotSeen", "assigned"]);
    expect([...(await device.fetch()).targets.keys()]).toEqual(["one-2.0"]);
    expect((await seen(director, device)).registryStatus).toBe("UpdatePending");
    expect(await left()).toBe(0);
  });

  it("leaves devices alone that have an assignment, that lost the ECU or that are of another namespace", async () => {
    const [busy, changed, foreign] = [await enrol(director), await enrol(director), await enrol(director)];
    for (const device of [busy, changed, foreign]) await define(device, "two");
    await assign(director, [busy], { rpi4: { to: OTHER } });
    changed.ecus = [makeEcu("rpi4")];
    await changed.register();
    await director.ctx.db.directorAutoUpdate.updateMany({
      where: { deviceUuid: foreign.uuid },
      data: { namespaceId: "elsewhere" },
    });
    await added("two", "two-1.0");
    await assignAddedImages(director.ctx);
    expect((await seen(director, busy)).open).toMatchObject([{ targetFilename: OTHER.filepath }]);
    expect((await seen(director, changed)).open).toEqual([]);
    expect((await seen(director, foreign)).open).toEqual([]);
  });

  it("is assigned once by any number of workers, on each of a device's ECUs that wait for it", async () => {
    const devices = [await enrol(director, { hardwareIds: ["rpi4", "sensor"] }), await enrol(director)];
    for (const device of devices) for (const { serial } of device.ecus) await define(device, "three", serial);
    await added("three", "three-1.0");
    const other = director.second();
    await Promise.all([director.ctx, other.ctx, director.ctx].map((ctx) => assignAddedImages(ctx)));
    const open = await director.ctx.db.directorAssignment.findMany({ where: { targetFilename: "three-1.0" } });
    expect(open.map(({ ecuSerial }) => ecuSerial).sort()).toEqual(
      devices.flatMap(({ ecus }) => ecus.map(({ serial }) => serial)).sort(),
    );
    expect(await left()).toBe(0);
  });

  it("goes on from the device at which a worker died", async () => {
    const devices = [await enrol(director), await enrol(director)].sort((a, b) => (a.uuid < b.uuid ? -1 : 1));
    for (const device of devices) await define(device, "four");
    await added("four", "four-1.0");
    await director.ctx.db.imageAdded.updateMany({ data: { doneThrough: devices[0]?.uuid ?? randomUUID() } });
    await assignAddedImages(director.ctx);
    const open = await director.ctx.db.directorAssignment.findMany({ where: { targetFilename: "four-1.0" } });
    expect(open.map(({ deviceUuid }) => deviceUuid)).toEqual([devices[1]?.uuid]);
    expect(await left()).toBe(0);
  });

  it("is found behind any number of images that nobody waits for", async () => {
    const device = await enrol(director);
    await define(device, "six");
    for (let index = 0; index < 10; index += 1) await added(`nobody-${index}`, `nobody-${index}`);
    await added("six", "six-1.0");
    await assignAddedImages(director.ctx);
    expect((await seen(director, device)).open).toMatchObject([{ targetFilename: "six-1.0" }]);
    expect(await left()).toBe(0);
  });

  it("is not assigned when it was deleted or is damaged by then", async () => {
    const device = await enrol(director);
    await define(device, "five");
    const { db, namespaceId } = director.ctx;
    const { sha256, length } = image("five-1.0");
    await db.imageTombstone.create({ data: { namespaceId, filename: "five-1.0", sha256, length } });
    const verification = { namespaceId, filename: "five-2.0", checks: [], checkedAt: director.clock.now };
    await db.imageVerification.create({ data: { ...verification, state: "mismatch" } });
    await added("five", "five-1.0");
    await added("five", "five-2.0");
    await assignAddedImages(director.ctx);
    expect((await seen(director, device)).open).toEqual([]);
    expect(await left()).toBe(0);
  });
});
