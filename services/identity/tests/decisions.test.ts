import pg from "pg";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { AppError } from "#lib/errors/app-error.ts";
import { type CertificateFacts, parseCertificate } from "#lib/pki/certificates.ts";
import {
  admitNewcomer,
  allowCertificate,
  approveCertificate,
  deleteDevice,
  getCertificate,
  issueDevice,
  recordPending,
  rejectCertificate,
  revokeCertificate,
} from "#services/identity/service.ts";
import { judge, judgedAs, visitOf } from "#tests/harness/admission.ts";
import {
  actorOf,
  auditStory,
  expectRefusal,
  type IdentityWorld,
  type IdentityWorlds,
  openIdentityWorlds,
} from "#tests/harness/identity.ts";
import { addAuthority } from "#tests/pki/authority.ts";
import { createSoftwareCa, type SoftwareCa } from "#tests/pki/software-ca.ts";
import { withTwinSignature } from "#tests/pki/twin-signature.ts";

const admin = actorOf("admin");
let worlds: IdentityWorlds;
let ca: SoftwareCa;
let world: IdentityWorld;
let authorityId: string;

beforeAll(async () => {
  worlds = await openIdentityWorlds();
  ca = await createSoftwareCa();
});
beforeEach(async () => {
  world = worlds.next();
  authorityId = await addAuthority(world.ctx, ca.certificate);
});
afterAll(() => worlds.close());

/** A certificate of the outside CA that has come to the door and waits. */
async function waiting(deviceUuid: string = crypto.randomUUID(), privateKeyPem?: string): Promise<CertificateFacts> {
  const key = privateKeyPem === undefined ? {} : { privateKeyPem };
  const { certificate } = await ca.issue({ commonNames: [deviceUuid], ...key });
  await recordPending(world.ctx, visitOf(certificate, authorityId));
  return certificate;
}

const codeOf = (leaf: CertificateFacts) => judgedAs(world.ctx, leaf);

describe("a certificate seen first", () => {
  it("waits, and shows what a person decides on", async () => {
    const leaf = await waiting();
    await recordPending(world.ctx, visitOf(leaf, authorityId, "192.0.2.10"));
    expect(await codeOf(leaf)).toBe("pending");
    expect(await getCertificate(world.ctx, admin, leaf.fingerprint)).toMatchObject({
      state: "pending",
      deviceUuid: leaf.subjectCn,
      subject: leaf.subjectDn,
      issuer: leaf.issuerDn,
      authority: { id: authorityId, name: "Outside CA" },
      serial: leaf.serialHex,
      lastAddress: "192.0.2.9",
      warnings: [],
    });
    expect(await auditStory(world.ctx)).toEqual([]);
  });
});

