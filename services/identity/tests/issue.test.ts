import { createPrivateKey, X509Certificate } from "node:crypto";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { AppError } from "#lib/errors/app-error.ts";
import { parseCertificate } from "#lib/pki/certificates.ts";
import { ensureAuthorities } from "#services/authorities/service.ts";
import { getCertificate, issueDevice, recordPending } from "#services/identity/service.ts";
import { judge, visitOf } from "#tests/harness/admission.ts";
import {
  actorOf,
  auditStory,
  expectRefusal,
  type IdentityWorld,
  type IdentityWorlds,
  openIdentityWorlds,
} from "#tests/harness/identity.ts";

const admin = actorOf("admin");
let worlds: IdentityWorlds;
let world: IdentityWorld;

beforeAll(async () => {
  worlds = await openIdentityWorlds();
});
beforeEach(async () => {
  world = worlds.next();
  await ensureAuthorities(world.ctx);
});
afterAll(() => worlds.close());

const admission = (clientPem: string) => judge(world.ctx, parseCertificate(clientPem));

describe("issueDevice", () => {
  it("gives files with which the device is let in at once", async () => {
    const bundle = await issueDevice(world.ctx, admin, { name: "Truck 17", hardwareId: "rpi4" });
    const { files } = bundle;
    const leaf = new X509Certificate(files["client.pem"]);
    expect(leaf.checkPrivateKey(createPrivateKey(files["pkey.pem"]))).toBe(true);
    expect(files["pkey.pem"]).toMatch(/^-----BEGIN PRIVATE KEY-----/);
    expect(parseCertificate(files["root.crt"]).isCa).toBe(true);
    expect(files["gateway.url"]).toBe("https://localhost:8443");
    expect(files["sota.toml"]).toContain('primary_ecu_hardware_id = "rpi4"');
    expect(await admission(files["client.pem"])).toMatchObject({
      admitted: true,
      deviceUuid: bundle.uuid,
      newcomer: false,
    });
  });

  it("makes the registry's device and shows the certificate on it", async () => {
    const bundle = await issueDevice(world.ctx, admin, { name: "Truck 17", hardwareId: "rpi4", simulated: true });
    expect(world.registry.created).toMatchObject([{ uuid: bundle.uuid, deviceName: "Truck 17" }]);
    const { uuid, fingerprint } = bundle;
    const row = await world.ctx.db.fleetDevice.findFirst({ where: { uuid } });
    expect(row).toMatchObject({
      name: "Truck 17",
      certificateFingerprint: fingerprint,
      certificateState: "allowed",
      simulated: true,
    });
    expect(await getCertificate(world.ctx, admin, fingerprint)).toMatchObject({
      state: "allowed",
      deviceUuid: uuid,
      name: "Truck 17",
      issuedHere: true,
      simulated: true,
      hardwareId: "rpi4",
      decidedBy: "admin",
      warnings: [],
    });
    expect((await auditStory(world.ctx)).slice(-2)).toEqual(["certificate.issue requested", "certificate.issue done"]);
  });

  it("keeps the private key nowhere: not in the database, not in what the registry gets", async () => {
    const { files } = await issueDevice(world.ctx, admin, { name: "Truck 17", hardwareId: "rpi4" });
    const secret = files["pkey.pem"].split("\n")[1] ?? "";
    const tables = await world.ctx.db.$queryRaw<{ found: string }[]>`
      SELECT row_to_json(c)::text AS found FROM device_certificate c
      UNION ALL SELECT row_to_json(a)::text FROM audit_entry a
      UNION ALL SELECT row_to_json(f)::text FROM fleet_activity f
      UNION ALL SELECT row_to_json(d)::text FROM fleet_device d`;
    expect(tables.length).toBeGreaterThan(3);
    for (const { found } of tables) expect(found).not.toContain(secret);
    expect(JSON.stringify(world.registry.created)).not.toContain(secret);
  });

  it("leaves nothing but an audit entry when the name is taken or the registry is away", async () => {
    await issueDevice(world.ctx, admin, { name: "Truck 17", hardwareId: "rpi4" });
    const again = issueDevice(world.ctx, admin, { name: "Truck 17", hardwareId: "rpi4" });
    await expectRefusal(again, "device.conflict");
    world.registry.failWith = new AppError("backend.timeout", "Too late.");
    await expectRefusal(issueDevice(world.ctx, admin, { name: "Truck 18", hardwareId: "rpi4" }), "backend.timeout");
    expect(await world.ctx.db.deviceCertificate.count({ where: { namespaceId: world.ctx.namespaceId } })).toBe(1);
    expect((await auditStory(world.ctx)).slice(-4)).toEqual([
      "certificate.issue requested",
      "certificate.issue refused",
      "certificate.issue requested",
      "certificate.issue unknown",
    ]);
  });

  it("signs a pending certificate without storing it, so that it waits at the door like an outside one", async () => {
    const bundle = await issueDevice(world.ctx, admin, {
      name: "x",
      hardwareId: "rpi4",
      pending: true,
      simulated: true,
    });
    expect(world.registry.created).toEqual([]);
    const decision = await admission(bundle.files["client.pem"]);
    expect(decision).toMatchObject({ admitted: false, code: "pending", becomesPending: true });
    const leaf = parseCertificate(bundle.files["client.pem"]);
    const authorityId = "authorityId" in decision ? (decision.authorityId ?? "") : "";
    await recordPending(world.ctx, visitOf(leaf, authorityId, "192.0.2.7"));
    const waiting = await getCertificate(world.ctx, admin, bundle.fingerprint);
    expect(waiting).toMatchObject({ state: "pending", simulated: true, issuedHere: false, lastAddress: "192.0.2.7" });
  });

  it("is for admins, and refuses a hardware id that sota.toml can't hold", async () => {
    for (const role of ["support", "operator"] as const) {
      await expectRefusal(issueDevice(world.ctx, actorOf(role), { name: "x", hardwareId: "rpi4" }), "auth.forbidden");
    }
    await expectRefusal(issueDevice(world.ctx, admin, { name: "x", hardwareId: 'a"b' }), "request.invalid");
    expect(world.registry.created).toEqual([]);
  });
});
