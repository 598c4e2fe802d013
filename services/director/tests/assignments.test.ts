import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { JsonObject } from "#lib/uptane/json.ts";
import {
  assign,
  enrol,
  image,
  makeMtu,
  NEW,
  OLD,
  OTHER,
  seen,
  startDirector,
  TestDevice,
  type TestDirector,
  toTarget,
} from "./harness.ts";

let director: TestDirector;
beforeAll(async () => {
  director = await startDirector();
});
afterAll(() => director.stop());

type Outcome = { affected: string[]; notAffected: Record<string, Record<string, { code: string }>> };
const post = (body: unknown) => director.ask("POST", "/api/v1/assignments", { body });
const correlation = () => `urn:here-ota:mtu:${randomUUID()}`;
const codeOf = (reply: { json: unknown }) => (reply.json as { code?: string }).code;
const refusal = (reply: { json: unknown }, device: TestDevice, serial?: string) =>
  (reply.json as Outcome).notAffected[device.uuid]?.[serial ?? device.primary.serial]?.code;

describe("a multi-target update", () => {
  const mtu = (targets: unknown) => director.ask("POST", "/api/v1/multi_target_updates", { body: { targets } });

  it("is stored and given back as a bare map with every optional field", async () => {
    const to = {
      ...toTarget(NEW),
      targetFormat: "BINARY",
      uri: "https://images.example/new",
      userDefinedCustom: { a: [1] },
    };
    const made = await mtu({ rpi4: { from: toTarget(OLD), to, generateDiff: false }, sensor: { to: toTarget(OTHER) } });
    expect(made.status).toBe(201);
    const read = await director.ask("GET", `/api/v1/multi_target_updates/${String(made.json)}`);
    expect(read.json).toEqual({
      rpi4: {
        from: toTarget(OLD),
        to: { ...toTarget(NEW), uri: "https://images.example/new", userDefinedCustom: { a: [1] } },
      },
      sensor: { from: null, to: { ...toTarget(OTHER), uri: null, userDefinedCustom: null } },
    });
    const foreign = await director.ask("GET", `/api/v1/multi_target_updates/${String(made.json)}`, { namespace: "x" });
    expect([foreign.status, codeOf(foreign)]).toEqual([404, "missing_entity"]);
  });

  it("carries its uri and custom part into the metadata", async () => {
    const device = await enrol(director);
    const userDefinedCustom = { note: "grün", count: 3 };
    const made = await mtu({
      rpi4: { to: { ...toTarget(NEW), uri: "https://images.example/new", userDefinedCustom } },
    });
    await post({ correlationId: correlation(), mtuId: made.json, devices: [device.uuid] });
    const served = await director.ask("GET", device.path("targets.json"));
    const target = (served.json as { signed: { targets: Record<string, { custom: JsonObject }> } }).signed.targets;
    expect(target[NEW.filepath]?.custom).toMatchObject({ uri: "https://images.example/new", userDefinedCustom });
    expect([...served.bytes].every((byte) => byte < 0x7f)).toBe(true);
    expect((await device.fetch()).targets.size).toBe(1);
  });

  it("is refused when it names nothing, or one file with two contents", async () => {
    expect(codeOf(await mtu({}))).toBe("invalid_mtu");
    const clash = await mtu({ rpi4: { to: toTarget(NEW) }, sensor: { to: { ...toTarget(NEW), targetLength: 99 } } });
    expect([clash.status, codeOf(clash)]).toEqual([400, "invalid_mtu"]);
  });

  it("is refused when it could not be signed so that devices read it alike", async () => {
    const to = toTarget(NEW);
    const broken: unknown[] = [
      { räder: { to } },
      { rpi4: { to: { ...to, target: "ü" } } },
      { rpi4: { to: { ...to, target: "../etc/passwd" } } },
      { rpi4: { to: { ...to, target: "x".repeat(254) } } },
      { rpi4: { to: { ...to, target: "__proto__" } } },
      { rpi4: { to: { ...to, checksum: { method: "sha256", hash: "A".repeat(64) } } } },
      { rpi4: { to: { ...to, checksum: { method: "md5", hash: "a".repeat(64) } } } },
      { rpi4: { to: { ...to, targetLength: 1.5 } } },
      { rpi4: { to: { ...to, targetLength: -1 } } },
      { rpi4: { to: { ...to, userDefinedCustom: { rate: 0.5 } } } },
      { rpi4: { to: { ...to, userDefinedCustom: "a\u0000b" } } },
      { rpi4: { to: { ...to, userDefinedCustom: "x".repeat(20_000) } } },
      { rpi4: {} },
      "targets",
    ];
    for (const targets of broken) {
      const reply = await mtu(targets);
      expect([reply.status, codeOf(reply)], JSON.stringify(targets).slice(0, 100)).toEqual([400, "invalid_entity"]);
    }
    const half = Buffer.from(
      JSON.stringify({ targets: { rpi4: { to: { ...to, userDefinedCustom: "HALF" } } } }).replace("HALF", "\\ud800"),
    );
    expect((await director.ask("POST", "/api/v1/multi_target_updates", { body: half })).status).toBe(400);
  });
});

