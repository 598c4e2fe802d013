import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  assign,
  enrol,
  FACTORY,
  NEW,
  OLD,
  OTHER,
  reportOf,
  seen,
  startDirector,
  type TestDevice,
  type TestDirector,
  trackUpdate,
  updateDeviceOf,
} from "./harness.ts";

let director: TestDirector;
beforeAll(async () => {
  director = await startDirector();
});
afterAll(() => director.stop());

const codeOf = (reply: { json: unknown }) => (reply.json as { code?: string }).code;
const cancel = (devices: readonly TestDevice[], force = true) =>
  director.ask("PATCH", "/api/v1/assignments", {
    body: devices.map(({ uuid }) => uuid),
    ...(force ? { headers: { "x-trx-force": "true" } } : {}),
  });

describe("cancelling what the device has not fetched", () => {
  it("drops it: the device never learns of it", async () => {
    const device = await enrol(director);
    await assign(director, [device]);
    const reply = await cancel([device], false);
    expect([reply.status, reply.json]).toEqual([200, [device.uuid]]);
    const after = await seen(director, device);
    expect(after.open).toEqual([]);
    expect(after.processed).toMatchObject([{ successful: true, canceled: true }]);
    expect([after.fleet.status, after.registryStatus]).toEqual(["up_to_date", "UpToDate"]);
    const targets = await device.fetch();
    expect([targets.version, targets.targets.size]).toEqual([2, 0]);
    expect(device.wants()).toBeNull();
  });
});

describe("cancelling what the device has fetched", () => {
  it("really cancels: the image it runs is listed under the next version, and the stored assignment is replaced", async () => {
    const device = await enrol(director);
    const { correlationId } = await assign(director, [device]);
    await device.fetch();
    expect(device.wants()).toBe(NEW.filepath);
    expect((await cancel([device])).json).toEqual([device.uuid]);
    expect((await seen(director, device)).mayStillInstall).toBe(false);
    await device.report();
    const targets = await device.fetch();
    expect([targets.version, targets.correlationId]).toEqual([3, correlationId]);
    expect(targets.targets.get(OLD.filepath)).toMatchObject({ length: OLD.length, hashes: { sha256: OLD.sha256 } });
    expect(device.wants()).toBe(OLD.filepath);
  });

  it("keeps the replacement listed through a refresh, until another assignment takes its place", async () => {
    const device = await enrol(director);
    await assign(director, [device]);
    await device.fetch();
    await cancel([device]);
    await device.fetch();
    await director.ask("PUT", `/api/v1/admin/devices/${device.uuid}/targets.json`);
    expect([...(await device.fetch()).targets.keys()]).toEqual([OLD.filepath]);
    director.clock.advance(31 * 86_400_000);
    expect([...(await device.fetch()).targets.keys()]).toEqual([OLD.filepath]);
    const { correlationId } = await assign(director, [device], { rpi4: { to: OTHER } });
    const next = await device.fetch();
    expect([next.correlationId, device.wants()]).toEqual([correlationId, OTHER.filepath]);
  });

  it("survives a further assignment that was cancelled before it was fetched", async () => {
    const device = await enrol(director);
    await assign(director, [device]);
    await device.fetch();
    await cancel([device]);
    await assign(director, [device], { rpi4: { to: OTHER } });
    await cancel([device]);
    await device.fetch();
    expect(device.wants()).toBe(OLD.filepath);
  });

  it("is left alone without the force header, as the contract has it", async () => {
    const device = await enrol(director);
    await assign(director, [device]);
    await device.fetch();
    expect((await cancel([device], false)).json).toEqual([]);
    expect((await director.ask("DELETE", `/api/v1/assignments/${device.uuid}`)).json).toEqual([]);
    const refused = await director.ask("PATCH", `/api/v1/assignments/${device.uuid}`);
    expect([refused.status, codeOf(refused)]).toEqual([409, "assignment_in_flight_devices"]);
    expect((await seen(director, device)).open).toHaveLength(1);
    const headers = { "x-trx-force": "true" };
    const forced = await director.ask("PATCH", `/api/v1/assignments/${device.uuid}`, { headers });
    expect([forced.status, forced.bytes.length]).toEqual([204, 0]);
    expect((await seen(director, device)).open).toEqual([]);
  });

  it("uses another ECU's image when the one to be updated never reported any", async () => {
    const device = await enrol(director, { hardwareIds: ["rpi4", "sensor"] });
    device.ecu(1).installed = { ...FACTORY, filepath: "noimage" };
    await device.report();
    await assign(director, [device], { sensor: { to: NEW } });
    await device.fetch();
    await cancel([device]);
    expect((await seen(director, device)).mayStillInstall).toBe(false);
    const targets = await device.fetch();
    expect([...targets.targets.keys()]).toEqual([OLD.filepath]);
    expect(device.stored?.signed.version).toBe(targets.version);
  });

  it("says may still install where no image is known, until the next manifest", async () => {
    const device = await enrol(director, { image: FACTORY });
    await assign(director, [device]);
    await device.fetch();
    await cancel([device]);
    const cancelled = await seen(director, device);
    expect([cancelled.mayStillInstall, cancelled.fleet.mayStillInstall, cancelled.fleet.status]).toEqual([
      true,
      true,
      "unknown",
    ]);
    const state = await director.ask("GET", `/api/v1/admin/devices/${device.uuid}/gatehouse/state`);
    expect(state.json).toMatchObject({ mayStillInstall: true, ended: [{ outcome: "cancelled" }] });
    expect((await device.fetch()).targets.size).toBe(0);
    expect(device.wants()).toBe(NEW.filepath);
    await device.report();
    const after = await seen(director, device);
    expect([after.mayStillInstall, after.fleet.mayStillInstall, after.fleet.status]).toEqual([
      false,
      false,
      "up_to_date",
    ]);
  });

  it("replaces the list as soon as an image is known after all", async () => {
    const device = await enrol(director, { image: FACTORY });
    await assign(director, [device]);
    await device.fetch();
    await cancel([device]);
    await device.fetch();
    device.primary.installed = OLD;
    await device.report();
    await device.fetch();
    expect(device.wants()).toBe(OLD.filepath);
  });
});

