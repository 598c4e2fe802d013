import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { CreateProvisioningCredential, CredentialArchive } from "#lib/contracts/console/credentials.ts";
import { AppError } from "#lib/errors/app-error.ts";
import { parseCertificate } from "#lib/pki/certificates.ts";
import { ensureAuthorities } from "#services/authorities/service.ts";
import {
  approveCertificate,
  createProvisioningCredential,
  deleteDevice,
  judgeBootstrap,
  listCertificates,
  listProvisioningCredentials,
  provisionDevice,
  revokeProvisioningCredential,
} from "#services/identity/service.ts";
import { judge } from "#tests/harness/admission.ts";
import {
  actorOf,
  auditStory,
  expectRefusal,
  type IdentityWorld,
  type IdentityWorlds,
  openIdentityWorlds,
} from "#tests/harness/identity.ts";
import { type OpensslFolder, openssl } from "#tests/pki/openssl.ts";
import { withTwinSignature } from "#tests/pki/twin-signature.ts";

const admin = actorOf("admin");
const DAY_MS = 86_400_000;
let worlds: IdentityWorlds;
let world: IdentityWorld;
let folder: OpensslFolder;

beforeAll(async () => {
  worlds = await openIdentityWorlds();
  folder = openssl();
});
beforeEach(async () => {
  world = worlds.next();
  await ensureAuthorities(world.ctx);
});
afterAll(async () => {
  folder.remove();
  await worlds.close();
});

const PEM_CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

function unzip(archive: CredentialArchive): void {
  writeFileSync(`${folder.path}/c.zip`, Buffer.from(archive.archiveBase64, "base64"));
  const run = (program: string, ...args: string[]) =>
    execFileSync(program, args, { cwd: folder.path, encoding: "utf8" });
  expect(run("python3", "-m", "zipfile", "--test", "c.zip")).toContain("Done testing");
  run("python3", "-m", "zipfile", "-e", "c.zip", ".");
}