describe("an assignment", () => {
  it("affects each ECU of matching hardware once, and is told by the queue", async () => {
    const device = await enrol(director, { hardwareIds: ["rpi4", "sensor", "sensor"] });
    const { correlationId, reply } = await assign(director, [device], { sensor: { to: NEW } });
    expect([reply.status, reply.json]).toEqual([201, { affected: [device.uuid, device.uuid], notAffected: {} }]);
    const queue = await director.ask("GET", `/api/v1/assignments/${device.uuid}`);
    const item = {
      image: { filepath: NEW.filepath, fileinfo: { hashes: { sha256: NEW.sha256 }, length: NEW.length } },
      uri: null,
      createdAt: "2026-03-01T10:00:00Z",
    };
    const [, first, second] = device.ecus;
    const expected = [
      { correlationId, inFlight: false, targets: { [first?.serial ?? ""]: item, [second?.serial ?? ""]: item } },
    ];
    expect(queue.json).toEqual(expected);
    const other = randomUUID();
    const many = await director.ask("GET", `/api/v1/assignments?ids=${device.uuid},${other}`);
    expect(many.json).toEqual({ [device.uuid]: expected, [other]: [] });
    const fleet = (await seen(director, device)).fleet;
    expect([fleet.status, fleet.assignedFilenames]).toEqual(["assigned", [NEW.filepath]]);
  });

  it("is told by queues of the first fifty devices that are asked for", async () => {
    const device = await enrol(director);
    const { correlationId } = await assign(director, [device], { rpi4: { to: NEW } });
    const ids = Array.from({ length: 60 }, () => randomUUID());
    ids[0] = device.uuid;
    const reply = await director.ask("GET", `/api/v1/assignments?ids=${ids.join(",")}`);
    expect(Object.keys(reply.json as object).sort()).toEqual(ids.slice(0, 50).sort());
    expect(reply.json).toMatchObject({ [device.uuid]: [{ correlationId, inFlight: false }] });
    expect((await director.ask("GET", "/api/v1/assignments")).json).toEqual({});
    expect(
      (await director.ask("GET", `/api/v1/assignments?ids=${device.uuid}`, { namespace: "elsewhere" })).json,
    ).toEqual({
      [device.uuid]: [],
    });
  });

  it("says device_no_compatible_hardware for other hardware, an unregistered device and a foreign one", async () => {
    const device = await enrol(director, { hardwareIds: ["toaster"] });
    const unknown = new TestDevice(director);
    const { reply } = await assign(director, [device, unknown]);
    expect(reply.status).toBe(400);
    expect(refusal(reply, device)).toBe("device_no_compatible_hardware");
    expect(refusal(reply, unknown, "unknown")).toBe("device_no_compatible_hardware");
    expect(reply.json).toMatchObject({ affected: [] });
  });

  it("says not_affected_by_mtu unless name, length and hash of `from` are what is installed", async () => {
    for (const from of [OTHER, { ...OLD, length: 99 }, { ...OLD, sha256: OTHER.sha256 }]) {
      const device = await enrol(director);
      const { reply } = await assign(director, [device], { rpi4: { from, to: NEW } });
      expect([reply.status, refusal(reply, device)]).toEqual([400, "not_affected_by_mtu"]);
    }
    const silent = await enrol(director, { image: null });
    const { reply } = await assign(director, [silent], { rpi4: { from: OLD, to: NEW } });
    expect(refusal(reply, silent)).toBe("not_affected_by_mtu");
    const device = await enrol(director);
    expect((await assign(director, [device], { rpi4: { from: OLD, to: NEW } })).reply.status).toBe(201);
  });

  it("says installed_target_is_update when the ECU runs it already", async () => {
    const device = await enrol(director);
    const { reply } = await assign(director, [device], { rpi4: { to: OLD } });
    expect([reply.status, refusal(reply, device)]).toEqual([400, "installed_target_is_update"]);
  });

  it("says not_affected_running_assignment while the ECU has another", async () => {
    const device = await enrol(director);
    await assign(director, [device]);
    const { reply } = await assign(director, [device], { rpi4: { to: OTHER } });
    expect([reply.status, refusal(reply, device)]).toEqual([400, "not_affected_running_assignment"]);
    expect((await seen(director, device)).open).toHaveLength(1);
  });

  it("asked for again under the same correlation id changes nothing and counts as affected", async () => {
    const device = await enrol(director);
    const { correlationId, mtuId, reply } = await assign(director, [device]);
    const again = await post({ correlationId, mtuId, devices: [device.uuid] });
    expect([again.status, again.json]).toEqual([201, reply.json]);
    await device.fetch();
    expect((await post({ correlationId, mtuId, devices: [device.uuid] })).status).toBe(201);
    expect((await device.fetch()).version).toBe(2);
    expect((await seen(director, device)).open).toHaveLength(1);
  });

  it("affects what it can, and says of the rest why not", async () => {
    const [good, busy] = [await enrol(director), await enrol(director)];
    await assign(director, [busy], { rpi4: { to: OTHER } });
    const { reply } = await assign(director, [good, busy, good]);
    expect([reply.status, (reply.json as Outcome).affected]).toEqual([201, [good.uuid]]);
    expect(refusal(reply, busy)).toBe("not_affected_running_assignment");
    expect((reply.json as Outcome).notAffected[good.uuid]).toBeUndefined();
  });

  it("answers 200 for no devices, a plain array for a dry run that creates nothing, and 404 without the update", async () => {
    const device = await enrol(director);
    const mtuId = await makeMtu(director);
    const none = await post({ correlationId: correlation(), mtuId, devices: [] });
    expect([none.status, none.json]).toEqual([200, { affected: [], notAffected: {} }]);
    const dry = await post({ correlationId: correlation(), mtuId, devices: [device.uuid], dryRun: true });
    expect([dry.status, dry.json]).toEqual([200, [device.uuid]]);
    const asked = await director.ask("GET", `/api/v1/assignments/devices?targetSpecId=${mtuId}&ids=${device.uuid}`);
    expect(asked.json).toEqual([device.uuid]);
    const classic = await director.ask("GET", `/api/v1/assignments/devices?mtuId=${mtuId}&ids=${randomUUID()}`);
    expect(classic.json).toEqual([]);
    expect((await seen(director, device)).open).toEqual([]);
    const missing = await post({ correlationId: correlation(), mtuId: randomUUID(), devices: [device.uuid] });
    expect([missing.status, codeOf(missing)]).toEqual([404, "missing_entity"]);
  });

  it("answers in the older form, a plain list, to who asks for it", async () => {
    const device = await enrol(director);
    const mtuId = await makeMtu(director);
    const request = { correlationId: correlation(), mtuId, devices: [device.uuid] };
    const ask = (body: unknown) => director.ask("POST", "/api/v1/assignments?reply=list", { body });
    const made = await ask(request);
    expect([made.status, made.json]).toEqual([201, [device.uuid]]);
    const refused = await ask({ ...request, correlationId: correlation() });
    expect([refused.status, refused.json]).toEqual([200, []]);
  });

  it("is refused for an image whose stored bytes are not those that were signed", async () => {
    const device = await enrol(director);
    const bad = image("bad_1.0");
    const { db, namespaceId } = director.ctx;
    const verification = { namespaceId, filename: bad.filepath, checks: [], checkedAt: director.clock.now };
    await db.imageVerification.create({ data: { ...verification, state: "mismatch" } });
    const { reply } = await assign(director, [device], { rpi4: { to: bad } });
    expect([reply.status, refusal(reply, device)]).toEqual([400, "image_verification_failed"]);
    expect((await seen(director, device)).open).toEqual([]);
    await db.imageVerification.updateMany({ where: { filename: bad.filepath }, data: { state: "verified" } });
    expect((await assign(director, [device], { rpi4: { to: bad } })).reply.status).toBe(201);
  });

  it("is refused with a correlation id outside the grammar, and with wrong types", async () => {
    const mtuId = await makeMtu(director);
    for (const correlationId of ["", "x", `urn:here-ota:other:${randomUUID()}`, "urn:here-ota:mtu:1", 7, null]) {
      const reply = await post({ correlationId, mtuId, devices: [] });
      expect([reply.status, codeOf(reply)], String(correlationId)).toEqual([400, "invalid_entity"]);
    }
    for (const correlationId of [
      `urn:here-ota:campaign:${randomUUID()}`,
      `urn:here-ota:auto-update:${randomUUID()}`,
      `urn:tdx-ota:update:${randomUUID()}`,
      "urn:tdx-ota:lockbox:box_1:3:0123456789ab",
    ]) {
      expect((await post({ correlationId, mtuId, devices: [] })).status).toBe(200);
    }
    expect((await post({ correlationId: correlation(), mtuId, devices: "all" })).status).toBe(400);
    expect((await post([])).status).toBe(400);
  });

  it("goes through the legacy address too, and says 4xx when nothing is affected", async () => {
    const device = await enrol(director);
    const mtuId = await makeMtu(director);
    const path = `/api/v1/admin/devices/${device.uuid}/multi_target_update/${mtuId}`;
    expect((await director.ask("PUT", path)).status).toBe(200);
    expect((await seen(director, device)).open).toMatchObject([{ correlationId: `urn:here-ota:mtu:${mtuId}` }]);
    const other = await makeMtu(director, { rpi4: { to: OTHER } });
    const refused = await director.ask("PUT", `/api/v1/admin/devices/${device.uuid}/multi_target_update/${other}`);
    expect([refused.status, codeOf(refused)]).toEqual([400, "not_affected_running_assignment"]);
  });
});

