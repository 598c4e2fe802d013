import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import https from "node:https";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from "vitest";
import { loadDoorCertificate } from "#services/authorities/service.ts";
import { readHeaderMode, requestHeaderCheck } from "#services/header-mode/service.ts";
import { allowCertificate, revokeCertificate } from "#services/identity/service.ts";
import { DECISION_SECRET, openTestDecisions, type TestDecisions } from "#tests/harness/decisions.ts";
import { type Credentials, type RecordingUpstream, SERVICES_TOKEN, type TestDoor } from "#tests/harness/door.ts";
import { type DoorSite, type IssuedDevice, openDoorSite } from "#tests/harness/door-site.ts";
import { eventually } from "#tests/harness/eventually.ts";
import { freePort } from "#tests/harness/free-port.ts";
import { actorOf, auditStory, type IdentityWorld } from "#tests/harness/identity.ts";
import { startDevicesNginx, type TestNginx } from "#tests/harness/nginx.ts";
import { addAuthority } from "#tests/pki/authority.ts";
import { createSoftwareCa, type SoftwareCa } from "#tests/pki/software-ca.ts";

const admin = actorOf("admin");
const GRANTED = "granted";
const INGRESS = fileURLToPath(new URL("../../deploy/kubernetes/ingress-nginx/protected-app.yaml", import.meta.url));
let site: DoorSite;
let world: IdentityWorld;
let upstream: RecordingUpstream;
let door: TestDoor;
let decisions: TestDecisions;
let nginx: TestNginx;
let ca: SoftwareCa;
let app: Awaited<ReturnType<typeof startApp>>;
let appPort: number;
let device: IssuedDevice;

beforeAll(async () => {
  const port = await freePort();
  appPort = await freePort();
  site = await openDoorSite({ DECISION_PUBLIC_URL: `https://localhost:${port}` });
  ({ world, upstream } = site);
  ca = await createSoftwareCa();
  await addAuthority(world.ctx, ca.certificate, "allowlist");
  door = await site.openDoor();
  decisions = await openTestDecisions({ ...site.at, door: door.door });
  app = await startApp();
  nginx = await startDevicesNginx({ ...(await proxyOf(port, appPort)), decision: `127.0.0.1:${decisions.port}` });
  device = await site.newDevice();
});
beforeEach(() => {
  upstream.requests.length = 0;
});
afterAll(async () => {
  await nginx.close();
  await app.close();
  await decisions.close();
  await site.close();
});

async function proxyOf(port: number, appPort: number) {
  const { chainPem, privateKeyPem } = await loadDoorCertificate(world.ctx);
  return {
    port,
    appPort,
    chainPem,
    privateKeyPem,
    servicesPort: Number(new URL(upstream.url).port),
    protectedPort: app.port,
    decisionSecret: DECISION_SECRET,
    servicesToken: SERVICES_TOKEN,
  };
}

/** The sample app as people run it. */
async function startApp() {
  const server = fileURLToPath(new URL("../../examples/protected-app/server.mjs", import.meta.url));
  const child = spawn(process.execPath, [server, "0"], { stdio: ["ignore", "pipe", "inherit"] });
  const [line] = (await once(child.stdout, "data")) as [Buffer];
  return {
    port: Number(new URL(line.toString().trim()).port),
    async close() {
      child.kill("SIGTERM");
      await once(child, "exit");
    },
  };
}

type Asked = { method?: string; headers?: Record<string, string | string[]>; body?: string } & https.RequestOptions;
type Heard = { status: number | undefined; code: string | undefined; body: string };

function ask(port: number, credentials: Credentials | null, path: string, asked: Asked = {}): Promise<Heard> {
  const own = credentials === null ? {} : { cert: credentials.pem, key: credentials.privateKeyPem };
  const { body: sent, ...options } = { ca: door.rootPem, host: "localhost", agent: false as const, ...asked };
  return new Promise((done, fail) => {
    const req = https.request({ ...options, ...own, port, path }, (res) => {
      let body = "";
      res.on("data", (chunk: Buffer) => (body += chunk));
      const code = res.headers["x-gatehouse-code"];
      res.on("end", () => done({ status: res.statusCode, code: typeof code === "string" ? code : undefined, body }));
    });
    req.on("error", fail);
    req.end(sent);
  });
}
const through = (credentials: Credentials | null, path = "/director/targets.json", asked: Asked = {}) =>
  ask(nginx.port, credentials, path, asked);
const visitApp = (credentials: Credentials | null, asked: Asked = {}) => ask(appPort, credentials, "/", asked);

it("lets nobody in before the proxy was tested, and says so by 503", async () => {
  expect(await through(device)).toMatchObject({ status: 503, code: "header_mode_off" });
  expect(await through(null)).toMatchObject({ status: 503, code: "header_mode_off" });
  await decisions.mode.start();
  expect(decisions.mode.whyOff()).toBeNull();
  expect(await readHeaderMode(world.ctx)).toMatchObject({ state: "on" });
  expect((await auditStory(world.ctx)).at(-1)).toBe("header_mode.change done");
});

