import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { JsonObject } from "#lib/uptane/json.ts";
import { put } from "#tests/harness/uptane-documents.ts";
import { assign, direct, enrol, makeEcu, NEW, seen, startDirector, TestDevice, type TestDirector } from "./harness.ts";

let director: TestDirector;
beforeAll(async () => {
  director = await startDirector();
});
afterAll(() => director.stop());

const codeOf = (reply: { json: unknown }) => (reply.json as { code?: string }).code;
const serialsOf = async (device: TestDevice) => {
  const rows = await director.ctx.db.directorEcu.findMany({ where: { deviceUuid: device.uuid, removedAt: null } });
  return rows.map(({ serial }) => serial).sort();
};

describe("registering ECUs", () => {
  it("answers 201 first, 200 to the identical list, and keeps one set", async () => {
    const device = new TestDevice(director, "rpi4", "sensor");
    expect((await device.register()).status).toBe(201);
    expect((await device.register()).status).toBe(200);
    expect((await device.register()).status).toBe(200);
    expect(await serialsOf(device)).toEqual(device.ecus.map(({ serial }) => serial).sort());
  });

  it("gives the device metadata at once: empty targets under version 1", async () => {
    const device = new TestDevice(director);
    await device.register();
    const roles = await director.ctx.db.directorRole.findMany({ where: { deviceUuid: device.uuid } });
    expect(roles.map(({ role, version }) => [role, version]).sort()).toEqual([
      ["snapshot", 1],
      ["targets", 1],
      ["timestamp", 1],
    ]);
    const targets = await device.fetch();
    expect([targets.version, targets.targets.size, targets.correlationId]).toEqual([1, 0, null]);
  });

  it("takes the list as complete: what is missing is gone, what is new is there", async () => {
    const device = await enrol(director, { hardwareIds: ["rpi4", "sensor", "lamp"] });
    const added = makeEcu("sensor");
    device.ecus = [device.primary, device.ecu(2), added];
    expect((await device.register()).status).toBe(200);
    expect(await serialsOf(device)).toEqual(device.ecus.map(({ serial }) => serial).sort());
    const { fleet } = await seen(director, device);
    expect(fleet.hardwareIds.sort()).toEqual(["lamp", "rpi4", "sensor"]);
    const history = await director.ctx.db.registryEcuReplacement.findMany({ where: { deviceUuid: device.uuid } });
    expect(history).toMatchObject([{ success: true, body: { current: { ecuId: added.serial } } }]);
  });

  it("accepts RSA keys and upper-case hex, and refuses any other key", async () => {
    const device = new TestDevice(director);
    device.ecus = [makeEcu("rpi4", "RSA"), makeEcu("sensor")];
    expect(device.ecu(1).signer.publicKey.keyval.public).toMatch(/^[0-9A-F]{64}$/);
    expect((await device.register()).status).toBe(201);
    for (const clientKey of [
      { keytype: "ECPRIME256V1", keyval: { public: "30" } },
      { keytype: "ED25519", keyval: { public: "ab" } },
      { keytype: "RSA", keyval: { public: "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n" } },
    ]) {
      const other = new TestDevice(director);
      const reply = await other.register(put(other.registration(), ["ecus", 0, "clientKey"], clientKey));
      expect([reply.status, codeOf(reply)]).toEqual([400, "invalid_entity"]);
    }
  });

  it("takes its manifest signed with RSA", async () => {
    const device = new TestDevice(director);
    device.ecus = [makeEcu("rpi4", "RSA")];
    await device.register();
    expect((await device.report()).status).toBe(200);
  });

  it("refuses a primary that is not in the list", async () => {
    const device = new TestDevice(director);
    const reply = await device.register(put(device.registration(), ["primary_ecu_serial"], "somebody-else"));
    expect([reply.status, codeOf(reply)]).toEqual([400, "primary_is_not_listed_for_device"]);
  });

  it("refuses names that would break the metadata, too many ECUs and a serial twice", async () => {
    const ecu = (serial: unknown, hardwareId: unknown = "rpi4"): JsonObject => ({
      ecu_serial: serial as string,
      hardware_identifier: hardwareId as string,
      clientKey: { keytype: "ED25519", keyval: { public: "a".repeat(64) } },
    });
    const bodies: JsonObject[] = [
      { primary_ecu_serial: "Gerät", ecus: [ecu("Gerät")] },
      { primary_ecu_serial: "a", ecus: [ecu("a", "Motor\u0000")] },
      { primary_ecu_serial: "a", ecus: [ecu("a", "ü")] },
      { primary_ecu_serial: "a", ecus: [ecu("a", "")] },
      { primary_ecu_serial: "a", ecus: [ecu("a", "h".repeat(201))] },
      { primary_ecu_serial: "", ecus: [ecu("")] },
      { primary_ecu_serial: "s".repeat(65), ecus: [ecu("s".repeat(65))] },
      { primary_ecu_serial: "__proto__", ecus: [ecu("__proto__")] },
      { primary_ecu_serial: "a", ecus: [ecu("a"), ecu("a")] },
      { primary_ecu_serial: "a", ecus: [] },
      { primary_ecu_serial: "e0", ecus: Array.from({ length: 101 }, (_, index) => ecu(`e${index}`)) },
      { primary_ecu_serial: 7 as unknown as string, ecus: [ecu("a")] },
    ];
    for (const body of bodies) {
      const reply = await new TestDevice(director).register(body);
      expect([reply.status, codeOf(reply)], JSON.stringify(body).slice(0, 80)).toEqual([400, "invalid_entity"]);
    }
    const full = Array.from({ length: 100 }, (_, index) => ecu(`e${index}`));
    expect((await new TestDevice(director).register({ primary_ecu_serial: "e0", ecus: full })).status).toBe(201);
  });

  it("registers through the admin API too, which needs the device's id", async () => {
    const device = new TestDevice(director);
    const path = "/api/v1/admin/devices";
    expect((await director.ask("POST", path, { body: device.registration() })).status).toBe(400);
    const body = { ...device.registration(), deviceId: device.uuid };
    expect((await director.ask("POST", path, { body })).status).toBe(201);
    expect((await director.ask("POST", path, { body })).status).toBe(200);
  });
});

