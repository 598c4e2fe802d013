import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { certificatePem, parseCertificate } from "#lib/pki/certificates.ts";
import {
  allowCertificate,
  approveCertificate,
  getCertificate,
  issueDevice,
  listCertificates,
  listRefusals,
  rejectCertificate,
  revokeCertificate,
} from "#services/identity/service.ts";
import type { RecordingUpstream, TestDoor } from "#tests/harness/door.ts";
import { type DoorSite, openDoorSite } from "#tests/harness/door-site.ts";
import { eventually } from "#tests/harness/eventually.ts";
import { actorOf, type IdentityWorld } from "#tests/harness/identity.ts";
import { addAuthority } from "#tests/pki/authority.ts";
import { openssl } from "#tests/pki/openssl.ts";
import { createSoftwareCa, type LeafOptions, type SoftwareCa } from "#tests/pki/software-ca.ts";
import { withTwinSignature } from "#tests/pki/twin-signature.ts";

const admin = actorOf("admin");
const SERVER_AUTH = "1.3.6.1.5.5.7.3.1";
let site: DoorSite;
let world: IdentityWorld;
let upstream: RecordingUpstream;
let door: TestDoor;
let ca: SoftwareCa;

beforeAll(async () => {
  site = await openDoorSite();
  ({ world, upstream } = site);
  ca = await createSoftwareCa();
  await addAuthority(world.ctx, ca.certificate);
  door = await site.openDoor();
});
afterAll(() => site.close());

/** A certificate of the outside CA that a person has let in. */
async function approvedLeaf(options: LeafOptions = {}) {
  const leaf = await ca.issue(options);
  await door.request(leaf);
  await approveCertificate(world.ctx, admin, { fingerprint: leaf.certificate.fingerprint });
  return leaf;
}

describe("lets in", () => {
  it("a device that this install issued, at once and as its UUID", async () => {
    const device = await site.newDevice();
    expect((await door.request(device)).status).toBe(200);
    expect(upstream.requests.at(-1)?.url).toBe(`/api/v1/device/${device.uuid}/targets.json`);
  });

  it("a certificate of an outside CA once a person has approved it", async () => {
    const leaf = await ca.issue();
    expect(await door.request(leaf)).toMatchObject({ status: 403, code: "pending" });
    const waiting = await getCertificate(world.ctx, admin, leaf.certificate.fingerprint);
    expect(waiting).toMatchObject({ state: "pending", lastAddress: "127.0.0.1", authority: { name: "Outside CA" } });
    await approveCertificate(world.ctx, admin, { fingerprint: leaf.certificate.fingerprint });
    await eventually(async () => expect((await door.request(leaf)).status).toBe(200), 1_000);
  });

  it("a fingerprint from the allowlist at its first visit, many connections at once", async () => {
    const leaf = await ca.issue();
    await allowCertificate(world.ctx, admin, { fingerprint: leaf.certificate.fingerprint, name: "Truck 2" });
    const replies = await Promise.all(Array.from({ length: 6 }, () => door.request(leaf)));
    expect(replies.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200, 200]);
    expect(world.registry.created.filter(({ uuid }) => uuid === leaf.certificate.subjectCn)).toHaveLength(1);
  });

  it.each<[string, LeafOptions]>([
    ["an RSA key", { key: "rsa2048" }],
    ["a P-384 key", { key: "p384" }],
    ["an Ed25519 key", { key: "ed25519" }],
    ["no extension at all", {}],
  ])("a certificate with %s over TLS 1.2 and 1.3", async (_, options) => {
    const leaf = await approvedLeaf(options);
    for (const version of ["TLSv1.2", "TLSv1.3"] as const) {
      const reply = await door.request(leaf, { minVersion: version, maxVersion: version });
      expect(reply.status, version).toBe(200);
    }
  });

  it("certificates made by openssl, RSA and EC, without extensions", async () => {
    const folder = openssl();
    folder.write("ca.pem", ca.pem);
    folder.write("ca.key", ca.privateKeyPem);
    for (const key of ["rsa:2048", "ec -pkeyopt ec_paramgen_curve:P-256"]) {
      folder.run(`req -new -nodes -newkey ${key} -keyout k.pem -out r.csr -subj /CN=${crypto.randomUUID()}`);
      folder.run("x509 -req -in r.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 30 -out c.pem");
      const leaf = { pem: folder.read("c.pem"), privateKeyPem: folder.read("k.pem") };
      world.clock.now = new Date();
      expect(await door.request(leaf)).toMatchObject({ status: 403, code: "pending" });
      await approveCertificate(world.ctx, admin, { fingerprint: parseCertificate(leaf.pem).fingerprint });
      await eventually(async () => expect((await door.request(leaf)).status, key).toBe(200), 1_000);
    }
    folder.remove();
  });
});

