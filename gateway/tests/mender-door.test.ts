import { execFileSync } from "node:child_process";
import { createPrivateKey, createPublicKey, generateKeyPairSync } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { SYSTEM } from "#lib/authz/actor.ts";
import { revokeCertificate } from "#services/identity/service.ts";
import { listMenderLog } from "#services/mender/service.ts";
import type { TestDoor } from "#tests/harness/door.ts";
import { actorOf, type IdentityWorld } from "#tests/harness/identity.ts";
import {
  AUTH,
  authenticate,
  type MenderDevice,
  type MenderSite,
  newMenderDevice,
  openMenderSite,
  openMenderTestDoor,
  signedBody,
  signedRequest,
} from "#tests/harness/mender/door.ts";
import { type MenderDouble, startMenderDouble } from "#tests/harness/mender/server.ts";
import { createSoftwareCa } from "#tests/pki/software-ca.ts";

const INVENTORY = "/api/devices/v1/inventory/device/attributes";
const PREAUTHORIZE = "POST /api/management/v2/devauth/devices";
let site: MenderSite;
let world: IdentityWorld;
let double: MenderDouble;
let door: TestDoor;

beforeAll(async () => {
  site = await openMenderSite();
  ({ world, double, door } = site);
});
beforeEach(() => {
  Object.assign(double.state.knobs, { version: 4, managementStatus: null, managementDelayMs: 0, deviceStatus: null });
  double.requests.length = 0;
});
afterAll(() => site.close());

async function tokenOf(device: MenderDevice): Promise<string> {
  const reply = await authenticate(door, device);
  expect(reply.status).toBe(200);
  return reply.body.toString();
}

const errorOf = (body: Buffer): unknown => JSON.parse(body.toString());

