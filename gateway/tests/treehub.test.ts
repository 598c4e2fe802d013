import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import type { FastifyInstance } from "fastify";
import { afterAll, beforeAll, expect, it } from "vitest";
import { openBlobs } from "#lib/blobs/open.ts";
import { createOtaServer } from "#lib/http/server.ts";
import { issueDevice } from "#services/identity/service.ts";
import { registerTreehubRoutes } from "#services/treehub/routes.ts";
import { pushRepository } from "#tests/garage-push/push.ts";
import { createTestDatabase, type TestDatabase } from "#tests/harness/database.ts";
import { openTestDoor, SERVICES_TOKEN, type TestDoor } from "#tests/harness/door.ts";
import { actorOf, type IdentityWorld, identityWorld } from "#tests/harness/identity.ts";
import { createTestRepository, ostree } from "#tests/harness/ostree.ts";
import { openTestToolsDoor, type TestToolsDoor } from "#tests/harness/tools-door.ts";

const run = promisify(execFile);
const folder = mkdtempSync(join(tmpdir(), "gatehouse-doors-"));
let database: TestDatabase;
let world: IdentityWorld;
let services: FastifyInstance;
let tools: TestToolsDoor;
let device: TestDoor;

beforeAll(async () => {
  database = await createTestDatabase();
  world = identityWorld(database.url);
  services = createOtaServer({ ctx: world.ctx, servicesToken: SERVICES_TOKEN });
  registerTreehubRoutes(services, { blobs: openBlobs(world.ctx.config) });
  const upstreamUrl = await services.listen({ host: "127.0.0.1", port: 0 });
  const at = { ctx: world.ctx, databaseUrl: database.url, upstreamUrl };
  device = await openTestDoor(at);
  tools = await openTestToolsDoor(at);
});
afterAll(async () => {
  await tools.close();
  await device.close();
  await services.close();
  await world.ctx.db.$disconnect();
  await database.drop();
  rmSync(folder, { recursive: true });
});

it("a repository pushed through the tools door is pulled whole by ostree through the device door", async () => {
  const repository = createTestRepository();
  const files = Array.from({ length: 60 }, (_, index) => [`opt/file-${index}`, randomBytes(index * 400)] as const);
  // Above 1 MiB garage-push waits for `100 Continue`.
  const commit = repository.commit({ ...Object.fromEntries(files), "opt/large": randomBytes(2_500_000) });
  const token = await tools.token(await tools.client(["treehub:push"]), "treehub:push");
  const push = () =>
    pushRepository({
      repo: repository.path,
      baseUrl: `${tools.url}/treehub/api/v3/`,
      headers: { authorization: `Bearer ${token}` },
      tls: { ca: tools.rootPem },
    });
  expect(await push()).toMatchObject({ commit, uploaded: repository.objects().length });
  expect(await push()).toMatchObject({ commit, uploaded: 0 });

  const { files: issued } = await issueDevice(world.ctx, actorOf("admin"), { name: "Truck 1", hardwareId: "rpi4" });
  for (const name of ["client.pem", "pkey.pem", "root.crt"] as const) writeFileSync(join(folder, name), issued[name]);
  const repo = join(folder, "pulled");
  ostree(`--repo=${repo}`, "init", "--mode=archive");
  ostree(`--repo=${repo}`, "remote", "add", "--no-gpg-verify", "door", `https://localhost:${device.door.port}/treehub`);
  for (const [option, name] of [
    ["tls-client-cert-path", "client.pem"],
    ["tls-client-key-path", "pkey.pem"],
    ["tls-ca-path", "root.crt"],
  ]) {
    ostree(`--repo=${repo}`, "config", "set", `remote "door".${option}`, join(folder, name ?? ""));
  }
  await run("ostree", [`--repo=${repo}`, "pull", "door", commit]);
  await run("ostree", [`--repo=${repo}`, "fsck"]);
  expect(ostree(`--repo=${repo}`, "show", commit)).toContain(commit);
}, 60_000);
