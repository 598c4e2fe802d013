import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { SHELL, SYSTEM } from "#lib/authz/actor.ts";
import type { Ctx } from "#lib/ctx.ts";
import { parseCertificate } from "#lib/pki/certificates.ts";
import { listAudit } from "#services/audit/service.ts";
import { listDevices } from "#services/fleet/service.ts";
import { revokeCertificate } from "#services/identity/service.ts";
import { listMenderLog } from "#services/mender/service.ts";
import { issueDevice } from "#tests/harness/build-tools.ts";
import { createTestCtx } from "#tests/harness/ctx.ts";
import { createTestDatabase, type TestDatabase } from "#tests/harness/database.ts";
import { eventually } from "#tests/harness/eventually.ts";
import { freePort } from "#tests/harness/free-port.ts";
import { createMenderClient, type MenderClient } from "#tests/harness/mender/client.ts";
import { type MenderDouble, startMenderDouble } from "#tests/harness/mender/server.ts";
import { USER } from "#tests/harness/mender/state.ts";
import { type System, startSystem } from "#tests/harness/system.ts";

let database: TestDatabase;
let double: MenderDouble;
let system: System;
let url: string;
let ctx: Ctx;
const clients: MenderClient[] = [];

beforeAll(async () => {
  database = await createTestDatabase();
  double = await startMenderDouble();
  const port = await freePort();
  url = `https://localhost:${port}`;
  system = await startSystem(
    {
      DATABASE_URL: database.url,
      MENDER_URL: double.url,
      MENDER_DOOR_PORT: String(port),
      MENDER_USER: USER.email,
      MENDER_PASSWORD: USER.password,
    },
    ["services", "gateway", "worker"],
  );
  ctx = createTestCtx(database.url);
}, 120_000);
afterAll(async () => {
  for (const client of clients) client.drop();
  await ctx?.db.$disconnect();
  await system?.drop();
  await double?.close();
  await database?.drop();
}, 60_000);

function newClient(name: string): { client: MenderClient; fingerprint: string } {
  const credentials = issueDevice(system, name);
  const client = createMenderClient({ credentials, url, mac: name });
  clients.push(client);
  return { client, fingerprint: parseCertificate(readFileSync(join(credentials, "client.pem"))).fingerprint };
}

it("Debian's mender-client is let in by its certificate, and refused in the second after it is revoked, at the server too", {
  timeout: 60_000,
}, async () => {
  const { client, fingerprint } = newClient("board-1");
  expect(await client.bootstrap()).toMatchObject({ status: 0 });
  const log = await listMenderLog(ctx, SYSTEM, { limit: 10 });
  expect(log.data).toMatchObject([{ outcome: "preauthorized", fingerprint, identity: '{"mac":"board-1"}' }]);
  expect(double.state.find({ mac: "board-1" })?.authSets).toMatchObject([{ status: "accepted" }]);
  await eventually(async () => {
    const { data } = await listDevices(ctx, SYSTEM, { limit: 10, sort: "name" });
    expect(data).toMatchObject([{ name: "board-1", mender: { status: "accepted", only: false } }]);
  });

  await revokeCertificate(ctx, SHELL, { fingerprint });
  await eventually(async () => expect((await client.bootstrap()).status).not.toBe(0), 2_000);
  const requests = double.count("POST /api/devices/v1/authentication/auth_requests");
  expect((await client.bootstrap()).status).not.toBe(0);
  expect(double.count("POST /api/devices/v1/authentication/auth_requests")).toBe(requests);
  await eventually(
    () => expect(double.state.find({ mac: "board-1" })?.authSets).toMatchObject([{ status: "rejected" }]),
    15_000,
  );
});

it("a revocation is neither lost nor carried over twice when gateway and worker are killed in the middle of it", {
  timeout: 150_000,
}, async () => {
  const { client, fingerprint } = newClient("board-3");
  expect(await client.bootstrap()).toMatchObject({ status: 0 });
  const id = double.state.find({ mac: "board-3" })?.id ?? "";
  const asked = () => double.count(`GET /api/management/v2/devauth/devices/${id}`);
  const before = asked();
  double.state.knobs.managementDelayMs = 2_000;
  await revokeCertificate(ctx, SHELL, { fingerprint });
  await eventually(() => expect(asked()).toBeGreaterThan(before), 15_000);
  system.kill9("worker");
  system.kill9("gateway");
  double.state.knobs.managementDelayMs = 0;
  const requests = double.count("POST /api/devices/v1/authentication/auth_requests");
  expect((await client.bootstrap()).status).not.toBe(0);
  await eventually(
    () => expect(double.state.find({ mac: "board-3" })?.authSets).toMatchObject([{ status: "rejected" }]),
    40_000,
  );
  const carriedOver = async () =>
    (await listAudit(ctx, SYSTEM, { limit: 50, action: "mender.reject" })).data.filter(
      ({ after }) => after?.fingerprint === fingerprint,
    );
  await eventually(async () => expect(await carriedOver()).toHaveLength(1), 20_000);
  // The client's words for a 401: the gateway is back, and says so.
  await eventually(
    async () => expect((await client.bootstrap()).output).toContain("authentication request rejected"),
    20_000,
  );
  expect(double.count("POST /api/devices/v1/authentication/auth_requests")).toBe(requests);
  expect(await carriedOver()).toHaveLength(1);
});

it("and it installs an update that it fetches through the door", { timeout: 90_000 }, async () => {
  const { client } = newClient("board-2");
  const payload = randomBytes(300_000);
  writeFileSync(join(client.folder, "payload"), payload);
  const path = "/api/devices/v1/deployments/download/second";
  double.artifacts.set(path, makeArtifact(client));
  double.deployments.offered = {
    id: "d50eda0d-2cea-4de1-8d42-9cd3e7e86701",
    artifactName: "second",
    uri: `${url}${path}`,
    deviceType: client.deviceType,
  };
  const daemon = client.start();
  try {
    await eventually(() => expect(double.deployments.statuses).toContain("success"), 60_000);
  } catch (error) {
    throw new Error(`${daemon.output().slice(-4_000)}\n${double.deployments.statuses.join(" ")}`, { cause: error });
  } finally {
    await daemon.stop();
  }
  expect(readFileSync(join(client.folder, "installed", "payload")).equals(payload)).toBe(true);
  expect(double.deployments.statuses).toEqual(expect.arrayContaining(["downloading", "installing", "success"]));
  expect(double.deployments.inventories.length).toBeGreaterThan(0);
});

/** An artifact of one file, as Mender's own tool makes it. */
function makeArtifact(client: MenderClient): Buffer {
  const at = (name: string) => join(client.folder, name);
  writeFileSync(at("dest_dir"), at("installed"));
  writeFileSync(at("filename"), "payload");
  writeFileSync(at("permissions"), "644");
  const files = ["dest_dir", "filename", "permissions", "payload"].flatMap((name) => ["-f", at(name)]);
  const words = ["-T", "single-file", "-t", client.deviceType, "-n", "second", "-o", at("second.mender"), ...files];
  execFileSync("mender-artifact", ["write", "module-image", ...words], { stdio: "pipe" });
  return readFileSync(at("second.mender"));
}