describe("once it was", () => {
  it("shows a device to the director as the device door does, with its body, over TLS 1.2 and 1.3", async () => {
    const put = { method: "PUT", headers: { "content-type": "application/json" }, body: '{"signed":1}' };
    await door.request(device, { path: "/director/manifest", ...put });
    for (const version of ["TLSv1.2", "TLSv1.3"] as const) {
      const versions = { minVersion: version, maxVersion: version };
      expect(await through(device, "/director/manifest", { ...put, ...versions })).toMatchObject({ status: 200 });
    }
    const [byDoor, ...byProxy] = upstream.requests;
    const kept = ["authorization", "x-ats-namespace", "x-ats-device-uuid", "content-type", "content-length"];
    const seenAs = (seen: typeof byDoor) => ({
      method: seen?.method,
      url: seen?.url,
      body: seen?.body.toString(),
      headers: kept.map((name) => seen?.headers[name]),
    });
    expect(byProxy).toHaveLength(2);
    for (const seen of byProxy) expect(seenAs(seen)).toEqual(seenAs(byDoor));
  });

  it.each([
    ["GET", "/nowhere", 404, "not_found"],
    ["DELETE", "/director/manifest", 405, "method_not_allowed"],
    ["GET", "/repo/targets/", 404, "not_found"],
    ["GET", "/director//targets.json", 400, "malformed_path"],
    ["GET", "/campaigner/campaigns", 200, undefined],
  ])("answers %s %s as the device door does", async (method, path, status, code) => {
    const byProxy = await through(device, path, { method });
    const byDoor = await door.request(device, { method, path });
    expect([byProxy.status, byProxy.code]).toEqual([status, code]);
    expect([byDoor.status, byDoor.code]).toEqual([status, code]);
    expect(byProxy.body).toBe(byDoor.body.toString());
    expect(upstream.requests).toEqual([]);
  });

  it("never passes on a back end's refusal or redirect", async () => {
    const { answer } = upstream;
    for (const status of [401, 403, 302]) {
      upstream.answer = (_req, res) => res.writeHead(status, { location: "http://evil.example/" }).end();
      expect((await through(device)).status).toBe(502);
    }
    upstream.answer = answer;
  });

  it("grants an allowlisted device the sample app, and denies the others", async () => {
    const leaf = await ca.issue();
    expect(await visitApp(leaf)).toMatchObject({ status: 403, body: "denied\n" });
    expect(await through(leaf)).toMatchObject({ status: 403, code: "not_on_allowlist" });
    const { fingerprint, subjectCn } = leaf.certificate;
    await allowCertificate(world.ctx, admin, { fingerprint, name: "Truck 2" });
    await eventually(async () => expect((await visitApp(leaf)).status).toBe(200), 1_000);
    expect((await visitApp(leaf)).body).toBe(`granted\ndevice ${subjectCn}\n`);
    expect(await visitApp(await (await createSoftwareCa()).issue())).toMatchObject({ status: 403, body: "denied\n" });
  });

  it("answers who has no certificate with 400, and downloads without a body", async () => {
    expect(await visitApp(null)).toMatchObject({ status: 400 });
    expect(await through(null)).toMatchObject({ status: 400, code: "no_certificate" });
    const download = await through(null, "/repo/targets/fw-1");
    expect(download).toEqual({ status: 400, code: "no_certificate", body: "" });
  });

  it("ignores what a client says of itself", async () => {
    const stranger = await (await createSoftwareCa()).issue();
    const forged = {
      "x-original-certificate": encodeURIComponent(device.pem),
      "ssl-client-cert": encodeURIComponent(device.pem),
      "ssl-client-verify": "SUCCESS",
      "x-original-fingerprint": device.fingerprint,
      "x-original-address": "10.0.0.1",
      "x-original-uri": "/director/root.json",
      "x-gatehouse-decision-secret": DECISION_SECRET,
      "x-gatehouse-device": device.uuid,
      "x-gatehouse-upstream": "director",
      "x-gatehouse-path": "/evil",
      "x-ats-namespace": "evil",
      "x-ats-device-uuid": "evil",
      authorization: "evil",
    };
    for (const asked of [visitApp, (who: Credentials | null, how: Asked) => through(who, "/director/x", how)]) {
      expect((await asked(null, { headers: forged })).status).toBe(400);
      expect((await asked(stranger, { headers: forged })).status).toBe(403);
    }
    expect(upstream.requests).toEqual([]);
    expect((await through(device, "/director/targets.json", { headers: forged })).status).toBe(200);
    expect(upstream.requests[0]?.url).toBe(`/api/v1/device/${device.uuid}/targets.json`);
    expect(JSON.stringify(upstream.requests[0]?.headers)).not.toContain("evil");
    expect((await visitApp(device, { headers: { "x-gatehouse-device": "evil" } })).body).toContain(device.uuid);
  });

  it("denies a revoked device within a second, on a kept-open connection too", async () => {
    const leaf = await site.newDevice();
    const agent = new https.Agent({ keepAlive: true, maxSockets: 1 });
    expect((await visitApp(leaf, { agent })).body).toContain(GRANTED);
    await revokeCertificate(world.ctx, admin, { fingerprint: leaf.fingerprint, reason: "keyCompromise" });
    await eventually(async () => expect((await visitApp(leaf, { agent })).body).toBe("denied\n"), 1_000);
    expect(await through(leaf)).toMatchObject({ status: 403, code: "revoked" });
    agent.destroy();
  });

  it("keeps secrets out of its log", () => {
    for (const secret of [DECISION_SECRET, SERVICES_TOKEN]) expect(nginx.log()).not.toContain(secret);
  });
});

