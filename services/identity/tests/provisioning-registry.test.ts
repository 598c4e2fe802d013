import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { BackendCtx } from "#lib/backends/backends.ts";
import { requestCtx } from "#lib/data/context.ts";
import { parseCertificate } from "#lib/pki/certificates.ts";
import { ensureAuthorities } from "#services/authorities/service.ts";
import {
  approveCertificate,
  createProvisioningCredential,
  deleteDevice,
  judgeBootstrap,
  listCertificates,
  provisionDevice,
} from "#services/identity/service.ts";
import { startTestConsole, type TestConsole } from "#tests/harness/console.ts";
import { startTestServices } from "#tests/harness/console-services.ts";
import { actorOf, expectRefusal } from "#tests/harness/identity.ts";

/* Registration with the embedded registry behind HTTP, as the gateway has it. */

const admin = actorOf("admin");
let test: TestConsole;
let ctx: BackendCtx;
let stopServices: () => Promise<void>;

beforeAll(async () => {
  test = await startTestConsole();
  stopServices = await startTestServices(test);
  ctx = requestCtx(test.console, randomUUID());
  await ensureAuthorities(ctx);
});
afterAll(async () => {
  await stopServices();
  await test.drop();
});

async function call(method: string, path: string, body?: unknown): Promise<unknown> {
  const res = await fetch(`http://127.0.0.1:${test.servicesPort}/api/v1${path}`, {
    method,
    headers: { authorization: `Bearer ${test.servicesToken}`, "content-type": "application/json" },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return res.json();
}

async function register(deviceId: string, groupId?: string) {
  const { credential } = await createProvisioningCredential(ctx, admin, {
    description: deviceId,
    uses: 1,
    expiresInDays: 1,
    policy: "pending",
    certificateDays: 30,
    ...(groupId === undefined ? {} : { groupId }),
  });
  const row = await ctx.db.bootstrapCredential.findUniqueOrThrow({ where: { id: credential.id } });
  const judged = await judgeBootstrap(ctx, parseCertificate(row.certificate));
  if (judged === null || "refusal" in judged) throw new Error("the credential should do");
  return provisionDevice(ctx, judged, { deviceId, address: "192.0.2.9" });
}

it("registers, joins its group, waits, is approved and goes, in the registry's own rows", async () => {
  const group = String(await call("POST", "/device_groups", { name: "Line 4", groupType: "static", expression: null }));
  const answer = await register("brave-otter-7", group);
  const uuid = "deviceUuid" in answer ? answer.deviceUuid : "";
  expect(await call("GET", `/devices/${uuid}`)).toMatchObject({
    deviceId: "brave-otter-7",
    deviceName: "brave-otter-7",
  });
  expect(await call("GET", `/device_groups/${group}/devices`)).toMatchObject({ values: [uuid] });
  const waiting = await listCertificates(ctx, admin, { state: "pending", limit: 1, sort: "-createdAt" });
  await approveCertificate(ctx, admin, { fingerprint: waiting.data[0]?.fingerprint ?? "" });
  expect(await ctx.db.fleetDevice.findFirst({ where: { uuid } })).toMatchObject({ certificateState: "allowed" });
  expect(await register("brave-otter-7")).toMatchObject({ refusal: { code: "device_already_registered" } });
  await deleteDevice(ctx, admin, uuid);
  expect(await register("brave-otter-7")).toHaveProperty("pkcs12");
});

it("takes no group whose members an expression chooses, and none that is not there", async () => {
  const body = { name: "smart", groupType: "dynamic", expression: "deviceid contains x" };
  const dynamic = String(await call("POST", "/device_groups", body));
  await expectRefusal(register("smart", dynamic), "request.invalid");
  await expectRefusal(register("none", randomUUID()), "request.invalid");
});