describe("a registration that is refused", () => {
  it("says replace_ecu_assignment_exists while an ECU that would go has an assignment, and shows it in Why", async () => {
    const device = await enrol(director, { hardwareIds: ["rpi4", "sensor"] });
    await assign(director, [device], { sensor: { to: NEW } });
    const [kept, assigned] = [device.primary, device.ecu(1)];
    device.ecus = [kept];
    const reply = await device.register();
    expect([reply.status, codeOf(reply)]).toEqual([412, "replace_ecu_assignment_exists"]);
    const refused = await seen(director, device);
    expect(refused.fleet.registrationRefusal).toBe("replace_ecu_assignment_exists");
    expect(refused.registryStatus).toBe("Error");
    expect(refused.open).toHaveLength(1);
    device.ecus = [kept, { ...assigned, hardwareId: "other" }];
    expect((await device.register()).status).toBe(412);
    device.ecus = [kept, assigned, makeEcu("lamp")];
    expect((await device.register()).status).toBe(200);
    expect((await seen(director, device)).fleet.registrationRefusal).toBeNull();
  });

  it("says ecu_reuse_not_allowed when a replaced serial comes back, and shows it in Why", async () => {
    const device = await enrol(director, { hardwareIds: ["rpi4", "sensor"] });
    const both = device.ecus;
    device.ecus = [device.primary];
    expect((await device.register()).status).toBe(200);
    device.ecus = both;
    const reply = await device.register();
    expect([reply.status, codeOf(reply)]).toEqual([409, "ecu_reuse_not_allowed"]);
    expect((await seen(director, device)).fleet.registrationRefusal).toBe("ecu_reuse_not_allowed");
  });

  it("says ecu_replacement_disabled where the setting forbids another list, and takes the identical one", async () => {
    const { ctx, clock } = director;
    const strict = direct({ ...ctx, config: { ...ctx.config, DIRECTOR_ALLOW_ECU_REPLACEMENT: false } }, clock);
    const device = await enrol(director);
    const path = device.path("ecus");
    expect((await strict.ask("POST", path, { body: device.registration() })).status).toBe(200);
    const history = () => ctx.db.registryEcuReplacement.count({ where: { deviceUuid: device.uuid } });
    device.ecus = [makeEcu("rpi4")];
    const reply = await strict.ask("POST", path, { body: device.registration() });
    expect([reply.status, codeOf(reply)]).toEqual([409, "ecu_replacement_disabled"]);
    expect((await seen(director, device)).fleet.registrationRefusal).toBe("ecu_replacement_disabled");
    expect(await history()).toBe(0);
    expect((await device.register()).status).toBe(200);
    expect(await history()).toBe(1);
    await strict.app.close();
  });

  it("does not reach a device of another namespace", async () => {
    const device = await enrol(director);
    await director.ask("POST", "/api/v1/admin/repo", { namespace: "elsewhere" });
    const namespace = "elsewhere";
    const body = device.registration();
    expect((await director.ask("POST", device.path("ecus"), { body, namespace })).status).toBe(404);
    expect((await director.ask("GET", device.path("targets.json"), { namespace })).status).toBe(404);
    const manifest = await director.ask("PUT", device.path("manifest"), { body: device.manifest(), namespace });
    expect([manifest.status, codeOf(manifest)]).toEqual([404, "device_missing_primary_ecu"]);
  });
});