describe("refuses with a code, a sentence and a closed connection", () => {
  async function expectRefused(leaf: Parameters<TestDoor["request"]>[0], code: string, status = 403) {
    const before = upstream.requests.length;
    const reply = await door.request(leaf, { method: "PUT", path: "/director/manifest", body: "{}" });
    expect(reply).toMatchObject({ status, code });
    expect(JSON.parse(reply.body.toString())).toMatchObject({ code, description: expect.stringMatching(/\.$/) });
    expect(reply.headers.connection).toBe("close");
    expect(upstream.requests).toHaveLength(before);
  }

  it("nobody without a certificate: 401", () => expectRefused(null, "no_certificate", 401));

  it("a stranger's certificate, also under our CA's name", async () => {
    const stranger = await createSoftwareCa({ commonName: "Stranger" });
    await expectRefused(await stranger.issue(), "unknown_authority");
    const impostor = await createSoftwareCa({ commonName: ca.certificate.subjectCn ?? "" });
    await expectRefused(await impostor.issue(), "bad_signature");
  });

  it("a stranger's certificate that brings our CA along as its chain", async () => {
    const stranger = await createSoftwareCa({ commonName: "Stranger" });
    const leaf = await stranger.issue();
    await expectRefused({ pem: leaf.pem + ca.pem, privateKeyPem: leaf.privateKeyPem }, "unknown_authority");
  });

  it.each<[string, LeafOptions]>([
    ["expired", { notAfter: new Date(Date.now() - 60_000) }],
    ["not_yet_valid", { notBefore: new Date(Date.now() + 3_600_000) }],
    ["wrong_usage", { extendedKeyUsage: [SERVER_AUTH] }],
    ["wrong_usage", { keyUsage: ["keyAgreement"] }],
    ["unsupported_extension", { criticalExtensions: ["1.2.3.4"] }],
    ["subject_not_uuid", { commonNames: ["truck-17"] }],
    ["subject_not_uuid", { commonNames: [crypto.randomUUID().toUpperCase()] }],
  ])("%s %j", async (code, options) => expectRefused(await ca.issue(options), code));

  it("a certificate past its end although it was approved", async () => {
    const notAfter = new Date(world.clock.now.getTime() + 60_000);
    const leaf = await approvedLeaf({ notAfter });
    expect((await door.request(leaf)).status).toBe(200);
    const now = world.clock.now;
    world.clock.advance(120_000);
    await expectRefused(leaf, "expired");
    world.clock.now = now;
  });

  it("what a person rejected or revoked, and a second certificate of a device", async () => {
    const rejected = await ca.issue();
    await door.request(rejected);
    await rejectCertificate(world.ctx, admin, { fingerprint: rejected.certificate.fingerprint });
    await expectRefused(rejected, "rejected");
    const leaf = await approvedLeaf();
    await expectRefused(
      await ca.issue({ commonNames: [leaf.certificate.subjectCn ?? ""] }),
      "another_certificate_allowed",
    );
    await revokeCertificate(world.ctx, admin, { fingerprint: leaf.certificate.fingerprint });
    await eventually(() => expectRefused(leaf, "revoked"), 5_000);
  });

  it("an altered copy of an allowed certificate", async () => {
    const leaf = await approvedLeaf();
    const twin = certificatePem({ der: withTwinSignature(leaf.certificate.der) });
    await expectRefused({ pem: twin, privateKeyPem: leaf.privateKeyPem }, "altered_copy");
  });

  it("a key on a curve without a NIST name, and lives on", async () => {
    const leaf = await ca.issue({ key: "secp256k1" });
    const folder = openssl();
    folder.write("c.pem", leaf.pem);
    folder.write("k.pem", leaf.privateKeyPem);
    // Whether the handshake is made is up to OpenSSL; the door must answer or refuse, and stay up.
    const args = `s_client -connect 127.0.0.1:${door.door.port} -cert c.pem -key k.pem -tls1_2 -sigalgs ECDSA+SHA256`;
    await folder.talk(args, "GET /director/targets.json HTTP/1.1\r\nhost: x\r\n\r\n");
    folder.remove();
    expect(await door.request(null)).toMatchObject({ status: 401 });
  });

  it("with an empty body where a target was asked for, since the client writes bodies into its file", async () => {
    for (const leaf of [null, await ca.issue()]) {
      const reply = await door.request(leaf, { path: "/repo/targets/fw_1.0" });
      expect(reply.status).toBeGreaterThanOrEqual(401);
      expect(reply.headers["content-length"]).toBe("0");
      expect(reply.body).toHaveLength(0);
      expect(reply.code).toBeDefined();
    }
  });
});