describe("an ingress controller", () => {
  /** As its template has the question: a client's headers go on, but for those that it sets or the snippet of deploy/kubernetes does. */
  function asIngress(): [string, string][] {
    const snippet = [
      ...readFileSync(INGRESS, "utf8").matchAll(/^ +proxy_set_header (?!X-Gatehouse|X-Original-Address).*$/gm),
    ];
    const own = [
      "proxy_set_header ssl-client-cert $ssl_client_escaped_cert;",
      "proxy_set_header ssl-client-verify $ssl_client_verify;",
      "proxy_set_header X-Original-URL $scheme://$http_host$request_uri;",
      "proxy_set_header X-Original-Method $request_method;",
      'proxy_set_header Connection "";',
    ];
    expect(snippet).toHaveLength(3);
    return [
      [
        `proxy_pass_request_headers off;\n        proxy_set_header Connection "";\n        proxy_set_header Content-Length`,
        "proxy_set_header Content-Length",
      ],
      ["proxy_set_header X-Original-Method           $request_method;", ""],
      ["proxy_set_header X-Original-Uri              $request_uri;", ""],
      ["proxy_set_header X-Original-Certificate      $ssl_client_escaped_cert;", [...own, ...snippet].join("\n")],
    ];
  }

  it("passes the test with the snippet of deploy/kubernetes, and shows who a device is", async () => {
    const [port, other] = [await freePort(), await freePort()];
    const decision = `127.0.0.1:${decisions.port}`;
    const ingress = await startDevicesNginx({ ...(await proxyOf(port, other)), decision, mistakes: asIngress() });
    onTestFinished(ingress.close);
    const ctx = { ...world.ctx, config: { ...world.ctx.config, DECISION_PUBLIC_URL: `https://localhost:${port}` } };
    world.clock.advance(6 * 60_000);
    const second = await openTestDecisions({ ...site.at, ctx, door: door.door });
    await second.mode.start();
    expect(await readHeaderMode(ctx)).toMatchObject({ state: "on", checkedAt: world.clock.now });
    expect(decisions.mode.whyOff()).toBeNull();
    expect(await ask(port, await (await createSoftwareCa()).issue(), "/")).toMatchObject({ status: 403 });
    expect(await ask(port, null, "/")).toMatchObject({ status: 400, code: "no_certificate" });
    // Let in, with no path of ours: this nginx then has nowhere to go.
    expect((await ask(port, device, "/")).status).toBe(500);
    await second.close();
  });
});

describe("a proxy that passes on what clients send", () => {
  const MISTAKES: [string, [string, string][]][] = [
    [
      "every header",
      [
        [
          'proxy_pass_request_headers off;\n        proxy_set_header Connection "";\n        proxy_set_header Content-Length',
          "proxy_set_header Content-Length",
        ],
      ],
    ],
    [
      "a certificate under the name that it uses",
      [["X-Original-Certificate      $ssl_client_escaped_cert", "X-Original-Certificate $http_x_original_certificate"]],
    ],
    [
      "an address that clients write",
      [["X-Original-Address          $remote_addr", "X-Original-Address $http_x_original_address"]],
    ],
  ];
  it.each(MISTAKES)("fails the test at any gateway, and only a person's test ends that: %s", async (_, mistakes) => {
    const [port, other] = [await freePort(), await freePort()];
    const sloppy = await startDevicesNginx({
      ...(await proxyOf(port, other)),
      decision: `127.0.0.1:${decisions.port}`,
      mistakes,
    });
    onTestFinished(sloppy.close);
    // Another gateway's test of another address: the question comes to the first.
    const ctx = { ...world.ctx, config: { ...world.ctx.config, DECISION_PUBLIC_URL: `https://localhost:${port}` } };
    expect((await through(device)).status).toBe(200);
    world.clock.advance(6 * 60_000);
    const second = await openTestDecisions({ ...site.at, ctx, door: door.door });
    await second.mode.start();
    expect(await readHeaderMode(ctx)).toMatchObject({
      state: "failed",
      detail: expect.stringMatching(/x-original|ssl-client/),
    });
    for (const { mode, metrics } of [decisions, second]) {
      await eventually(async () => expect(mode.whyOff()).toContain("header"));
      expect(metrics.render()).toContain('gatehouse_header_mode{state="failed"} 1');
    }
    expect(await through(device)).toMatchObject({ status: 503, code: "header_mode_off" });
    await second.close();

    await decisions.mode.start();
    expect(await readHeaderMode(ctx)).toMatchObject({ state: "failed" });
    world.clock.advance(1_000);
    await requestHeaderCheck(world.ctx, admin);
    await eventually(async () => expect((await through(device)).status).toBe(200), 5_000);
  });
});
