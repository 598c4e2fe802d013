import { execFile } from "node:child_process";
import { writeFileSync } from "node:fs";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { CreateProvisioningCredential } from "#lib/contracts/console/credentials.ts";
import { AppError } from "#lib/errors/app-error.ts";
import { parseCertificate } from "#lib/pki/certificates.ts";
import {
  createProvisioningCredential,
  listRefusals,
  revokeProvisioningCredential,
} from "#services/identity/service.ts";
import type { Credentials, RecordingUpstream, TestDoor } from "#tests/harness/door.ts";
import { type DoorSite, openDoorSite } from "#tests/harness/door-site.ts";
import { eventually } from "#tests/harness/eventually.ts";
import { actorOf, type IdentityWorld } from "#tests/harness/identity.ts";
import { type OpensslFolder, openssl } from "#tests/pki/openssl.ts";
import { createSoftwareCa } from "#tests/pki/software-ca.ts";

const admin = actorOf("admin");
const run = promisify(execFile);
let site: DoorSite;
let world: IdentityWorld;
let upstream: RecordingUpstream;
let door: TestDoor;
let folder: OpensslFolder;

beforeAll(async () => {
  site = await openDoorSite();
  ({ world, upstream } = site);
  door = await site.openDoor();
  folder = openssl();
});
afterAll(async () => {
  folder.remove();
  await site.close();
});

/** Its p12 as it lies in the archive, and key and certificate as openssl reads them from it. */
async function shared(change: Partial<CreateProvisioningCredential> = {}) {
  const { credential, archive } = await createProvisioningCredential(world.ctx, admin, {
    description: "Line 4",
    uses: 10,
    expiresInDays: 30,
    policy: "allowed",
    certificateDays: 365,
    ...change,
  });
  writeFileSync(`${folder.path}/c.zip`, Buffer.from(archive.archiveBase64, "base64"));
  await run("python3", ["-m", "zipfile", "-e", "c.zip", "."], { cwd: folder.path });
  return { credential, ...readP12("autoprov_credentials.p12") };
}

function readP12(name: string): Credentials {
  return {
    pem: folder.run(`pkcs12 -in ${name} -passin pass: -nokeys -clcerts`),
    privateKeyPem: folder.run(`pkcs12 -in ${name} -passin pass: -nocerts -nodes`),
  };
}

function register(credentials: Credentials | null, body: unknown, path = "/devices") {
  const text = typeof body === "string" ? body : JSON.stringify(body);
  return door.request(credentials, {
    method: "POST",
    path,
    body: text,
    headers: { "content-type": "application/json" },
  });
}

describe("POST /devices", () => {
  it("gives curl with the archive's own files credentials that the door lets in at once", async () => {
    await shared();
    const url = folder.read("autoprov.url").replace("8443", String(door.door.port));
    const request = ["-sS", "--cert-type", "P12", "--cert", "autoprov_credentials.p12:", "--cacert", "server_ca.pem"];
    const body = ["-d", '{"deviceId":"brave-otter-7","ttl":"36000"}', "-o", "device.p12", "-w", "%{http_code}"];
    const { stdout } = await run("curl", [...request, ...body, `${url}/devices`], { cwd: folder.path });
    expect(stdout).toBe("200");
    const authority = folder.run("pkcs12 -in device.p12 -passin pass: -nokeys -cacerts");
    expect(authority).toContain(folder.read("server_ca.pem").trim());
    const device = readP12("device.p12");
    const uuid = parseCertificate(device.pem.slice(device.pem.indexOf("-----BEGIN"))).subjectCn;
    expect((await door.request(device)).status).toBe(200);
    expect(upstream.requests.at(-1)?.url).toBe(`/api/v1/device/${uuid}/targets.json`);
    expect(world.registry.created.at(-1)).toMatchObject({ uuid, deviceId: "brave-otter-7" });
  });

  it("takes days as text and as a number, both slash forms, and fields it does not know", async () => {
    const credentials = await shared();
    for (const [index, ttl] of ["36000", 36_000, 1, undefined].entries()) {
      const reply = await register(credentials, { deviceId: `forms ${index}`, ttl, more: true }, "/devices/");
      expect([ttl, reply.status]).toEqual([ttl, 200]);
      expect(reply.body.length).toBeLessThan(65_536);
    }
  });

  it("answers a known device id with the code that makes the client choose another one", async () => {
    const credentials = await shared();
    expect((await register(credentials, { deviceId: "once", ttl: "1" })).status).toBe(200);
    const again = await register(credentials, { deviceId: "once", ttl: "1" });
    expect(again.status).toBe(409);
    expect(JSON.parse(again.body.toString())).toMatchObject({ code: "device_already_registered" });
  });

  it("has its devices wait at the door when the credential says so", async () => {
    const credentials = await shared({ policy: "pending" });
    writeFileSync(`${folder.path}/waits.p12`, (await register(credentials, { deviceId: "waits", ttl: 1 })).body);
    expect(await door.request(readP12("waits.p12"))).toMatchObject({ status: 403, code: "pending" });
  });

  let good: Credentials;
  beforeAll(async () => {
    good = await shared();
  });
  it.each<[string, unknown]>([
    ["no JSON", "{"],
    ["no object", []],
    ["no device id", { ttl: "1" }],
    ["an empty device id", { deviceId: "", ttl: "1" }],
    ["a device id beyond 200 characters", { deviceId: "x".repeat(201), ttl: "1" }],
    ["a device id with control characters", { deviceId: "a\nb", ttl: "1" }],
    ["a life of no days", { deviceId: "x", ttl: 0 }],
    ["a life that is no number", { deviceId: "x", ttl: "long" }],
  ])("refuses %s with a JSON body", async (_, body) => {
    const reply = await register(good, body);
    expect(reply).toMatchObject({ status: 400, code: "malformed_body" });
    expect(JSON.parse(reply.body.toString())).toMatchObject({ code: "malformed_body" });
  });

  it("refuses a body beyond 4 KiB", async () => {
    const reply = await register(good, { deviceId: "x", more: "x".repeat(5_000) });
    expect(reply).toMatchObject({ status: 413, code: "payload_too_large" });
  });

  it("says 503 while the registry is away, and the device can come again", async () => {
    const credentials = await shared({ uses: 1 });
    world.registry.failWith = new AppError("backend.unreachable", "Away.");
    const reply = await register(credentials, { deviceId: "comes again", ttl: 1 });
    world.registry.failWith = null;
    expect(reply).toMatchObject({ status: 503, code: "back_end_unreachable" });
    expect((await register(credentials, { deviceId: "comes again", ttl: 1 })).status).toBe(200);
  });
});