describe("an authentication request", () => {
  it("is preauthorized with the certificate's key, passed on byte for byte, and its answer is the device's", async () => {
    const device = await newMenderDevice(world);
    const { body, headers } = signedRequest(device);
    const reply = await door.request(device, {
      method: "POST",
      path: AUTH,
      body,
      headers: {
        ...headers,
        "x-forwarded-for": "6.6.6.6",
        "x-men-rbac-devices": "all",
        "x-men-requestid": "from-device",
      },
    });
    expect(reply).toMatchObject({ status: 200, headers: { "content-type": "application/jwt" } });
    expect(reply.body.toString().split(".")).toHaveLength(3);
    const seen = double.requests.find(({ line }) => line === `POST ${AUTH}`);
    expect(seen?.body.equals(body)).toBe(true);
    expect(seen?.headers).toMatchObject({
      host: new URL(double.url).host,
      "x-men-signature": headers["x-men-signature"],
      "x-men-requestid": "from-device",
      "x-forwarded-for": "127.0.0.1",
      authorization: "Bearer t",
    });
    expect(seen?.headers).not.toHaveProperty("x-men-rbac-devices");
    const log = await listMenderLog(world.ctx, SYSTEM, { limit: 10, deviceUuid: device.uuid });
    expect(log.data).toMatchObject([{ outcome: "preauthorized", fingerprint: device.fingerprint, count: 1 }]);
    expect(door.metrics.render()).toContain('gatehouse_mender_preauthorizations_total{outcome="preauthorized"}');
  });

  it("with another key than the certificate's is refused here, and never reaches the server", async () => {
    const device = await newMenderDevice(world);
    const other = generateKeyPairSync("ec", { namedCurve: "prime256v1" }).privateKey;
    const request = signedRequest(device, other.export({ type: "pkcs8", format: "pem" }).toString());
    const reply = await door.request(device, { method: "POST", path: AUTH, ...request });
    expect(reply).toMatchObject({ status: 401, code: "key_mismatch" });
    expect(errorOf(reply.body)).toMatchObject({ error: expect.any(String), request_id: expect.any(String) });
    expect(double.requests).toEqual([]);
    const log = await listMenderLog(world.ctx, SYSTEM, { limit: 10, deviceUuid: device.uuid });
    expect(log.data).toMatchObject([{ outcome: "key_mismatch", keySha256: null }]);
  });

  it("may come with any key when MENDER_KEY_MATCH says so", async () => {
    const settings = { MENDER_KEY_MATCH: "different" } as const;
    const lax = await openMenderTestDoor({ ...site.at, settings });
    const device = await newMenderDevice(world);
    const keys = [
      generateKeyPairSync("rsa", { modulusLength: 3072 }),
      generateKeyPairSync("ed25519"),
      generateKeyPairSync("ec", { namedCurve: "secp384r1" }),
    ];
    for (const [index, { privateKey }] of keys.entries()) {
      const pem = privateKey.export({ type: "pkcs8", format: "pem" }).toString();
      const request = signedRequest({ ...device, identity: { mac: device.uuid, index } }, pem);
      expect(await lax.request(device, { method: "POST", path: AUTH, ...request })).toMatchObject({ status: 200 });
    }
    await lax.close();
  });

  it("whose PEM is written in another way is the same key", async () => {
    const device = await newMenderDevice(world);
    const pem = createPublicKey(createPrivateKey(device.privateKeyPem))
      .export({ type: "spki", format: "pem" })
      .toString();
    const body = { id_data: JSON.stringify(device.identity), pubkey: `${pem.replaceAll("\n", "\r\n")}\n\n` };
    const request = signedBody(Buffer.from(JSON.stringify(body)), device.privateKeyPem);
    expect(await door.request(device, { method: "POST", path: AUTH, ...request })).toMatchObject({ status: 200 });
  });

  it("is refused with its reason when it is no such request", async () => {
    const device = await newMenderDevice(world);
    const key = createPublicKey(createPrivateKey(device.privateKeyPem));
    const pubkey = key.export({ type: "spki", format: "pem" }).toString();
    const good = { id_data: '{"mac":"1"}', pubkey };
    const malformed: unknown[] = [
      [],
      "text",
      { pubkey },
      { ...good, id_data: { mac: "1" } },
      { ...good, id_data: "{}" },
      { ...good, id_data: "[1]" },
      { ...good, id_data: `${'{"a":'.repeat(20)}1${"}".repeat(20)}` },
      { ...good, id_data: JSON.stringify({ mac: "m".repeat(20_000) }) },
      { ...good, pubkey: pubkey.replaceAll("PUBLIC KEY", "RSA PUBLIC KEY") },
      { ...good, pubkey: "rubbish" },
      // Another spelling of a name that the server reads as the same.
      { ...good, Pubkey: pubkey },
      { ...good, "pub\u212aey": pubkey },
      { ...good, ID_DATA: '{"mac":"2"}' },
    ];
    for (const body of malformed) {
      const request = signedBody(Buffer.from(JSON.stringify(body)), device.privateKeyPem);
      const reply = await door.request(device, { method: "POST", path: AUTH, ...request });
      expect([reply.status, reply.code, body]).toEqual([400, "malformed", body]);
    }
    const { body, headers } = signedRequest(device);
    const { "x-men-signature": signature, ...unsigned } = headers;
    expect(await door.request(device, { method: "POST", path: AUTH, body, headers: unsigned })).toMatchObject({
      status: 400,
    });
    const changed = Buffer.concat([body, Buffer.from(" ")]);
    for (const wrong of [signature ?? "", "AAAA", "!!"]) {
      const reply = await door.request(device, {
        method: "POST",
        path: AUTH,
        body: changed,
        headers: { ...headers, "x-men-signature": wrong },
      });
      expect(reply).toMatchObject({ status: 401, code: "bad_signature" });
    }
    const large = signedBody(Buffer.alloc(1_048_577, 0x20), device.privateKeyPem);
    expect(await door.request(device, { method: "POST", path: AUTH, ...large })).toMatchObject({ status: 413 });
    expect(double.requests).toEqual([]);
  });

  it("asks the management API once in a while only, and again after the server's refusal", async () => {
    const device = await newMenderDevice(world);
    for (let time = 0; time < 3; time++) await tokenOf(device);
    expect(double.count(PREAUTHORIZE)).toBe(1);
    double.state.knobs.deviceStatus = 401;
    expect((await authenticate(door, device)).status).toBe(401);
    double.state.knobs.deviceStatus = null;
    await tokenOf(device);
    expect(double.count(PREAUTHORIZE)).toBe(2);
  });

  it("is passed on while the management API is away, so that a device that is accepted stays in", async () => {
    const device = await newMenderDevice(world);
    await tokenOf(device);
    world.clock.advance(600_000); // what is remembered is over
    double.state.knobs.managementStatus = 503;
    await tokenOf(device);
    const stranger = await newMenderDevice(world);
    expect(await authenticate(door, stranger)).toMatchObject({ status: 401, code: undefined });
    // It is pending there now; the next request mends that.
    double.state.knobs.managementStatus = null;
    await tokenOf(stranger);
  });

  it("comes through at once after a rotation at a server that knows no force", async () => {
    const settings = { MENDER_FORCE: "on", MENDER_KEY_MATCH: "different" } as const;
    const forcing = await openMenderTestDoor({
      ...site.at,
      settings,
    });
    double.state.knobs.version = 3;
    const device = await newMenderDevice(world);
    await tokenOf(device);
    const next = generateKeyPairSync("ec", { namedCurve: "prime256v1" }).privateKey;
    const request = signedRequest(device, next.export({ type: "pkcs8", format: "pem" }).toString());
    expect(await forcing.request(device, { method: "POST", path: AUTH, ...request })).toMatchObject({ status: 200 });
    expect(double.state.find(device.identity)?.authSets.map(({ status }) => status)).toEqual(["rejected", "accepted"]);
    await forcing.close();
  });
});

