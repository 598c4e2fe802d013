import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { otaInstant } from "#lib/contracts/ota/common.ts";
import { startDueUpdates } from "#services/director/schedule.ts";
import { deleteDevice } from "#services/director/service.ts";
import {
  assign,
  enrol,
  NEW,
  OTHER,
  type Reply,
  reportOf,
  seen,
  startDirector,
  type TestDevice,
  type TestDirector,
  toTarget,
} from "./harness.ts";

let director: TestDirector;
beforeAll(async () => {
  director = await startDirector();
});
afterAll(() => director.stop());

const codeOf = (reply: Reply) => (reply.json as { code?: string }).code;
const answer = (reply: Reply) => [reply.status, codeOf(reply)];
const TARGETS = { rpi4: { to: toTarget(NEW) } };
const update = (device: TestDevice, body: object = {}) =>
  director.ask("POST", `/api/v1/updates/devices/${device.uuid}`, { body: { targets: TARGETS, ...body } });
const started = async (device: TestDevice, body: object = {}) => {
  const reply = await update(device, body);
  if (reply.status !== 200) throw new Error(`update: ${reply.status} ${JSON.stringify(reply.json)}`);
  return String(reply.json);
};
const detail = async (device: TestDevice, id: string) => {
  const reply = await director.ask("GET", `/api/v1/updates/devices/${device.uuid}/${id}`);
  return reply.json as { status: string; completedAt: string | null; deviceResult: object | null; ecuResults: object };
};
const cancel = (path: string, force = false) =>
  director.ask("PATCH", `/api/v1/updates/${path}`, force ? { headers: { "x-trx-force": "true" } } : {});
const correlationOf = (id: string) => `urn:tdx-ota:update:${id}`;
const inSeconds = (seconds: number) => new Date(director.clock.now.getTime() + seconds * 1_000).toISOString();

describe("an update of one device", () => {
  it("goes from assigned over seen to completed, with what the device said", async () => {
    const device = await enrol(director);
    const id = await started(device);
    expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab]/);
    expect((await seen(director, device)).open).toMatchObject([{ correlationId: correlationOf(id) }]);
    expect(await detail(device, id)).toMatchObject({ status: "Assigned", completedAt: null, deviceResult: null });
    await device.fetch();
    expect((await detail(device, id)).status).toBe("Seen");
    device.primary.installed = NEW;
    const items = { [device.primary.serial]: true };
    await device.report(reportOf(correlationOf(id), { success: true, code: "OK", items }));
    expect(await detail(device, id)).toEqual({
      updateId: id,
      status: "Completed",
      createdAt: "2026-03-01T10:00:00Z",
      scheduledFor: null,
      completedAt: "2026-03-01T10:00:00Z",
      deviceResult: { resultCode: "OK", success: true, description: "" },
      packages: { rpi4: NEW.filepath },
      ecuResults: {
        [device.primary.serial]: {
          hardwareId: "rpi4",
          id: NEW.filepath,
          success: true,
          description: "",
          result: "OK",
        },
      },
    });
  });

  it("is completed without success by a failure, and the device may be updated again", async () => {
    const device = await enrol(director);
    const id = await started(device);
    await device.fetch();
    await device.report(reportOf(correlationOf(id), { success: false, code: "DOWNLOAD_FAILED" }));
    expect(await detail(device, id)).toMatchObject({
      status: "Completed",
      deviceResult: { resultCode: "DOWNLOAD_FAILED", success: false },
    });
    director.clock.advance(1_000);
    expect((await update(device)).status).toBe(200);
    const list = await director.ask("GET", `/api/v1/updates/devices/${device.uuid}?limit=1`);
    expect(list.json).toMatchObject({ total: 2, values: [{ status: "Assigned" }], limit: 1 });
  });

  it("is partially completed until its last ECU is", async () => {
    const device = await enrol(director, { hardwareIds: ["rpi4", "sensor"] });
    const id = await started(device, { targets: { ...TARGETS, sensor: { to: toTarget(OTHER) } } });
    await device.fetch();
    device.primary.installed = NEW;
    await device.report();
    expect((await detail(device, id)).status).toBe("PartiallyCompleted");
    device.ecu(1).installed = OTHER;
    await device.report();
    const done = await detail(device, id);
    expect([done.status, Object.keys(done.ecuResults)]).toEqual([
      "Completed",
      expect.arrayContaining([device.primary.serial]),
    ]);
  });

  it("is refused with the reason of each ECU, and for devices that are not there", async () => {
    const device = await enrol(director, { image: NEW });
    const refused = await update(device);
    expect(answer(refused)).toEqual([400, "device_cannot_be_updated"]);
    expect(refused.json).toMatchObject({ cause: { [device.primary.serial]: { code: "installed_target_is_update" } } });
    expect(
      (await director.ask("POST", `/api/v1/updates/devices/${randomUUID()}`, { body: { targets: TARGETS } })).status,
    ).toBe(404);
    expect(answer(await update(device, { targets: {} }))).toEqual([400, "invalid_mtu"]);
  });

  it("keeps other updates and assignments away from the device while it runs", async () => {
    const device = await enrol(director, { hardwareIds: ["rpi4", "sensor"] });
    await started(device);
    const other = { sensor: { to: toTarget(OTHER) } };
    const refused = await update(device, { targets: other });
    expect(refused.json).toMatchObject({ cause: { [device.ecu(1).serial]: { code: "device_has_active_update" } } });
    const { reply } = await assign(director, [device], { sensor: { to: OTHER } });
    expect(reply.json).toMatchObject({
      notAffected: { [device.uuid]: { [device.ecu(1).serial]: { code: "device_has_active_update" } } },
    });
  });

  it("shows the device's events of it", async () => {
    const device = await enrol(director);
    const id = await started(device);
    const { clock, ctx } = director;
    await ctx.db.registryEvent.create({
      data: {
        deviceUuid: device.uuid,
        eventId: randomUUID(),
        eventType: "EcuInstallationCompleted",
        eventVersion: 0,
        deviceTime: clock.now,
        receivedAt: clock.now,
        indexedType: "EcuInstallationCompleted",
        correlationId: correlationOf(id),
        ecu: device.primary.serial,
        payload: Buffer.from('{"success":true}'),
      },
    });
    const path = `/api/v1/updates/devices/${device.uuid}/${id}/events`;
    expect((await director.ask("GET", path)).json).toEqual([
      {
        deviceId: device.uuid,
        eventType: { id: "EcuInstallationCompleted", version: 0 },
        deviceTime: otaInstant(clock.now),
        receivedAt: otaInstant(clock.now),
        success: true,
        ecu: device.primary.serial,
      },
    ]);
    await director.ask("POST", "/api/v1/admin/repo", { namespace: "elsewhere" });
    expect((await director.ask("GET", path, { namespace: "elsewhere" })).status).toBe(404);
  });
});

