import { randomUUID } from "node:crypto";
import { describe, expect, it } from "vitest";
import { SYSTEM } from "#lib/authz/actor.ts";
import { listAudit } from "#services/audit/service.ts";
import { enrol, reportOf } from "#services/director/tests/harness.ts";
import {
  cancelUpdate,
  createUpdate,
  getUpdate,
  listUpdateDevices,
  listUpdates,
  previewUpdate,
  resumeUpdates,
} from "#services/rollouts/service.ts";
import {
  ctx,
  deviceIn,
  director,
  expectSum,
  install,
  installed,
  OPERATOR,
  order,
  SUPPORT,
  setUpStand,
  upload,
  V1,
  V2,
} from "./harness.ts";

setUpStand();

describe("createUpdate", () => {
  it("goes from launch to proof by the device's signed manifest", async () => {
    const device = await enrol(director, { image: await installed(V1) });
    const launched = await createUpdate(ctx, OPERATOR, order([device]));
    expect(launched).toMatchObject({ state: "running", createdBy: "Olga", counts: { total: 1, assigned: 1 } });
    expectSum(launched);
    await install(device, launched);
    const proven = await getUpdate(ctx, SUPPORT, launched.id);
    const { state, evidence } = deviceIn(proven, device.uuid);
    expect(state).toBe("updated");
    expect(evidence).toMatchObject({ ecuSerial: device.primary.serial, keyId: device.primary.signer.keyId });
    const kept = await ctx.backends.director.getManifest(ctx, {
      deviceUuid: device.uuid,
      sha256: String(evidence?.manifestSha256),
    });
    expect(JSON.parse(kept.toString())).toMatchObject({ signed: { primary_ecu_serial: device.primary.serial } });
    await resumeUpdates(ctx);
    expect((await getUpdate(ctx, SUPPORT, launched.id)).state).toBe("finished");
    const audit = await listAudit(ctx, SYSTEM, { limit: 10, targetKind: "update", targetId: launched.id });
    expect(audit.data.map(({ outcome, actor }) => [outcome, actor.name])).toEqual([
      ["done", "Olga"],
      ["requested", "Olga"],
    ]);
  });

  it("does what its preview said, device by device", async () => {
    const old = await enrol(director, { image: await installed(V1) });
    const there = await enrol(director, { image: await installed(V2) });
    const other = await enrol(director, { hardwareIds: ["imx8"], image: await installed(V1) });
    const unknown = { uuid: randomUUID() };
    const wish = order([old, there, other, unknown]);
    const preview = await previewUpdate(ctx, OPERATOR, wish);
    expect(preview.counts).toEqual({ total: 4, eligible: 1, skipped: 3 });
    const update = await createUpdate(ctx, OPERATOR, wish);
    for (const { uuid, eligible, reasons } of preview.devices) {
      const launched = deviceIn(update, uuid);
      expect(launched.state).toBe(eligible ? "assigned" : "skipped");
      if (!eligible) expect(launched.reasonCode).toBe(reasons[0]?.code);
    }
    expect(deviceIn(update, there.uuid).reasonCode).toBe("installed_target_is_update");
    expect(deviceIn(update, other.uuid).reasonCode).toBe("device_no_compatible_hardware");
    expect(deviceIn(update, unknown.uuid).reasonCode).toBe("device_unknown");
    expectSum(update);
  });

  it("tells the failure with the device's own code, and finishes", async () => {
    const device = await enrol(director, { image: await installed(V1) });
    const update = await createUpdate(ctx, OPERATOR, order([device]));
    await install(device, update, false);
    const failed = await getUpdate(ctx, SUPPORT, update.id);
    expect(deviceIn(failed, device.uuid)).toMatchObject({ state: "failed", reasonCode: "rpi4:INSTALL_FAILED" });
    await resumeUpdates(ctx);
    expect((await getUpdate(ctx, SUPPORT, update.id)).state).toBe("finished");
  });

  it("refuses what would fail on every device", async () => {
    const device = await enrol(director, { image: await installed(V1) });
    await upload("other", "1.0", ["imx8"]);
    for (const targets of [
      { rpi4: { to: "nothing_1" } },
      { rpi4: { to: "other_1.0" } },
      { rpi4: { from: V2, to: V2 } },
    ]) {
      await expect(createUpdate(ctx, OPERATOR, order([device], { targets }))).rejects.toMatchObject({
        code: "update.invalid",
      });
    }
  });

  it("creates nothing when no device would be hit", async () => {
    const device = await enrol(director, { image: await installed(V2) });
    const before = (await listUpdates(ctx, OPERATOR, { limit: 1 })).total;
    await expect(createUpdate(ctx, OPERATOR, order([device]))).rejects.toMatchObject({ code: "update.nothing_to_do" });
    expect((await listUpdates(ctx, OPERATOR, { limit: 1 })).total).toBe(before);
  });

  it("is refused to support", async () => {
    await expect(createUpdate(ctx, SUPPORT, order([{ uuid: randomUUID() }]))).rejects.toMatchObject({
      code: "auth.forbidden",
    });
    await expect(previewUpdate(ctx, SUPPORT, order([{ uuid: randomUUID() }]))).rejects.toMatchObject({
      code: "auth.forbidden",
    });
  });
});