describe("admission at the Mender door", () => {
  it("asks for a certificate on every call, in Mender's words", async () => {
    for (const path of [AUTH, INVENTORY, "/api/devices/v1/deployments/download/configuration/a/b/c"]) {
      const reply = await door.request(null, { method: "POST", path });
      expect(reply).toMatchObject({ status: 401, code: "no_certificate" });
      expect(errorOf(reply.body)).toMatchObject({ error: expect.any(String) });
    }
    const { pem, privateKeyPem } = await (await createSoftwareCa()).issue();
    expect(await door.request({ pem, privateKeyPem }, { path: INVENTORY })).toMatchObject({
      status: 403,
      code: "unknown_authority",
    });
    expect(double.requests).toEqual([]);
  });

  it("takes a revoked device's token away with a 401, at authentication and anywhere else", async () => {
    const device = await newMenderDevice(world);
    const authorization = `Bearer ${await tokenOf(device)}`;
    await revokeCertificate(world.ctx, actorOf("admin"), { fingerprint: device.fingerprint });
    await expect.poll(async () => (await authenticate(door, device)).code, { timeout: 1_000 }).toBe("revoked");
    double.requests.length = 0;
    expect(await authenticate(door, device)).toMatchObject({ status: 401, code: "revoked" });
    const inventory = { method: "PUT", path: INVENTORY, headers: { authorization }, body: "[]" };
    expect(await door.request(device, inventory)).toMatchObject({ status: 401, code: "revoked" });
    expect(double.requests).toEqual([]);
  });
});