function readP12(bytes: Buffer, what: string): string {
  writeFileSync(`${folder.path}/x.p12`, bytes);
  const args = ["pkcs12", "-in", "x.p12", "-passin", "pass:", ...what.split(" ")];
  return execFileSync("openssl", args, { cwd: folder.path, encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
}

const leafOf = (pkcs12: Buffer) =>
  parseCertificate(readP12(pkcs12, "-nokeys -clcerts").match(PEM_CERTIFICATE)?.[0] ?? "");

async function make(change: Partial<CreateProvisioningCredential> = {}) {
  const made = await createProvisioningCredential(world.ctx, admin, {
    description: "Line 4",
    uses: 2,
    expiresInDays: 30,
    policy: "allowed",
    certificateDays: 3_650,
    ...change,
  });
  unzip(made.archive);
  const pem = folder.run("pkcs12 -in autoprov_credentials.p12 -passin pass: -nokeys -clcerts");
  return { ...made, leaf: parseCertificate(pem.match(PEM_CERTIFICATE)?.[0] ?? "") };
}

async function register(leaf: Parameters<typeof judgeBootstrap>[1], deviceId: string, ttl?: number) {
  const judged = await judgeBootstrap(world.ctx, leaf);
  if (judged === null) return "no bootstrap certificate";
  if ("refusal" in judged) return judged.refusal.code;
  const answer = await provisionDevice(world.ctx, judged, {
    deviceId,
    address: "192.0.2.9",
    ...(ttl === undefined ? {} : { ttl }),
  });
  return "refusal" in answer ? answer.refusal.code : answer;
}

async function provisioned(leaf: Parameters<typeof judgeBootstrap>[1], deviceId: string, ttl?: number) {
  const answer = await register(leaf, deviceId, ttl);
  if (typeof answer === "string") throw new Error(answer);
  return { ...answer, leaf: leafOf(answer.pkcs12) };
}

const admission = (leaf: Parameters<typeof judgeBootstrap>[1]) => judge(world.ctx, leaf);

describe("a provisioning credential", () => {
  it("comes as an archive that any unzip reads, with the entries of the contract", async () => {
    const { archive, credential, leaf } = await make();
    expect(archive.entries.map(({ name }) => name)).toEqual([
      "autoprov_credentials.p12",
      "autoprov.url",
      "server_ca.pem",
    ]);
    expect(folder.read("autoprov.url")).toBe("https://localhost:8443");
    expect(parseCertificate(folder.read("server_ca.pem")).isCa).toBe(true);
    expect(leaf.fingerprint).toBe(credential.fingerprint);
    const authorities = folder.run("pkcs12 -in autoprov_credentials.p12 -passin pass: -nokeys -cacerts");
    expect(authorities.match(PEM_CERTIFICATE)).toHaveLength(1);
    expect(authorities).toContain(folder.read("server_ca.pem").trim());
    expect(credential).toMatchObject({ state: "active", usesLeft: 2, policy: "allowed", createdBy: "admin" });
  });

  it("is no device's: its authority is not one that the door judges devices by", async () => {
    const { leaf } = await make();
    expect(await admission(leaf)).toMatchObject({ admitted: false, code: "unknown_authority" });
  });

  it("is made and revoked by admins only, and both is audited", async () => {
    const { credential } = await make();
    const input = { description: "x", uses: 1, expiresInDays: 1, policy: "pending" as const, certificateDays: 1 };
    for (const role of ["support", "operator"] as const) {
      await expectRefusal(createProvisioningCredential(world.ctx, actorOf(role), input), "auth.forbidden");
      await expectRefusal(revokeProvisioningCredential(world.ctx, actorOf(role), credential.id), "auth.forbidden");
    }
    await expectRefusal(
      revokeProvisioningCredential(world.ctx, admin, crypto.randomUUID()),
      "provisioning_credential.not_found",
    );
    const other = worlds.next();
    await expectRefusal(
      revokeProvisioningCredential(other.ctx, admin, credential.id),
      "provisioning_credential.not_found",
    );
    for (let time = 0; time < 2; time++) await revokeProvisioningCredential(world.ctx, admin, credential.id);
    expect((await auditStory(world.ctx)).slice(-2)).toEqual([
      "provisioning_credential.create done",
      "provisioning_credential.revoke done",
    ]);
  });

  it("is listed newest first, in pages, without its key", async () => {
    for (const description of ["a", "b", "c"]) {
      await make({ description });
      world.clock.advance(1_000);
    }
    const first = await listProvisioningCredentials(world.ctx, actorOf("support"), { limit: 2 });
    expect(first).toMatchObject({ data: [{ description: "c" }, { description: "b" }], total: 3 });
    const cursor = first.nextCursor ?? "";
    const second = await listProvisioningCredentials(world.ctx, admin, { limit: 2, cursor });
    expect(second).toMatchObject({ data: [{ description: "a" }], nextCursor: null });
    expect(JSON.stringify(first)).not.toContain("PRIVATE");
  });
});

describe("registering a device", () => {
  it("makes its registry row and a certificate that is let in at once, as long as it asked for", async () => {
    const { leaf, credential } = await make({ hardwareId: "rpi4" });
    const device = await provisioned(leaf, "brave-otter-7", 30);
    expect(device.leaf.subjectCn).toBe(device.deviceUuid);
    expect(device.leaf.notAfter.getTime() - world.clock.now.getTime()).toBeLessThanOrEqual(30 * DAY_MS);
    expect(readP12(device.pkcs12, "-nokeys -cacerts")).toContain(folder.read("server_ca.pem").trim());
    expect(await admission(device.leaf)).toMatchObject({ admitted: true, deviceUuid: device.deviceUuid });
    expect(world.registry.created).toMatchObject([
      { uuid: device.deviceUuid, deviceId: "brave-otter-7", deviceName: "brave-otter-7" },
    ]);
    const { data } = await listProvisioningCredentials(world.ctx, admin, { limit: 1 });
    expect(data).toMatchObject([{ id: credential.id, usesLeft: 1, lastUsedAt: world.clock.now.toISOString() }]);
    expect((await auditStory(world.ctx)).slice(-2)).toEqual(["certificate.issue requested", "certificate.issue done"]);
  });

  it("has it join the credential's group, which must be one that takes members", async () => {
    const { group } = world.registry;
    await expectRefusal(make({ groupId: crypto.randomUUID() }), "request.invalid");
    const { leaf } = await make({ groupId: group.id });
    const device = await provisioned(leaf, "member");
    expect(group.members).toEqual([device.deviceUuid]);
  });

  it("bounds a life of 36000 days by what the credential allows", async () => {
    const { leaf } = await make({ certificateDays: 90 });
    const device = await provisioned(leaf, "d", 36_000);
    expect(device.leaf.notAfter.getTime()).toBeLessThanOrEqual(world.clock.now.getTime() + 90 * DAY_MS);
  });

  it("has it wait for a person when the credential says so; approving lets it in under its own id", async () => {
    const { leaf } = await make({ policy: "pending" });
    const device = await provisioned(leaf, "waits");
    expect(await admission(device.leaf)).toMatchObject({ admitted: false, code: "pending" });
    const { data } = await listCertificates(world.ctx, admin, { state: "pending", limit: 1, sort: "-createdAt" });
    expect(data).toMatchObject([{ fingerprint: device.leaf.fingerprint, name: "waits" }]);
    await approveCertificate(world.ctx, admin, { fingerprint: device.leaf.fingerprint, name: "Truck 9" });
    expect(await admission(device.leaf)).toMatchObject({ admitted: true, deviceUuid: device.deviceUuid });
    expect(world.registry.created).toHaveLength(1);
  });

  it("never makes more devices than uses, however many come at once", async () => {
    const { leaf } = await make({ uses: 3 });
    const answers = await Promise.all(Array.from({ length: 8 }, (_, index) => register(leaf, `device ${index}`)));
    expect(answers.filter((answer) => answer === "provisioning_exhausted")).toHaveLength(5);
    expect(world.registry.created).toHaveLength(3);
    expect(await world.ctx.db.deviceCertificate.count({ where: { namespaceId: world.ctx.namespaceId } })).toBe(3);
    expect(await register(leaf, "one more")).toBe("provisioning_exhausted");
  });

  it("refuses a known device id, costs no use, and takes it again once the device is deleted", async () => {
    const { leaf } = await make();
    const device = await provisioned(leaf, "twin");
    const entries = (await auditStory(world.ctx)).length;
    expect(await register(leaf, "twin")).toBe("device_already_registered");
    expect(await auditStory(world.ctx)).toHaveLength(entries);
    await deleteDevice(world.ctx, admin, device.deviceUuid);
    expect(await admission(device.leaf)).toMatchObject({ admitted: false, code: "revoked" });
    expect((await provisioned(leaf, "twin")).deviceUuid).not.toBe(device.deviceUuid);
  });

  it("gives one of two devices that bring the same id at once its credentials", async () => {
    const { leaf } = await make({ uses: 5 });
    const answers = await Promise.all([register(leaf, "same"), register(leaf, "same")]);
    expect(answers.filter((answer) => answer === "device_already_registered")).toHaveLength(1);
    expect((await listProvisioningCredentials(world.ctx, admin, { limit: 1 })).data[0]?.usesLeft).toBe(4);
  });

  it("names it by its UUID when another device has its id for a name", async () => {
    const { leaf } = await make();
    await world.ctx.backends.registry.createDevice(world.ctx, {
      uuid: crypto.randomUUID(),
      deviceId: "other",
      deviceName: "taken",
    });
    const device = await provisioned(leaf, "taken");
    expect(world.registry.created.at(-1)).toMatchObject({ deviceId: "taken", deviceName: device.deviceUuid });
  });

  it("costs no use while the registry is away", async () => {
    const { leaf } = await make();
    world.registry.failWith = new AppError("backend.unreachable", "Away.");
    await expectRefusal(register(leaf, "patient"), "backend.unreachable");
    world.registry.failWith = null;
    await provisioned(leaf, "patient");
    expect((await listProvisioningCredentials(world.ctx, admin, { limit: 1 })).data[0]?.usesLeft).toBe(1);
  });

  it("is refused with a code of its own: revoked, expired, not yet valid, an altered copy, another namespace's", async () => {
    const { leaf, credential } = await make({ expiresInDays: 1 });
    expect(await register(parseCertificate(withTwinSignature(leaf.der)), "x")).toBe("not_a_provisioning_certificate");
    const { now } = world.clock;
    world.clock.advance(2 * DAY_MS);
    expect(await register(leaf, "x")).toBe("provisioning_expired");
    world.clock.now = new Date(now.getTime() - DAY_MS);
    expect(await register(leaf, "x")).toBe("provisioning_not_yet_valid");
    world.clock.now = now;
    await revokeProvisioningCredential(world.ctx, admin, credential.id);
    expect(await register(leaf, "x")).toBe("provisioning_revoked");
    const judged = await judgeBootstrap({ ...world.ctx, namespaceId: "elsewhere" }, leaf);
    expect(judged).toMatchObject({ refusal: { code: "not_a_provisioning_certificate" } });
    const device = await issued();
    expect(await register(device, "x")).toBe("no bootstrap certificate");
    expect(world.registry.created).toHaveLength(1);
  });
});

async function issued() {
  const { leaf } = await make();
  return (await provisioned(leaf, "a device")).leaf;
}