describe("who may not register", () => {
  const isListed = (code: string, detail: RegExp) =>
    eventually(async () => {
      const { data } = await listRefusals(world.ctx, admin, { limit: 200 });
      const listed = data.filter((refusal) => refusal.code === code).map((refusal) => refusal.detail);
      expect(listed).toContainEqual(expect.stringMatching(detail));
    });

  it("whoever shows no certificate, or a stranger's", async () => {
    const stranger = await (await createSoftwareCa({ commonName: "Gatehouse bootstrap CA" })).issue();
    const body = { deviceId: "x", ttl: 1 };
    expect(await register(null, body)).toMatchObject({ status: 401, code: "no_certificate" });
    expect(await register(stranger, body)).toMatchObject({ status: 403, code: "not_a_provisioning_certificate" });
    const other = await (await createSoftwareCa({ commonName: "Stranger" })).issue();
    expect(await register(other, body)).toMatchObject({ status: 403, code: "unknown_authority" });
  });

  it("a device with its own certificate, which shows among the refused attempts", async () => {
    const device = await site.newDevice();
    const reply = await register(device, { deviceId: "x", ttl: 1 });
    expect(reply).toMatchObject({ status: 403, code: "not_a_provisioning_certificate" });
    await isListed("not_a_provisioning_certificate", /^It showed CN=.*, issued by CN=Gatehouse fleet CA/);
  });

  it("a shared certificate that is used up, revoked or expired, each with its code and listed as refused", async () => {
    const used = await shared({ uses: 1 });
    expect((await register(used, { deviceId: "last", ttl: 1 })).status).toBe(200);
    expect(await register(used, { deviceId: "too late", ttl: 1 })).toMatchObject({ code: "provisioning_exhausted" });
    const revoked = await shared();
    await revokeProvisioningCredential(world.ctx, admin, revoked.credential.id);
    expect(await register(revoked, { deviceId: "x", ttl: 1 })).toMatchObject({ code: "provisioning_revoked" });
    const expired = await shared({ expiresInDays: 1 });
    const { now } = world.clock;
    world.clock.advance(2 * 86_400_000);
    expect(await register(expired, { deviceId: "x", ttl: 1 })).toMatchObject({ code: "provisioning_expired" });
    world.clock.now = now;
    const which = "^It came with the shared certificate “.+”, made by admin, which was";
    await isListed("provisioning_exhausted", new RegExp(`${which} good for 1\\.$`));
    await isListed("provisioning_revoked", new RegExp(`${which} revoked by admin on `));
    await isListed("provisioning_expired", new RegExp(`${which} valid until `));
  });

  it("a second device under one id: people see which id, and with what it came; the device does not", async () => {
    const credentials = await shared();
    for (const code of [null, "device_already_registered"]) {
      const reply = await register(credentials, { deviceId: "press 7", ttl: 1 });
      expect(reply.code ?? null).toBe(code);
      if (code !== null) expect(reply.body.toString()).not.toMatch(/admin|shared certificate/);
    }
    await isListed("device_already_registered", /registered as “press 7”\. It came with the shared certificate “/);
  });
});

it("opens nothing else on the door with a shared certificate, and leaves nothing waiting", async () => {
  const credentials = await shared();
  const before = upstream.requests.length;
  for (const [method, path] of [
    ["GET", "/devices"],
    ["PUT", "/devices"],
    ["POST", "/devices?x=1"],
    ["POST", "/devices/x"],
    ["GET", "/director/targets.json"],
    ["POST", "/director/ecus"],
    ["GET", "/repo/root.json"],
    ["POST", "/events"],
  ] as const) {
    const reply = await door.request(credentials, { method, path, ...(method === "GET" ? {} : { body: "{}" }) });
    expect([path, reply.status, reply.code]).toEqual([path, 403, "unknown_authority"]);
  }
  expect(upstream.requests).toHaveLength(before);
  const { fingerprint } = credentials.credential;
  expect(await world.ctx.db.deviceCertificate.count({ where: { fingerprint } })).toBe(0);
});