describe("a device that had installed before it heard of the cancellation", () => {
  it("is believed, and is not ordered back", async () => {
    const device = await enrol(director);
    const { correlationId } = await assign(director, [device]);
    const updateId = await trackUpdate(director, [device], correlationId);
    await device.fetch();
    await cancel([device]);
    expect((await updateDeviceOf(director, updateId, device)).state).toBe("cancelled");
    device.primary.installed = NEW;
    expect((await device.report(reportOf(correlationId, { success: true, code: "OK" }))).status).toBe(200);
    const after = await seen(director, device);
    expect(after.fleet.installedFilenames).toEqual([NEW.filepath]);
    expect(after.reports).toEqual({ [correlationId]: "OK" });
    const tracked = await updateDeviceOf(director, updateId, device);
    expect([tracked.state, tracked.evidence]).toMatchObject(["updated", { ecuSerial: device.primary.serial }]);
    await device.fetch();
    expect(device.wants()).toBe(NEW.filepath);
  });

  it("is not believed when it says so and its ECU still runs the old image", async () => {
    const device = await enrol(director);
    const { correlationId } = await assign(director, [device]);
    const updateId = await trackUpdate(director, [device], correlationId);
    await device.fetch();
    await cancel([device]);
    await device.report(reportOf(correlationId, { success: true, code: "OK" }));
    expect((await updateDeviceOf(director, updateId, device)).state).toBe("cancelled");
  });

  it("is not ordered back either when it had fetched the replacement while it installed", async () => {
    const device = await enrol(director);
    const { correlationId } = await assign(director, [device]);
    await device.fetch();
    await cancel([device]);
    await device.fetch();
    device.primary.installed = NEW;
    await device.report(reportOf(correlationId, { success: true, code: "OK" }));
    await device.fetch();
    expect(device.wants()).toBe(NEW.filepath);
  });

  it("does not end an assignment made since with its late report", async () => {
    const device = await enrol(director);
    const { correlationId } = await assign(director, [device]);
    await device.fetch();
    await cancel([device]);
    const next = await assign(director, [device], { rpi4: { to: OTHER } });
    const failure = reportOf(correlationId, { success: false, code: "INSTALL_FAILED" });
    for (let round = 0; round < 2; round += 1) expect((await device.report(failure)).status).toBe(200);
    const after = await seen(director, device);
    expect(after.open.map((row) => row.correlationId)).toEqual([next.correlationId]);
    expect(after.reports).toEqual({ [correlationId]: "INSTALL_FAILED" });
  });

  it("gets an empty list after a failure: it has forgotten the one it had", async () => {
    const device = await enrol(director);
    const { correlationId } = await assign(director, [device]);
    await device.fetch();
    await cancel([device]);
    await device.report(reportOf(correlationId, { success: false, code: "DOWNLOAD_FAILED" }));
    expect((await device.fetch()).targets.size).toBe(0);
  });
});

describe("cancelling many devices", () => {
  it("answers one entry an assignment, and nothing for devices of another namespace", async () => {
    const pair = await enrol(director, { hardwareIds: ["rpi4", "sensor"] });
    const single = await enrol(director);
    await assign(director, [pair, single], { rpi4: { to: NEW }, sensor: { to: OTHER } });
    const body = [pair.uuid, single.uuid];
    const foreign = await director.ask("PATCH", "/api/v1/assignments", { body, namespace: "elsewhere" });
    expect(foreign.json).toEqual([]);
    const own = await cancel([pair, single]);
    expect((own.json as string[]).sort()).toEqual([pair.uuid, pair.uuid, single.uuid].sort());
    expect((await cancel([pair, single])).json).toEqual([]);
  });

  it("refuses what is no list of ids", async () => {
    for (const body of [{}, ["x"], "x", null]) {
      const reply = await director.ask("PATCH", "/api/v1/assignments", { body });
      expect(reply.status, JSON.stringify(body)).toBe(400);
    }
  });
});