describe("leaves behind", () => {
  it("one waiting row for a newcomer, however often it comes, and none for a stranger", async () => {
    const leaf = await ca.issue();
    await Promise.all(Array.from({ length: 5 }, () => door.request(leaf)));
    const stranger = await (await createSoftwareCa({ commonName: "Stranger" })).issue();
    await door.request(stranger);
    const find = async (q: string) =>
      (await listCertificates(world.ctx, admin, { q, limit: 10, sort: "-createdAt" })).data;
    expect(await find(leaf.certificate.fingerprint)).toMatchObject([{ state: "pending" }]);
    expect(await find(stranger.certificate.fingerprint)).toEqual([]);
  });

  it("refused attempts, counted by certificate and code, and not those that merely wait", async () => {
    const stranger = await (await createSoftwareCa({ commonName: "Stranger" })).issue();
    for (let count = 0; count < 3; count++) await door.request(stranger);
    const waiting = await ca.issue();
    await door.request(waiting);
    await eventually(async () => {
      const { data } = await listRefusals(world.ctx, admin, { limit: 200 });
      const seen = data.find(({ fingerprint }) => fingerprint === stranger.certificate.fingerprint);
      expect(seen).toMatchObject({ code: "unknown_authority", count: 3, address: "127.0.0.1", issuer: "CN=Stranger" });
      expect(data.some(({ fingerprint }) => fingerprint === waiting.certificate.fingerprint)).toBe(false);
      expect(data.some(({ fingerprint, code }) => fingerprint === null && code === "no_certificate")).toBe(true);
    });
  });

  it("when and from where an admitted device was last seen", async () => {
    const bundle = await issueDevice(world.ctx, admin, { name: "Truck 3", hardwareId: "rpi4" });
    await door.request({ pem: bundle.files["client.pem"], privateKeyPem: bundle.files["pkey.pem"] });
    await eventually(async () => {
      const certificate = await getCertificate(world.ctx, admin, bundle.fingerprint);
      expect(certificate).toMatchObject({ lastAddress: "127.0.0.1" });
      expect(certificate.lastSeenAt).not.toBeNull();
      const device = await world.ctx.db.fleetDevice.findFirst({ where: { uuid: bundle.uuid } });
      expect(device).toMatchObject({ address: "127.0.0.1" });
      expect(device?.lastSeenAt).not.toBeNull();
    });
  });
});