describe("any other call", () => {
  let device: MenderDevice;
  let authorization: string;
  beforeAll(async () => {
    device = await newMenderDevice(world);
    authorization = `Bearer ${await tokenOf(device)}`;
  });

  it("passes one to one: statuses, bodies, ranges, encodings, and the two ways in which a token ends", async () => {
    const path = "/api/devices/v1/deployments/download/x";
    const bytes = gzipSync(Buffer.alloc(200_000, "artifact"));
    double.artifacts.set(path, bytes);
    const whole = await door.request(device, { path });
    expect(whole).toMatchObject({ status: 200, headers: { "content-length": String(bytes.length) } });
    expect(whole.body.equals(bytes)).toBe(true);
    const rest = await door.request(device, { path, headers: { range: "bytes=100-" } });
    expect(rest).toMatchObject({
      status: 206,
      headers: { "content-range": `bytes 100-${bytes.length - 1}/${bytes.length}` },
    });
    const put = { method: "PUT", path: INVENTORY, headers: { authorization }, body: '[{"name":"a","value":"b"}]' };
    expect(await door.request(device, put)).toMatchObject({ status: 200 });
    expect(await door.request(device, { ...put, method: "POST" })).toMatchObject({ status: 405, code: undefined });
    const second = await newMenderDevice(world);
    double.state.knobs.deviceTokenSeconds = -1;
    const ended = { authorization: `Bearer ${await tokenOf(second)}` };
    double.state.knobs.deviceTokenSeconds = 604_800;
    const twice = [
      await door.request(second, { ...put, headers: ended }),
      await door.request(second, { ...put, headers: ended }),
    ];
    expect(twice.map(({ status, code }) => [status, code])).toEqual([
      [403, undefined],
      [401, undefined],
    ]);
  });

  it("is refused when its path is not plainly one of the device API", async () => {
    double.requests.length = 0;
    const paths = [
      "/",
      "/status",
      "/api/devices",
      "/api/devices/v1/",
      "/api/management/v2/devauth/devices",
      "/api/internal/v1/devauth/devices",
      "/api/devices/v1/../../management/v2/devauth/devices",
      "/api/devices/v1/%2e%2e/%2e%2e/management/v2/devauth/devices",
      "/api/devices/v1/..%2f..%2fmanagement",
      "/api/devices/v1/a%2Fb",
      "/api/devices/v1/a%5cb",
      "/api/devices/v1/a\\b",
      "/api/devices/v1//a",
      "//api/devices/v1/a",
      "/api/devices/v1/a;b",
      "/api/devices/v1/a%252e",
      "/API/devices/v1/a",
      `${AUTH}/`,
      "/api/devices/v2/authentication/auth_requests",
      "/api/devices/v1/authentication/Auth_Requests",
      "/api/devices/v1/authentication/auth%5frequests",
      "http://elsewhere/api/devices/v1/a",
    ];
    for (const path of paths) {
      const reply = await door.request(device, { method: "POST", path, ...signedRequest(device) });
      expect([path, reply.status, reply.code]).toEqual([path, 404, "not_found"]);
    }
    expect(double.requests).toEqual([]);
  });

  it("is answered with 502 in Mender's words while the server is away, never with 401", async () => {
    const away = await startMenderDouble();
    await away.close();
    const lost = await openMenderTestDoor({ ...site.at, double: away });
    expect(await lost.request(device, { path: INVENTORY })).toMatchObject({
      status: 502,
      code: "back_end_unreachable",
    });
    expect(await authenticate(lost, device)).toMatchObject({ status: 502, code: "back_end_unreachable" });
    await lost.close();
  });

  it("goes to a server with an authority of its own only when MENDER_CA names that", async () => {
    const folder = mkdtempSync(join(tmpdir(), "gatehouse-mender-ca-"));
    const [key, cert] = [join(folder, "key.pem"), join(folder, "cert.pem")];
    const words =
      "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1 -subj /CN=mender -addext subjectAltName=IP:127.0.0.1";
    execFileSync("openssl", [...words.split(" "), "-keyout", key, "-out", cert], { stdio: "pipe" });
    const secure = await startMenderDouble({ cert: readFileSync(cert, "utf8"), key: readFileSync(key, "utf8") });
    const at = { ...site.at, double: secure };
    const distrusting = await openMenderTestDoor(at);
    expect(await authenticate(distrusting, device)).toMatchObject({ status: 502, code: "back_end_unreachable" });
    expect(secure.requests).toEqual([]);
    world.clock.advance(61_000); // signing in rests after a failure
    const trusting = await openMenderTestDoor({ ...at, settings: { MENDER_CA: cert } });
    expect(await authenticate(trusting, device)).toMatchObject({ status: 200 });
    await Promise.all([distrusting.close(), trusting.close()]);
    await secure.close();
    rmSync(folder, { recursive: true });
    await expect(openMenderTestDoor({ ...at, settings: { MENDER_CA: cert } })).rejects.toMatchObject({
      code: "config.invalid",
    });
  });

  it("comes in by name or by port; under its other names the door is what it was", async () => {
    const headers = { authorization };
    const menderPort = door.door.menderPort ?? 0;
    const byPort = { method: "PUT", path: INVENTORY, body: "[]", headers: { ...headers, host: "localhost" } };
    expect(await door.request(device, { ...byPort, port: menderPort })).toMatchObject({ status: 200 });
    expect(await door.request(device, byPort)).toMatchObject({ status: 404 });
    const targets = { path: "/director/targets.json" };
    expect(
      await door.request(device, { ...targets, headers: { host: "localhost", upgrade: "h2c", connection: "upgrade" } }),
    ).toMatchObject({
      status: 200,
    });
    expect(await door.request(device, targets)).toMatchObject({ status: 404 });
  });
});