describe("cancelUpdate", () => {
  it("takes back its own assignments and no other update's of the same device", async () => {
    await upload("sensor", "2.0", ["mcu"]);
    const device = await enrol(director, { hardwareIds: ["rpi4", "mcu"], image: await installed(V1) });
    const mine = await createUpdate(ctx, OPERATOR, order([device]));
    const others = await createUpdate(ctx, OPERATOR, order([device], { targets: { mcu: { to: "sensor_2.0" } } }));
    expect(others.counts).toMatchObject({ assigned: 1 });
    await device.fetch();
    await cancelUpdate(ctx, OPERATOR, mine.id);
    expect(deviceIn(await getUpdate(ctx, OPERATOR, mine.id), device.uuid)).toMatchObject({
      state: "cancelled",
      reasonCode: null,
    });
    expect(deviceIn(await getUpdate(ctx, OPERATOR, others.id), device.uuid).state).toBe("assigned");
    const { targets } = await device.fetch();
    expect([...targets.keys()]).toEqual(["sensor_2.0"]);
    const shown = await ctx.db.fleetDevice.findFirstOrThrow({ where: { uuid: device.uuid } });
    expect(shown).toMatchObject({ status: "assigned", correlationId: others.correlationId, inFlight: true });
  });

  it("takes back what no device has fetched", async () => {
    const device = await enrol(director, { image: await installed(V1) });
    const update = await createUpdate(ctx, OPERATOR, order([device]));
    const cancelled = await cancelUpdate(ctx, OPERATOR, update.id);
    expect(cancelled).toMatchObject({ state: "cancelled", counts: { cancelled: 1, total: 1 } });
    await device.fetch();
    expect(device.wants()).toBeNull();
    expect(await cancelUpdate(ctx, OPERATOR, update.id)).toMatchObject({ state: "cancelled" });
  });

  it("makes a device that has fetched the list want what it runs", async () => {
    const device = await enrol(director, { image: await installed(V1) });
    const update = await createUpdate(ctx, OPERATOR, order([device]));
    await device.fetch();
    expect(device.wants()).toBe(V2);
    await cancelUpdate(ctx, OPERATOR, update.id);
    await device.fetch();
    expect(device.wants()).toBe(V1);
  });

  it("believes the manifest of a device that was faster", async () => {
    const device = await enrol(director, { image: await installed(V1) });
    const update = await createUpdate(ctx, OPERATOR, order([device]));
    await device.fetch();
    await cancelUpdate(ctx, OPERATOR, update.id);
    device.primary.installed = await installed(V2);
    const items = { [device.primary.serial]: true };
    await device.report(reportOf(update.correlationId, { success: true, code: "OK", items }));
    expect(deviceIn(await getUpdate(ctx, OPERATOR, update.id), device.uuid).state).toBe("updated");
  });

  it("is refused once the update has finished, and for one that is not there", async () => {
    const device = await enrol(director, { image: await installed(V1) });
    const update = await createUpdate(ctx, OPERATOR, order([device]));
    await install(device, update);
    await resumeUpdates(ctx);
    await expect(cancelUpdate(ctx, OPERATOR, update.id)).rejects.toMatchObject({ code: "update.wrong_state" });
    await expect(cancelUpdate(ctx, OPERATOR, randomUUID())).rejects.toMatchObject({ code: "update.not_found" });
    await expect(cancelUpdate({ ...ctx, namespaceId: "other" }, OPERATOR, update.id)).rejects.toMatchObject({
      code: "update.not_found",
    });
  });
});

describe("lists", () => {
  it("walk all updates and all devices of one without losing or doubling any", async () => {
    const ids: string[] = [];
    let cursor: string | undefined;
    do {
      const page = await listUpdates(ctx, SUPPORT, { limit: 2, ...(cursor === undefined ? {} : { cursor }) });
      ids.push(...page.data.map(({ id }) => id));
      cursor = page.nextCursor ?? undefined;
      if (cursor === undefined) expect(ids).toHaveLength(page.total);
    } while (cursor !== undefined);
    expect(new Set(ids).size).toBe(ids.length);
    const of = { id: ids[0] ?? "", query: { limit: 1 } };
    expect((await listUpdateDevices(ctx, SUPPORT, of)).total).toBeGreaterThan(0);
  });

  it("refuse a cursor of another list", async () => {
    for (const cursor of ["x", Buffer.from('["a","b"]').toString("base64url")]) {
      await expect(listUpdates(ctx, SUPPORT, { limit: 2, cursor })).rejects.toMatchObject({ code: "request.invalid" });
    }
  });
});

/* Last: the devices of these tests know the first root alone. */
describe("while the director's targets key is offline", () => {
  it("neither preview nor launch promise an update, until the keys are rotated", async () => {
    const device = await enrol(director, { image: await installed(V1) });
    const { repositoryKeys } = ctx.backends;
    const told = await repositoryKeys.describe(ctx, "director");
    const keyId = told?.roles.find(({ role }) => role === "targets")?.keys[0]?.keyId ?? "";
    await repositoryKeys.deletePrivateKey(ctx, "director", keyId);
    const offline = { code: "signing_key.offline" };
    await expect(previewUpdate(ctx, OPERATOR, order([device]))).rejects.toMatchObject(offline);
    await expect(createUpdate(ctx, OPERATOR, order([device]))).rejects.toMatchObject(offline);
    await repositoryKeys.rotate(ctx, "director");
    expect((await createUpdate(ctx, OPERATOR, order([device]))).counts).toMatchObject({ assigned: 1 });
  });
});
