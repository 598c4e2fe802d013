import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { canonicalBytes } from "#lib/uptane/canonical.ts";
import type { JsonObject } from "#lib/uptane/json.ts";
import { buildEcuManifest, buildManifest } from "#lib/uptane/manifest.ts";
import {
  assign,
  enrol,
  makeEcu,
  NEW,
  OLD,
  reportOf,
  seen,
  startDirector,
  TestDevice,
  type TestDirector,
  untilSomebodyWaits,
} from "./harness.ts";

let director: TestDirector;
beforeAll(async () => {
  director = await startDirector();
});
afterAll(() => director.stop());

const codeOf = (reply: { json: unknown }) => (reply.json as { code?: string }).code;
const archived = (device: TestDevice) =>
  director.ctx.db.directorManifest.findMany({ where: { deviceUuid: device.uuid }, orderBy: { receivedAt: "asc" } });
const imageOf = async (device: TestDevice) => {
  const reply = await director.ask("GET", `/api/v1/admin/devices/${device.uuid}`);
  return (reply.json as { image: { filepath: string } }[])[0]?.image.filepath;
};

describe("a manifest is believed only when", () => {
  it("the primary's registered key signed the whole", async () => {
    const device = await enrol(director);
    device.primary.installed = NEW;
    const thief = makeEcu("rpi4");
    const ecu = buildEcuManifest({ serial: device.primary.serial, installedImage: NEW }, device.primary.signer);
    const body = buildManifest(
      { primarySerial: device.primary.serial, ecus: { [device.primary.serial]: ecu }, report: null },
      thief.signer,
    );
    const reply = await device.send(body);
    expect([reply.status, codeOf(reply)]).toEqual([400, "signature_not_valid"]);
    expect(await imageOf(device)).toBe(OLD.filepath);
  });

  it("each ECU's own registered key signed its report: the primary cannot speak for another", async () => {
    const device = await enrol(director, { hardwareIds: ["rpi4", "sensor"] });
    const { correlationId } = await assign(director, [device], { sensor: { to: NEW } });
    await device.fetch();
    const [primary, secondary] = [device.primary, device.ecu(1)];
    for (const signer of [primary.signer, makeEcu("sensor").signer]) {
      const ecus = {
        [primary.serial]: buildEcuManifest({ serial: primary.serial, installedImage: OLD }, primary.signer),
        [secondary.serial]: buildEcuManifest({ serial: secondary.serial, installedImage: NEW }, signer),
      };
      const report = reportOf(correlationId, { success: true, code: "OK" });
      const reply = await device.send(buildManifest({ primarySerial: primary.serial, ecus, report }, primary.signer));
      expect([reply.status, codeOf(reply)]).toEqual([400, "signature_not_valid"]);
    }
    expect((await seen(director, device)).open).toHaveLength(1);
    expect(await archived(device)).toHaveLength(1);
  });

  it("it names ECUs that are registered, and the registered primary", async () => {
    const device = await enrol(director, { hardwareIds: ["rpi4", "sensor"] });
    const [primary, secondary] = [device.primary, device.ecu(1)];
    const stranger = makeEcu("rpi4");
    const own = buildEcuManifest({ serial: primary.serial, installedImage: OLD }, primary.signer);
    const foreign = buildEcuManifest({ serial: stranger.serial, installedImage: OLD }, stranger.signer);
    const unknown = await device.send(
      buildManifest(
        { primarySerial: primary.serial, ecus: { [primary.serial]: own, [stranger.serial]: foreign }, report: null },
        primary.signer,
      ),
    );
    expect([unknown.status, codeOf(unknown)]).toEqual([400, "signature_not_valid"]);
    const pretender = await device.send(
      buildManifest({ primarySerial: secondary.serial, ecus: { [primary.serial]: own }, report: null }, primary.signer),
    );
    expect([pretender.status, codeOf(pretender)]).toEqual([400, "ecu_not_primary"]);
  });

  it("the device has registered", async () => {
    const device = new TestDevice(director);
    const reply = await device.report();
    expect([reply.status, codeOf(reply)]).toEqual([404, "device_missing_primary_ecu"]);
  });

  it("it is a manifest at all", async () => {
    const device = await enrol(director);
    for (const body of ["{}", "[]", '{"signed":{}}', '{"signatures":[],"signed":{"primary_ecu_serial":"x"}}']) {
      const reply = await device.send(Buffer.from(body));
      expect([reply.status, codeOf(reply)], body).toEqual([400, "signature_not_valid"]);
    }
    expect((await device.send(Buffer.from("{no json"))).status).toBe(400);
    expect((await device.send(Buffer.from("["))).status).toBe(400);
    expect((await device.send(Buffer.alloc(0))).status).toBe(400);
    expect((await director.ask("PUT", device.path("manifest"))).status).toBe(400);
  });

  it("it does not make us verify without end", async () => {
    const device = await enrol(director);
    const manifest = JSON.parse(device.manifest().toString()) as { signatures: unknown[] };
    const [signature] = manifest.signatures;
    manifest.signatures = Array.from({ length: 9 }, () => signature);
    const reply = await device.send(Buffer.from(JSON.stringify(manifest)));
    expect([reply.status, codeOf(reply)]).toEqual([400, "signature_not_valid"]);
  });

  it("its ECUs' keys are those registered when it counts, not those registered when it came", async () => {
    const device = await enrol(director);
    const { correlationId } = await assign(director, [device]);
    await device.fetch();
    device.primary.installed = NEW;
    const body = device.manifest(reportOf(correlationId, { success: true, code: "OK" }));
    const stranger = makeEcu("rpi4").signer.publicKey;
    const reply = await director.ctx.db.$transaction(async (tx) => {
      await tx.$queryRaw`SELECT 1 FROM director_device WHERE uuid = ${device.uuid}::uuid FOR UPDATE`;
      const sent = device.send(body);
      await untilSomebodyWaits(director);
      await tx.directorEcu.updateMany({
        where: { deviceUuid: device.uuid },
        data: { publicValue: stranger.keyval.public },
      });
      return { sent };
    });
    expect((await reply.sent).status).toBe(400);
    expect((await seen(director, device)).open).toHaveLength(1);
  });

  it("the signature holds, whatever key id stands beside it", async () => {
    const device = await enrol(director);
    const manifest = JSON.parse(device.manifest().toString()) as { signatures: { keyid: string }[] };
    for (const signature of manifest.signatures) signature.keyid = "0".repeat(64);
    expect((await device.send(canonicalBytes(manifest as unknown as JsonObject))).status).toBe(200);
  });
});
