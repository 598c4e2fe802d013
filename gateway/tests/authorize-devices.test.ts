import { readdirSync, statSync } from "node:fs";
import http from "node:http";
import https from "node:https";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ADMISSION_CHANNEL, notify } from "#lib/db/events.ts";
import { CERTIFICATE_LIMITS } from "#lib/pki/certificates.ts";
import { recordHeaderCheck } from "#services/header-mode/service.ts";
import { approveCertificate, issueDevice, listRefusals, revokeCertificate } from "#services/identity/service.ts";
import { DECISION_SECRET, openTestDecisions, type TestDecisions } from "#tests/harness/decisions.ts";
import type { TestDoor } from "#tests/harness/door.ts";
import { type DoorSite, type IssuedDevice, openDoorSite } from "#tests/harness/door-site.ts";
import { eventually } from "#tests/harness/eventually.ts";
import { actorOf, type IdentityWorld } from "#tests/harness/identity.ts";
import { addAuthority } from "#tests/pki/authority.ts";
import { openssl } from "#tests/pki/openssl.ts";
import { createSoftwareCa, type SoftwareCa } from "#tests/pki/software-ca.ts";

const admin = actorOf("admin");
const folder = openssl();
const SOCKET = join(folder.path, "decision.sock");
let site: DoorSite;
let world: IdentityWorld;
let door: TestDoor;
let decisions: TestDecisions;
let ca: SoftwareCa;
let device: IssuedDevice;

beforeAll(async () => {
  // Nobody answers there: the test that this gateway would make is made for it below.
  site = await openDoorSite({ DECISION_PUBLIC_URL: "https://localhost:1" });
  ({ world } = site);
  ca = await createSoftwareCa();
  await addAuthority(world.ctx, ca.certificate);
  door = await site.openDoor();
  const ways = { DECISION_SOCKET: SOCKET };
  decisions = await openTestDecisions({ ...site.at, door: door.door, ways });
  await passTest();
  device = await site.newDevice();
});
afterAll(async () => {
  await decisions.close();
  await site.close();
  folder.remove();
});

async function passTest(): Promise<void> {
  await recordHeaderCheck(world.ctx, {
    verdict: "passed",
    detail: "passed",
    startedAt: world.ctx.clock(),
    byPerson: false,
  });
  await eventually(async () => expect(decisions.mode.whyOff()).toBeNull());
}

type Headers = Record<string, string | string[]>;
type Answer = { status: number; headers: http.IncomingHttpHeaders; code: unknown };

function get(headers: Headers, way: http.RequestOptions & https.RequestOptions = {}): Promise<Answer> {
  const options = {
    host: "127.0.0.1",
    port: decisions.port,
    path: "/authorize/devices",
    headers,
    agent: false as const,
  };
  const { request } = way.ca === undefined ? http : https;
  return new Promise((done, fail) => {
    const req = request({ ...options, ...way }, (res) => {
      res.resume();
      const { statusCode: status = 0, headers: heard } = res;
      res.on("end", () => done({ status, headers: heard, code: heard["x-gatehouse-code"] }));
    });
    req.on("error", fail);
    req.end();
  });
}
const proxy = { "x-gatehouse-decision-secret": DECISION_SECRET, "x-original-address": "192.0.2.9" };
const escaped = (pem: string) => encodeURIComponent(pem);
const byProxy = (headers: Headers, way = {}) => get({ ...proxy, ...headers }, way);