describe("an update that is taken back", () => {
  it("is cancelled before it was fetched, and after that by force alone", async () => {
    const device = await enrol(director);
    const first = await started(device);
    expect((await cancel(`devices/${device.uuid}/${first}`)).status).toBe(204);
    expect([(await detail(device, first)).status, (await seen(director, device)).open]).toEqual(["Cancelled", []]);
    const second = await started(device);
    await device.fetch();
    expect(answer(await cancel(`devices/${device.uuid}/${second}`))).toEqual([409, "update_cannot_be_cancelled"]);
    expect(answer(await cancel(second))).toEqual([409, "update_cannot_be_cancelled"]);
    expect((await cancel(`devices/${device.uuid}/${second}`, true)).status).toBe(204);
    expect(answer(await cancel(`devices/${device.uuid}/${second}`, true))).toEqual([409, "update_cannot_be_cancelled"]);
    expect((await cancel(`devices/${device.uuid}/${randomUUID()}`)).status).toBe(404);
    expect((await cancel(randomUUID())).status).toBe(404);
  });

  it("is not taken back as an assignment", async () => {
    const device = await enrol(director);
    await started(device);
    const all = await director.ask("PATCH", "/api/v1/assignments", { body: [device.uuid] });
    const one = await director.ask("PATCH", `/api/v1/assignments/${device.uuid}`);
    const legacy = await director.ask("DELETE", `/api/v1/assignments/${device.uuid}`);
    for (const reply of [all, one, legacy]) expect(answer(reply)).toEqual([409, "assignment_belongs_to_update"]);
    expect((await seen(director, device)).open).toHaveLength(1);
  });

  it("ends with its device", async () => {
    const device = await enrol(director);
    const id = await started(device, { scheduledFor: inSeconds(60) });
    await director.ctx.db.$transaction((tx) => deleteDevice(tx, director.ctx, device.uuid));
    expect((await detail(device, id)).status).toBe("Cancelled");
  });
});