describe("an assignment that would make metadata no device reads", () => {
  it("is refused beyond 64 KiB, when it is made", async () => {
    const hardwareIds = Array.from({ length: 100 }, (_, index) => `hw-${index}`);
    const device = await enrol(director, { hardwareIds });
    const targets = Object.fromEntries(
      hardwareIds.map((id, index) => [
        id,
        { to: { ...toTarget(image(`app_${index}`)), uri: `https://images.example/${"x".repeat(700)}` } },
      ]),
    );
    const made = await director.ask("POST", "/api/v1/multi_target_updates", { body: { targets } });
    const reply = await post({ correlationId: correlation(), mtuId: made.json, devices: [device.uuid] });
    expect([reply.status, refusal(reply, device)]).toEqual([400, "metadata_too_large"]);
    expect((await device.fetch()).version).toBe(1);
  });

  it("is refused when another assignment uses the name for another content", async () => {
    const device = await enrol(director, { hardwareIds: ["rpi4", "sensor"] });
    await assign(director, [device], { rpi4: { to: NEW } });
    const { reply } = await assign(director, [device], { sensor: { to: { ...NEW, sha256: OTHER.sha256 } } });
    expect([reply.status, refusal(reply, device, device.ecu(1).serial)]).toEqual([400, "invalid_assignment"]);
    expect((await device.fetch()).targets.size).toBe(1);
  });
});