describe("a proxy that shows a certificate", () => {
  it("hears who it is, and where it goes only when it told the path", async () => {
    const who = { "x-gatehouse-device": device.uuid, "x-gatehouse-device-id": device.uuid };
    const shown = { "x-original-certificate": escaped(device.pem) };
    const plain = await byProxy(shown);
    expect(plain).toMatchObject({ status: 204, headers: { ...who, "x-ats-namespace": world.ctx.namespaceId } });
    expect(plain.headers).not.toHaveProperty("x-gatehouse-path");
    const path = { "x-original-method": "GET", "x-original-uri": "/director/targets.json" };
    expect((await byProxy({ ...shown, ...path })).headers).toMatchObject({
      ...who,
      "x-gatehouse-upstream": "director",
      "x-gatehouse-path": `/api/v1/device/${device.uuid}/targets.json`,
    });
  });

  it("as an ingress controller does is heard, whatever that one made of the authority", async () => {
    const shown = { "ssl-client-cert": escaped(device.pem) };
    for (const verified of ["SUCCESS", "FAILED:unable to verify the first certificate"]) {
      expect((await byProxy({ ...shown, "ssl-client-verify": verified })).status).toBe(204);
    }
    for (const verified of ["NONE", "", "yes"]) {
      const answer = await byProxy({ ...shown, "ssl-client-verify": verified });
      expect([verified, answer.status, answer.code]).toEqual([verified, 403, "not_proven"]);
    }
  });

  it("by two ways at once, or twice, is not believed", async () => {
    const certificate = escaped(device.pem);
    for (const [headers, code] of [
      [{ "x-original-certificate": certificate, "ssl-client-cert": certificate }, "not_proven"],
      [{ "x-original-certificate": certificate, "x-original-fingerprint": device.fingerprint }, "not_proven"],
      [{ "x-original-certificate": [certificate, certificate] }, "malformed"],
      [{ "x-original-certificate": "%" }, "malformed"],
      [{ "x-original-certificate": "A".repeat(CERTIFICATE_LIMITS.pemCharacters + 1) }, "malformed"],
      [{ "x-original-fingerprint": "abc" }, "not_proven"],
    ] as const) {
      const answer = await byProxy(headers as Headers);
      expect([Object.keys(headers), answer.status, answer.code]).toEqual([Object.keys(headers), 403, code]);
      expect(answer.headers["x-gatehouse-reason"]).toMatch(/\.$/);
    }
    expect(await byProxy({})).toMatchObject({ status: 401, code: "no_certificate" });
  });

  it("makes a newcomer wait and leaves the traces that the door leaves", async () => {
    const leaf = await ca.issue();
    const stranger = await (await createSoftwareCa({ commonName: "Nobody's CA" })).issue();
    const shown = { "x-original-certificate": escaped(leaf.pem) };
    expect(await byProxy(shown)).toMatchObject({ status: 403, code: "pending" });
    const { fingerprint } = leaf.certificate;
    const byDigest = { "x-original-fingerprint": fingerprint.toUpperCase().replace(/(..)(?=.)/g, "$1:") };
    expect(await byProxy(byDigest)).toMatchObject({ status: 403, code: "pending" });
    await approveCertificate(world.ctx, admin, { fingerprint });
    await eventually(async () => expect((await byProxy(shown)).status).toBe(204));
    expect((await byProxy(byDigest)).status).toBe(204);
    await revokeCertificate(world.ctx, admin, { fingerprint });
    await eventually(
      async () => expect(await byProxy(byDigest)).toMatchObject({ status: 403, code: "revoked" }),
      1_000,
    );

    expect(await byProxy({ "x-original-certificate": escaped(stranger.pem) })).toMatchObject({
      code: "unknown_authority",
    });
    await eventually(async () => {
      const { data } = await listRefusals(world.ctx, admin, { limit: 50 });
      const seen = data.map(({ fingerprint, code, address }) => [fingerprint, code, address]);
      expect(seen).toContainEqual([stranger.certificate.fingerprint, "unknown_authority", "192.0.2.9"]);
      expect(seen).toContainEqual([fingerprint, "revoked", "192.0.2.9"]);
    });
  });

  it("lets nobody in for the first time by fingerprint", async () => {
    const { fingerprint } = (await ca.issue()).certificate;
    expect(await byProxy({ "x-original-fingerprint": fingerprint })).toMatchObject({ code: "unknown_fingerprint" });
    const fresh = await issueDevice(world.ctx, admin, { name: "Fresh", hardwareId: "rpi4" });
    expect((await byProxy({ "x-original-fingerprint": fresh.fingerprint })).status).toBe(204);
  });

  it("counts the address that the proxy saw for its authority's networks", async () => {
    const { authority } = world.ctx.db;
    const near = await createSoftwareCa({ commonName: "Near CA" });
    const id = await addAuthority(world.ctx, near.certificate, "allow_all");
    await authority.update({ where: { id }, data: { sourceNetworks: ["198.51.100.0/24"] } });
    await notify(world.ctx.db, ADMISSION_CHANNEL, "*");
    const leaf = await near.issue();
    const shown = { "x-original-certificate": escaped(leaf.pem) };
    await eventually(async () => expect(await byProxy(shown)).toMatchObject({ code: "address_not_allowed" }));
    expect((await byProxy({ ...shown, "x-original-address": "198.51.100.7" })).status).toBe(204);
    for (const address of ["rubbish", "", "198.51.100.7, 192.0.2.9"]) {
      const refused = await byProxy({ ...shown, "x-original-address": address });
      expect([address, refused.status, refused.code]).toEqual([address, 403, "address_not_allowed"]);
    }
    expect((await byProxy({ ...shown, "x-original-address": "::ffff:198.51.100.7" })).status).toBe(204);
  });
});

