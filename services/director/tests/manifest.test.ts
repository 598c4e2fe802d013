import { createHash, randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { canonicalBytes } from "#lib/uptane/canonical.ts";
import type { JsonObject } from "#lib/uptane/json.ts";
import { buildEcuManifest } from "#lib/uptane/manifest.ts";
import {
  assign,
  enrol,
  image,
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

const sha256 = (bytes: Buffer) => createHash("sha256").update(bytes).digest("hex");
const archived = (device: TestDevice) =>
  director.ctx.db.directorManifest.findMany({ where: { deviceUuid: device.uuid }, orderBy: { receivedAt: "asc" } });
const imageOf = async (device: TestDevice) => {
  const reply = await director.ask("GET", `/api/v1/admin/devices/${device.uuid}`);
  return (reply.json as { image: { filepath: string } }[])[0]?.image.filepath;
};

describe("an update that worked", () => {
  it("is updated by the signed manifest alone, with evidence that leads to its bytes", async () => {
    const device = await enrol(director);
    const { correlationId } = await assign(director, [device]);
    const updateId = await trackUpdate(director, [device], correlationId);
    await device.fetch();
    device.primary.installed = NEW;
    const manifest = device.manifest(
      reportOf(correlationId, { success: true, code: "OK", items: { [device.primary.serial]: true } }),
    );
    expect((await device.send(manifest)).status).toBe(200);
    const after = await seen(director, device);
    expect(after.open).toEqual([]);
    expect(after.processed).toMatchObject([{ successful: true, canceled: false, result: "OK" }]);
    expect([after.fleet.status, after.registryStatus]).toEqual(["up_to_date", "UpToDate"]);
    expect(after.fleet.installedFilenames).toEqual([NEW.filepath]);
    expect(after.fleet.assignedFilenames).toEqual([]);
    expect(after.reports).toEqual({ [correlationId]: "OK" });
    const tracked = await updateDeviceOf(director, updateId, device);
    expect(tracked.state).toBe("updated");
    expect(tracked.evidence).toMatchObject({
      manifestSha256: sha256(manifest),
      ecuSerial: device.primary.serial,
      keyId: device.primary.signer.keyId,
      reportedAt: director.clock.now.toISOString(),
    });
    const path = `/api/v1/admin/devices/${device.uuid}/gatehouse/manifests/${sha256(manifest)}`;
    const served = await director.ask("GET", path);
    expect(served.bytes.equals(manifest)).toBe(true);
    expect((await director.ask("GET", path, { namespace: "elsewhere" })).status).toBe(403);
  });

  it("leaves the list as it is: the device finds the target installed and does nothing", async () => {
    const device = await enrol(director);
    const { correlationId } = await assign(director, [device]);
    await device.fetch();
    device.primary.installed = NEW;
    await device.report(reportOf(correlationId, { success: true, code: "OK" }));
    const targets = await device.fetch();
    expect([targets.version, [...targets.targets.keys()]]).toEqual([2, [NEW.filepath]]);
  });

  it("is not updated by a report of success whose ECU still runs the old image", async () => {
    const device = await enrol(director);
    const { correlationId } = await assign(director, [device]);
    const updateId = await trackUpdate(director, [device], correlationId);
    await device.fetch();
    await device.report(reportOf(correlationId, { success: true, code: "OK" }));
    expect((await updateDeviceOf(director, updateId, device)).state).toBe("failed");
    expect((await seen(director, device)).reports).toEqual({ [correlationId]: "101" });
  });

  it("is updated when the report got lost and the manifest shows the image", async () => {
    const device = await enrol(director);
    const { correlationId } = await assign(director, [device]);
    const updateId = await trackUpdate(director, [device], correlationId);
    await device.fetch();
    device.primary.installed = NEW;
    await device.report();
    expect((await updateDeviceOf(director, updateId, device)).state).toBe("updated");
    expect((await seen(director, device)).reports).toEqual({ [correlationId]: "0" });
  });

  it("is not updated while an ECU that the manifest says nothing of still has its assignment", async () => {
    const device = await enrol(director, { hardwareIds: ["rpi4", "sensor"] });
    const { correlationId } = await assign(director, [device], { rpi4: { to: NEW }, sensor: { to: OTHER } });
    const updateId = await trackUpdate(director, [device], correlationId);
    await device.fetch();
    const both = device.ecus;
    device.primary.installed = NEW;
    device.ecus = [device.primary];
    await device.report(reportOf(correlationId, { success: true, code: "OK" }));
    expect((await updateDeviceOf(director, updateId, device)).state).toBe("assigned");
    device.ecus = both;
    device.ecu(1).installed = OTHER;
    await device.report();
    expect((await updateDeviceOf(director, updateId, device)).state).toBe("updated");
  });

  it("is not updated before the last of the device's ECUs is", async () => {
    const device = await enrol(director, { hardwareIds: ["rpi4", "sensor"] });
    const { correlationId } = await assign(director, [device], { rpi4: { to: NEW }, sensor: { to: OTHER } });
    const updateId = await trackUpdate(director, [device], correlationId);
    await device.fetch();
    device.ecu(1).installed = OTHER;
    await device.report();
    expect((await updateDeviceOf(director, updateId, device)).state).toBe("assigned");
    expect((await seen(director, device)).open).toHaveLength(1);
    device.primary.installed = NEW;
    await device.report(reportOf(correlationId, { success: true, code: "OK" }));
    const tracked = await updateDeviceOf(director, updateId, device);
    expect(tracked.state).toBe("updated");
    expect(tracked.evidence).toMatchObject({ ecuSerial: device.primary.serial });
  });
});

describe("an update that failed", () => {
  it("is dropped and no longer listed, so that a failing download does not loop for ever", async () => {
    const device = await enrol(director);
    const { correlationId } = await assign(director, [device]);
    const updateId = await trackUpdate(director, [device], correlationId);
    await device.fetch();
    await device.report(reportOf(correlationId, { success: false, code: "DOWNLOAD_FAILED" }));
    const after = await seen(director, device);
    expect(after.open).toEqual([]);
    expect(after.processed).toMatchObject([{ successful: false, canceled: true, result: "DOWNLOAD_FAILED" }]);
    expect([after.fleet.status, after.fleet.lastFailureCode]).toEqual(["failed", "DOWNLOAD_FAILED"]);
    expect([after.registryStatus, after.outdated]).toEqual(["Error", true]);
    expect(after.reports).toEqual({ [correlationId]: "DOWNLOAD_FAILED" });
    expect(await updateDeviceOf(director, updateId, device)).toMatchObject({
      state: "failed",
      reasonCode: "DOWNLOAD_FAILED",
    });
    const next = await device.fetch();
    expect([next.version, next.targets.size]).toEqual([3, 0]);
  });

  it("tells the composite code of several ECUs as it came", async () => {
    const device = await enrol(director, { hardwareIds: ["rpi4", "sensor"] });
    const { correlationId } = await assign(director, [device], { rpi4: { to: NEW }, sensor: { to: OTHER } });
    await device.fetch();
    device.ecu(1).installed = OTHER;
    const code = "rpi4:INSTALL_FAILED|rpi4:MY_CODE";
    await device.report(reportOf(correlationId, { success: false, code }));
    const after = await seen(director, device);
    expect(after.reports).toEqual({ [correlationId]: code });
    expect(after.open).toEqual([]);
    expect(after.processed.map(({ successful, canceled }) => [successful, canceled])).toEqual([
      [false, false],
      [false, false],
    ]);
  });

  it("may be assigned again, and the same failure again ends it again", async () => {
    const device = await enrol(director);
    const { correlationId, mtuId } = await assign(director, [device]);
    const failure = reportOf(correlationId, { success: false, code: "DOWNLOAD_FAILED" });
    for (const version of [2, 4]) {
      const again = { correlationId, mtuId, devices: [device.uuid] };
      expect((await director.ask("POST", "/api/v1/assignments", { body: again })).status).toBe(201);
      expect((await device.fetch()).version).toBe(version);
      await device.report(failure);
      expect((await seen(director, device)).open).toEqual([]);
      await device.fetch();
    }
  });
});

describe("a report that the device repeats, because it heard no answer", () => {
  it("does not end an assignment that was made since", async () => {
    for (const result of [
      { success: true, code: "OK" },
      { success: false, code: "INSTALL_FAILED" },
    ]) {
      const device = await enrol(director);
      const { correlationId } = await assign(director, [device]);
      await device.fetch();
      if (result.success) device.primary.installed = NEW;
      const report = reportOf(correlationId, result);
      expect((await device.report(report)).status).toBe(200);
      const second = await assign(director, [device], { rpi4: { to: OTHER } });
      expect(second.reply.status).toBe(201);
      expect((await device.report(report)).status).toBe(200);
      const after = await seen(director, device);
      expect(after.open.map((row) => row.correlationId)).toEqual([second.correlationId]);
      expect(after.fleet.status).toBe("assigned");
      expect(after.reports).toEqual({ [correlationId]: result.code });
    }
  });

  it("is archived once, however often it comes: counter and signature do not make it another", async () => {
    const device = await enrol(director);
    const before = (await archived(device)).length;
    for (let round = 0; round < 5; round += 1) await device.report();
    expect(await archived(device)).toHaveLength(before);
  });
});

describe("what devices send", () => {
  it("survives NUL and lone surrogates in any text: bytes are kept, indexed text is storable", async () => {
    const device = await enrol(director);
    const { correlationId } = await assign(director, [device]);
    const updateId = await trackUpdate(director, [device], correlationId);
    await device.fetch();
    const odd = "a\u0000b\\ud800";
    device.primary.installed = image(`odd\u0000name`);
    const report = {
      ...reportOf(correlationId, { success: false, code: `CODE\u0000` }),
      rawReport: odd,
    };
    const manifest = device.manifest(report);
    expect((await device.send(manifest)).status).toBe(200);
    expect((await archived(device)).some(({ bytes }) => Buffer.from(bytes).equals(manifest))).toBe(true);
    expect((await updateDeviceOf(director, updateId, device)).reasonCode).toBe("CODE\uFFFD");
    expect(await imageOf(device)).toBe("odd\uFFFDname");
  });

  it("survives half a surrogate pair in a signed report", async () => {
    const device = await enrol(director);
    const { correlationId } = await assign(director, [device]);
    await device.fetch();
    const { serial, signer } = device.primary;
    const ecu = buildEcuManifest({ serial, installedImage: OLD }, signer);
    const signed = {
      ecu_version_manifests: { [serial]: ecu },
      installation_report: {
        content_type: "application/vnd.com.here.otac.installationReport.v1",
        report: {
          correlation_id: correlationId,
          items: [],
          raw_report: "HALF",
          result: { code: "HALF", description: "HALF", success: false },
        },
      },
      primary_ecu_serial: serial,
    };
    const text = canonicalBytes(signed as unknown as JsonObject)
      .toString()
      .replaceAll("HALF", "x\\ud800");
    const sig = signer.sign(Buffer.from(text));
    const body = `{"signatures":[{"keyid":"k","method":"ed25519","sig":"${sig}"}],"signed":${text}}`;
    expect((await device.send(Buffer.from(body))).status).toBe(200);
    const after = await seen(director, device);
    expect(after.open).toEqual([]);
    expect(after.fleet.lastFailureCode).toBe("x\uFFFD");
  });

  it("may name an installed file of any length", async () => {
    const device = await enrol(director);
    device.primary.installed = image("x".repeat(4_000));
    expect((await device.report()).status).toBe(200);
    expect(await imageOf(device)).toHaveLength(254);
  });

  it("is kept for the last 200 distinct manifests, and what is evidence for good", async () => {
    const device = await enrol(director);
    const { correlationId } = await assign(director, [device]);
    await device.fetch();
    device.primary.installed = NEW;
    const proof = device.manifest(reportOf(correlationId, { success: true, code: "OK" }));
    await device.send(proof);
    // As 200 earlier manifests would have left it.
    await director.ctx.db.directorManifest.createMany({
      data: Array.from({ length: 200 }, (_, round) => ({
        id: randomUUID(),
        deviceUuid: device.uuid,
        sha256: sha256(Buffer.from(`round ${round}`)),
        digest: `round ${round}`,
        bytes: Buffer.from(`round ${round}`),
        receivedAt: director.clock.now,
      })),
    });
    for (let round = 0; round < 3; round += 1) {
      director.clock.advance(1_000);
      device.primary.installed = image(`round-${round}`);
      expect((await device.report()).status).toBe(200);
    }
    const kept = await archived(device);
    expect(kept.filter(({ evidence }) => !evidence)).toHaveLength(200);
    expect(kept.filter(({ evidence }) => evidence).map(({ bytes }) => Buffer.from(bytes))).toEqual([proof]);
  });

  it("may be of the oldest form: an array of ECU manifests with operation results", async () => {
    const device = await enrol(director);
    const { correlationId } = await assign(director, [device]);
    await device.fetch();
    const { serial, signer } = device.primary;
    const ecuSigned = {
      attacks_detected: "",
      custom: { operation_result: { id: "op", result_code: 19, result_text: "broken" } },
      ecu_serial: serial,
      installed_image: {
        filepath: NEW.filepath,
        fileinfo: { hashes: { sha256: NEW.sha256 }, length: NEW.length },
      },
    };
    const sign = (signed: JsonObject) => ({
      signatures: [{ keyid: "k", method: "ed25519", sig: signer.sign(canonicalBytes(signed)) }],
      signed,
    });
    const body = canonicalBytes(sign({ ecu_version_manifest: [sign(ecuSigned)], primary_ecu_serial: serial }));
    expect((await device.send(body)).status).toBe(200);
    expect((await seen(director, device)).reports).toEqual({ [correlationId]: "19" });
  });
});