describe("an update of many devices", () => {
  it("is one update, cancelled for all or for none", async () => {
    const devices = [await enrol(director), await enrol(director)];
    const idle = await enrol(director, { image: NEW });
    director.clock.advance(1_000);
    const body = { targets: TARGETS, devices: [...devices, idle].map(({ uuid }) => uuid) };
    const made = await director.ask("POST", "/api/v1/updates/devices", { body });
    expect([made.status, made.json]).toEqual([
      200,
      {
        affected: devices.map(({ uuid }) => uuid),
        notAffected: {
          [idle.uuid]: { [idle.primary.serial]: expect.objectContaining({ code: "installed_target_is_update" }) },
        },
      },
    ]);
    const newest = async () => {
      const list = await director.ask("GET", "/api/v1/updates?limit=1");
      const [first] = (list.json as { values: { updateId: string; status: string; packages: object }[] }).values;
      return first;
    };
    const { updateId = "", ...summary } = (await newest()) ?? {};
    expect(summary).toMatchObject({ status: "Assigned", packages: { rpi4: NEW.filepath } });
    await devices[0]?.fetch();
    expect(answer(await cancel(updateId))).toEqual([409, "update_cannot_be_cancelled"]);
    expect((await director.ask("GET", `/api/v1/updates/${updateId}/devices`)).status).toBe(404);
    expect((await cancel(`devices/${devices[0]?.uuid}/${updateId}`, true)).status).toBe(204);
    expect(answer(await cancel(updateId))).toEqual([409, "update_cannot_be_cancelled"]);
    director.clock.advance(1_000);
    await director.ask("POST", "/api/v1/updates/devices", {
      body: { ...body, devices: [idle.uuid, devices[0]?.uuid] },
    });
    expect((await cancel((await newest())?.updateId ?? "")).status).toBe(204);
    expect((await newest())?.status).toBe("Cancelled");
  });
});

describe("an update that waits for its time", () => {
  const schedule = (device: TestDevice, seconds = 60) => started(device, { scheduledFor: inSeconds(seconds) });

  it("starts when the time has come, once, whatever the number of workers", async () => {
    const device = await enrol(director);
    const id = await schedule(device);
    await startDueUpdates(director.ctx);
    expect([(await detail(device, id)).status, (await seen(director, device)).open]).toEqual(["Scheduled", []]);
    expect((await seen(director, device)).registryStatus).toBe("UpdateScheduled");
    director.clock.advance(60_000);
    const other = director.second();
    await Promise.all([director.ctx, other.ctx, director.ctx].map((ctx) => startDueUpdates(ctx)));
    expect((await detail(device, id)).status).toBe("Assigned");
    expect((await seen(director, device)).open).toHaveLength(1);
    expect(await startDueUpdates(director.ctx)).toBe(0);
  });

  it("is cancelled with the reason when the device is not affected any more", async () => {
    const device = await enrol(director);
    const id = await schedule(device);
    device.primary.installed = NEW;
    await device.report();
    director.clock.advance(60_000);
    await startDueUpdates(director.ctx);
    expect(await detail(device, id)).toMatchObject({
      status: "Cancelled",
      deviceResult: { success: false, description: expect.stringContaining("installed_target_is_update") },
    });
  });

  it("takes at most ten a turn, the longest due first", async () => {
    const devices: TestDevice[] = [];
    for (let seconds = 60; seconds > 49; seconds -= 1) {
      const device = await enrol(director);
      await schedule(device, seconds);
      devices.push(device);
    }
    director.clock.advance(60_000);
    expect(await startDueUpdates(director.ctx)).toBe(10);
    const last = await seen(director, devices[0] as TestDevice);
    expect(last.open).toEqual([]);
    expect(await startDueUpdates(director.ctx)).toBe(1);
  });

  it("may be cancelled meanwhile, and is refused for a time that has passed or hardware that is not there", async () => {
    const device = await enrol(director);
    const id = await schedule(device);
    expect((await cancel(id)).status).toBe(204);
    expect((await seen(director, device)).registryStatus).toBe("UpToDate");
    director.clock.advance(60_000);
    await startDueUpdates(director.ctx);
    expect((await seen(director, device)).open).toEqual([]);
    expect(answer(await update(device, { scheduledFor: inSeconds(-1) }))).toEqual([400, "update_schedule_error"]);
    const elsewhere = { targets: { other: { to: toTarget(NEW) } }, scheduledFor: inSeconds(60) };
    expect(answer(await update(device, elsewhere))).toEqual([400, "device_cannot_be_updated"]);
  });
});