it("answers 503, never a verdict, without the secret and while header mode is off", async () => {
  const shown = { "x-original-certificate": escaped(device.pem) };
  for (const secret of ["", "wrong", `${DECISION_SECRET}x`]) {
    const answer = await get({ ...shown, "x-gatehouse-decision-secret": secret });
    expect(answer).toMatchObject({ status: 503, code: "decision_secret_wrong" });
  }
  world.clock.advance(16 * 60_000);
  expect(await byProxy(shown)).toMatchObject({ status: 503, code: "header_mode_off" });
  await passTest();
  expect((await byProxy(shown)).status).toBe(204);
});

it("can be asked by a Unix socket that only its owner and group may use", async () => {
  const shown = { "x-original-certificate": escaped(device.pem) };
  expect((await byProxy(shown, { socketPath: SOCKET })).status).toBe(204);
  expect(statSync(SOCKET).mode & 0o777).toBe(0o660);
  const again = openTestDecisions({
    ...site.at,
    door: door.door,
    ways: { DECISION_SOCKET: SOCKET },
  });
  await expect(again).rejects.toMatchObject({
    code: "start.failed",
    message: expect.stringContaining("DECISION_SOCKET"),
  });
  expect(readdirSync(folder.path)).toContain("decision.sock");
});

it("can be asked by TLS with a certificate of the proxies' authority, and no other", async () => {
  const authority = await createSoftwareCa();
  const server = await authority.issue({ extendedKeyUsage: ["1.3.6.1.5.5.7.3.1"] });
  const client = await authority.issue();
  folder.write("server.pem", server.pem);
  folder.write("server.key", server.privateKeyPem);
  folder.write("ca.pem", authority.pem);
  const at = (name: string) => join(folder.path, name);
  const tls = {
    DECISION_TLS_CERT: at("server.pem"),
    DECISION_TLS_KEY: at("server.key"),
    DECISION_TLS_CLIENT_CA: at("ca.pem"),
  };
  const { ctx } = world;
  const secured = await openTestDecisions({ ...site.at, ctx, door: door.door, ways: tls });
  const way = { port: secured.port, ca: authority.pem, checkServerIdentity: () => undefined };
  const shown = { "x-original-certificate": escaped(device.pem) };
  await passTest();
  await eventually(async () =>
    expect((await byProxy(shown, { ...way, cert: client.pem, key: client.privateKeyPem })).status).toBe(204),
  );
  const stranger = await ca.issue();
  await expect(byProxy(shown, way)).rejects.toThrow();
  await expect(byProxy(shown, { ...way, cert: stranger.pem, key: stranger.privateKeyPem })).rejects.toThrow();
  await expect(byProxy(shown, { port: secured.port })).rejects.toThrow();

  // Renewed, one file after the other.
  const next = await createSoftwareCa();
  const [renewed, proxy] = [await next.issue({ extendedKeyUsage: ["1.3.6.1.5.5.7.3.1"] }), await next.issue()];
  const byOld = () => byProxy(shown, { ...way, cert: client.pem, key: client.privateKeyPem });
  const byNew = () => byProxy(shown, { ...way, ca: next.pem, cert: proxy.pem, key: proxy.privateKeyPem });
  folder.write("server.pem", renewed.pem);
  secured.refreshTls();
  expect((await byOld()).status).toBe(204);
  folder.write("server.key", renewed.privateKeyPem);
  folder.write("ca.pem", next.pem);
  secured.refreshTls();
  expect((await byNew()).status).toBe(204);
  await expect(byOld()).rejects.toThrow();
  await secured.close();
  const wrong = { ...tls, DECISION_TLS_KEY: at("ca.pem") };
  const broken = openTestDecisions({ ...site.at, ctx, door: door.door, ways: wrong });
  await expect(broken).rejects.toMatchObject({ code: "config.invalid" });
});