describe("approve", () => {
  it("makes the registry's device under the common name and lets the certificate in", async () => {
    const leaf = await waiting();
    const { fingerprint } = leaf;
    const approved = await approveCertificate(world.ctx, admin, { fingerprint, note: "seen on site" });
    expect(approved).toMatchObject({
      state: "allowed",
      name: leaf.subjectCn,
      note: "seen on site",
      decidedBy: "admin",
    });
    expect(world.registry.created).toMatchObject([{ uuid: leaf.subjectCn, deviceName: leaf.subjectCn }]);
    const row = await world.ctx.db.fleetDevice.findFirst({ where: { uuid: leaf.subjectCn ?? "" } });
    expect(row).toMatchObject({ certificateFingerprint: fingerprint, certificateState: "allowed" });
    expect(await codeOf(leaf)).toBe("admitted");
    expect(await auditStory(world.ctx)).toEqual(["certificate.approve requested", "certificate.approve done"]);
  });

  it("tells every gateway when it commits", async () => {
    const listener = new pg.Client({ connectionString: worlds.databaseUrl });
    await listener.connect();
    await listener.query("LISTEN gatehouse_admission");
    const told = new Promise<string | undefined>((done) => listener.once("notification", (it) => done(it.payload)));
    const { fingerprint } = await waiting();
    await approveCertificate(world.ctx, admin, { fingerprint });
    expect(await told).toMatch(new RegExp(`^${fingerprint}#[0-9]+$`));
    await listener.end();
  });

  it("changes nothing when the registry fails, and can be repeated", async () => {
    const leaf = await waiting();
    world.registry.failWith = new AppError("backend.unreachable", "Down.");
    const { fingerprint } = leaf;
    await expectRefusal(approveCertificate(world.ctx, admin, { fingerprint }), "backend.unreachable");
    expect(await codeOf(leaf)).toBe("pending");
    world.registry.failWith = null;
    await approveCertificate(world.ctx, admin, { fingerprint });
    expect(await codeOf(leaf)).toBe("admitted");
    expect(await auditStory(world.ctx)).toEqual([
      "certificate.approve requested",
      "certificate.approve unknown",
      "certificate.approve requested",
      "certificate.approve done",
    ]);
  });

  it("refuses a second certificate of a device while one is allowed, naming it, and warns before", async () => {
    const first = await waiting();
    await approveCertificate(world.ctx, admin, { fingerprint: first.fingerprint });
    const second = await waiting(first.subjectCn ?? "");
    expect(await codeOf(second)).toBe("another_certificate_allowed");
    const { warnings } = await getCertificate(world.ctx, admin, second.fingerprint);
    expect(warnings.map(({ code }) => code)).toEqual(["another_certificate_allowed", "new_key"]);
    const refused = approveCertificate(world.ctx, admin, { fingerprint: second.fingerprint });
    await expectRefusal(refused, "certificate.conflict");
    await expect(refused).rejects.toThrow(first.fingerprint);
    await revokeCertificate(world.ctx, admin, { fingerprint: first.fingerprint, reason: "superseded" });
    expect(await codeOf(second)).toBe("pending");
    await approveCertificate(world.ctx, admin, { fingerprint: second.fingerprint });
    expect(await codeOf(second)).toBe("admitted");
    expect(await codeOf(first)).toBe("revoked");
  });

  it("lets exactly one of two certificates of a device in, however they race", async () => {
    const uuid = crypto.randomUUID();
    const other = worlds.next(world);
    const leaves = [await waiting(uuid), await waiting(uuid)];
    // Both have looked before either is stored: only the look under the lock can tell them apart.
    let arrived = 0;
    const bothArrived = Promise.withResolvers<void>();
    const results = await Promise.allSettled(
      leaves.map((leaf, index) => {
        const { ctx } = index === 0 ? world : other;
        const createDevice = async () => {
          arrived += 1;
          if (arrived === 2) bothArrived.resolve();
          await bothArrived.promise;
        };
        const registry = { ...ctx.backends.registry, createDevice };
        return approveCertificate({ ...ctx, backends: { registry } }, admin, { fingerprint: leaf.fingerprint });
      }),
    );
    expect(results.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
    const codes = await Promise.all(leaves.map(codeOf));
    expect(codes.sort()).toEqual(["admitted", "another_certificate_allowed"]);
  });

  it("refuses what has expired while it waited", async () => {
    const { certificate: leaf } = await ca.issue({ notAfter: new Date(world.clock.now.getTime() + 60_000) });
    await recordPending(world.ctx, visitOf(leaf, authorityId));
    world.clock.advance(120_000);
    await expectRefusal(approveCertificate(world.ctx, admin, leaf), "certificate.wrong_state");
  });

  it("knows a key that the device had before, and what became of earlier certificates", async () => {
    const uuid = crypto.randomUUID();
    const { certificate: first, privateKeyPem } = await ca.issue({ commonNames: [uuid] });
    await recordPending(world.ctx, visitOf(first, authorityId));
    await approveCertificate(world.ctx, admin, { fingerprint: first.fingerprint });
    await revokeCertificate(world.ctx, admin, { fingerprint: first.fingerprint, reason: "keyCompromise" });
    const second = await waiting(uuid, privateKeyPem);
    const { warnings } = await getCertificate(world.ctx, admin, second.fingerprint);
    expect(warnings.map(({ code }) => code)).toEqual(["revoked_before"]);
  });
});

describe("reject and revoke", () => {
  it("are for good: nothing leads back in", async () => {
    const rejected = await waiting();
    await rejectCertificate(world.ctx, admin, { fingerprint: rejected.fingerprint });
    expect(await codeOf(rejected)).toBe("rejected");
    const revoked = await waiting();
    await approveCertificate(world.ctx, admin, { fingerprint: revoked.fingerprint });
    await revokeCertificate(world.ctx, admin, { fingerprint: revoked.fingerprint, reason: "keyCompromise" });
    expect(await codeOf(revoked)).toBe("revoked");
    for (const { fingerprint } of [rejected, revoked]) {
      await expectRefusal(approveCertificate(world.ctx, admin, { fingerprint }), "certificate.wrong_state");
      await expectRefusal(allowCertificate(world.ctx, admin, { fingerprint }), "certificate.wrong_state");
      await expectRefusal(rejectCertificate(world.ctx, admin, { fingerprint }), "certificate.wrong_state");
    }
    const again = revokeCertificate(world.ctx, admin, { fingerprint: revoked.fingerprint });
    await expectRefusal(again, "certificate.wrong_state");
  });

  it("hold for the certificate's twin with the other valid signature", async () => {
    const leaf = await waiting();
    await approveCertificate(world.ctx, admin, { fingerprint: leaf.fingerprint });
    const twin = parseCertificate(withTwinSignature(leaf.der));
    expect(await codeOf(twin)).toBe("altered_copy");
    await revokeCertificate(world.ctx, admin, { fingerprint: leaf.fingerprint });
    expect(await codeOf(twin)).toBe("revoked");
  });

  it("keep the reason, show on the device and are audited", async () => {
    const leaf = await waiting();
    const { fingerprint } = leaf;
    await approveCertificate(world.ctx, admin, { fingerprint });
    const revoked = await revokeCertificate(world.ctx, admin, { fingerprint, reason: "keyCompromise", note: "stolen" });
    expect(revoked).toMatchObject({ state: "revoked", revocationReason: "keyCompromise", note: "stolen" });
    const row = await world.ctx.db.fleetDevice.findFirst({ where: { uuid: leaf.subjectCn ?? "" } });
    expect(row).toMatchObject({ certificateState: "revoked" });
    expect((await auditStory(world.ctx)).at(-1)).toBe("certificate.revoke done");
  });
});

describe("allow before the first visit", () => {
  it("lets the certificate in at its first visit, under the given name", async () => {
    const { certificate: leaf } = await ca.issue();
    await allowCertificate(world.ctx, admin, { fingerprint: leaf.fingerprint, name: "Truck 17" });
    expect(await judge(world.ctx, leaf)).toMatchObject({ admitted: true, newcomer: true });
    await admitNewcomer(world.ctx, visitOf(leaf, authorityId));
    expect(await judge(world.ctx, leaf)).toMatchObject({ admitted: true, newcomer: false });
    expect(world.registry.created).toMatchObject([{ uuid: leaf.subjectCn, deviceName: "Truck 17" }]);
    expect(await getCertificate(world.ctx, admin, leaf.fingerprint)).toMatchObject({
      state: "allowed",
      deviceUuid: leaf.subjectCn,
      name: "Truck 17",
      decidedBy: "admin",
      lastAddress: "192.0.2.9",
    });
    expect(await auditStory(world.ctx)).toEqual([
      "allowlist.add done",
      "certificate.approve requested",
      "certificate.approve done",
    ]);
  });

  it("can be repeated, and approves what already waits", async () => {
    const { certificate: leaf } = await ca.issue();
    const { fingerprint } = leaf;
    await allowCertificate(world.ctx, admin, { fingerprint });
    expect(await allowCertificate(world.ctx, admin, { fingerprint })).toMatchObject({ state: "allowed" });
    const pending = await waiting();
    const allowed = await allowCertificate(world.ctx, admin, { fingerprint: pending.fingerprint, name: "Truck 18" });
    expect(allowed).toMatchObject({ state: "allowed", name: "Truck 18" });
    expect(await auditStory(world.ctx)).toHaveLength(3);
  });

  it("does not let a second certificate of a device in: it waits", async () => {
    const first = await waiting();
    await approveCertificate(world.ctx, admin, { fingerprint: first.fingerprint });
    const { certificate: leaf } = await ca.issue({ commonNames: [first.subjectCn ?? ""] });
    await allowCertificate(world.ctx, admin, { fingerprint: leaf.fingerprint });
    const decision = await judge(world.ctx, leaf);
    expect(decision).toMatchObject({ code: "another_certificate_allowed", becomesPending: true });
    await recordPending(world.ctx, visitOf(leaf, authorityId));
    expect(await getCertificate(world.ctx, admin, leaf.fingerprint)).toMatchObject({ state: "pending" });
  });

  it("lets exactly one of two allowlisted certificates of a device in, however they race", async () => {
    const uuid = crypto.randomUUID();
    const leaves = await Promise.all([0, 1].map(async () => (await ca.issue({ commonNames: [uuid] })).certificate));
    for (const { fingerprint } of leaves) await allowCertificate(world.ctx, admin, { fingerprint });
    await Promise.all(leaves.map((leaf) => admitNewcomer(world.ctx, visitOf(leaf, authorityId))));
    const codes = await Promise.all(leaves.map(codeOf));
    expect(codes.sort()).toEqual(["admitted", "another_certificate_allowed"]);
  });

  it("gives the UUID as a name when the chosen one is taken meanwhile", async () => {
    await issueDevice(world.ctx, admin, { name: "Truck 17", hardwareId: "rpi4" });
    const { certificate: leaf } = await ca.issue();
    await allowCertificate(world.ctx, admin, { fingerprint: leaf.fingerprint, name: "Truck 17" });
    await admitNewcomer(world.ctx, visitOf(leaf, authorityId));
    expect(world.registry.created.at(-1)).toMatchObject({ deviceName: leaf.subjectCn });
    expect(await codeOf(leaf)).toBe("admitted");
  });
});

describe("deleting a device", () => {
  it("revokes all its certificates and has the registry forget it", async () => {
    const bundle = await issueDevice(world.ctx, admin, { name: "Truck 17", hardwareId: "rpi4" });
    const second = await waiting(bundle.uuid);
    await deleteDevice(world.ctx, admin, bundle.uuid);
    for (const fingerprint of [bundle.fingerprint, second.fingerprint]) {
      const certificate = await getCertificate(world.ctx, admin, fingerprint);
      expect(certificate).toMatchObject({ state: "revoked", revocationReason: "cessationOfOperation" });
    }
    expect(await world.ctx.db.fleetDevice.count({ where: { uuid: bundle.uuid } })).toBe(0);
    expect((await auditStory(world.ctx)).slice(-4)).toEqual([
      "device.delete requested",
      "certificate.revoke done",
      "certificate.revoke done",
      "device.delete done",
    ]);
  });

  it("keeps it out even when the registry fails, and can be repeated", async () => {
    const bundle = await issueDevice(world.ctx, admin, { name: "Truck 17", hardwareId: "rpi4" });
    world.registry.failWith = new AppError("backend.timeout", "Too late.");
    await expectRefusal(deleteDevice(world.ctx, admin, bundle.uuid), "backend.timeout");
    expect(await codeOf(parseCertificate(bundle.files["client.pem"]))).toBe("revoked");
    world.registry.failWith = null;
    await deleteDevice(world.ctx, admin, bundle.uuid);
    await expectRefusal(deleteDevice(world.ctx, admin, bundle.uuid), "device.not_found");
  });
});

describe("only admins", () => {
  it("decide; a certificate of another namespace is not found", async () => {
    const { fingerprint } = await waiting();
    for (const role of ["support", "operator"] as const) {
      const actor = actorOf(role);
      await expectRefusal(approveCertificate(world.ctx, actor, { fingerprint }), "auth.forbidden");
      await expectRefusal(rejectCertificate(world.ctx, actor, { fingerprint }), "auth.forbidden");
      await expectRefusal(revokeCertificate(world.ctx, actor, { fingerprint }), "auth.forbidden");
      await expectRefusal(allowCertificate(world.ctx, actor, { fingerprint }), "auth.forbidden");
      await expectRefusal(deleteDevice(world.ctx, actor, crypto.randomUUID()), "auth.forbidden");
      expect(await getCertificate(world.ctx, actor, fingerprint)).toMatchObject({ state: "pending" });
    }
    const elsewhere = { ...world.ctx, namespaceId: "elsewhere" };
    for (const decide of [approveCertificate, rejectCertificate, revokeCertificate]) {
      await expectRefusal(decide(elsewhere, admin, { fingerprint }), "certificate.not_found");
    }
    await expectRefusal(getCertificate(elsewhere, admin, fingerprint), "certificate.not_found");
  });
});