describe("an ECU that is gone", () => {
  it("is taken out of the list that the device is served, which never names an ECU it has not", async () => {
    const device = await enrol(director, { hardwareIds: ["rpi4", "sensor"] });
    const { correlationId } = await assign(director, [device], { sensor: { to: NEW } });
    await device.fetch();
    device.ecu(1).installed = NEW;
    await device.report();
    device.ecus = [device.primary];
    await device.register();
    await device.report();
    const targets = await device.fetch();
    const serials = [...targets.targets.values()].flatMap(({ ecuIdentifiers }) => [...(ecuIdentifiers?.keys() ?? [])]);
    expect(serials).toEqual([device.primary.serial]);
    expect(targets.correlationId).toBe(correlationId);
    expect(device.stored?.signed.version).toBe(targets.version);
  });

  it("loses what it had reported when its key changed: that was another unit", async () => {
    const device = await enrol(director);
    device.ecus = [{ ...makeEcu("rpi4"), serial: device.primary.serial }];
    expect((await device.register()).status).toBe(200);
    const reply = await director.ask("GET", `/api/v1/admin/devices/${device.uuid}`);
    expect(reply.json).toEqual([]);
    expect((await device.report()).status).toBe(200);
  });
});

describe("a namespace without a director repository", () => {
  it("answers 403 in plain text until one is made, and makes one once", async () => {
    const namespace = "bare";
    const path = `/api/v1/device/${randomUUID()}/targets.json`;
    const refused = await director.ask("GET", path, { namespace });
    expect([refused.status, refused.headers["content-type"]]).toEqual([403, "text/plain; charset=utf-8"]);
    expect((await director.ask("GET", "/api/v1/admin/devices", { namespace })).status).toBe(200);
    const made = await Promise.all([1, 2, 3].map(() => director.ask("POST", "/api/v1/admin/repo", { namespace })));
    expect(made.map(({ status }) => status).sort()).toEqual([201, 409, 409]);
    expect((await director.ask("GET", path, { namespace })).status).toBe(200);
  });
});
