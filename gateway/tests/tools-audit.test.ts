import { randomBytes } from "node:crypto";
import type { FastifyInstance } from "fastify";
import { afterAll, beforeAll, expect, it } from "vitest";
import { SYSTEM } from "#lib/authz/actor.ts";
import { ListAudit } from "#lib/contracts/console/audit.ts";
import type { Ctx } from "#lib/ctx.ts";
import { MACHINE_HEADER, printMachine } from "#lib/http/machine-header.ts";
import type { Json, JsonObject } from "#lib/uptane/json.ts";
import { type KeyType, signerFromPrivate } from "#lib/uptane/keys.ts";
import { signDocument } from "#lib/uptane/signatures.ts";
import { listAudit } from "#services/audit/service.ts";
import { ensureRepo } from "#services/keyserver/service.ts";
import { createServices } from "#services/main.ts";
import { createTestCtx } from "#tests/harness/ctx.ts";
import { createTestDatabase, type TestDatabase } from "#tests/harness/database.ts";
import { SERVICES_TOKEN } from "#tests/harness/door.ts";
import { openTestToolsDoor, type TestToolsDoor } from "#tests/harness/tools-door.ts";

/* What a build tool changes through the door, in the audit log, under the name of its machine client. */

let database: TestDatabase;
let ctx: Ctx;
let services: FastifyInstance;
let tools: TestToolsDoor;
let machineId: string;
let authorization: string;

beforeAll(async () => {
  database = await createTestDatabase();
  ctx = createTestCtx(database.url);
  await ensureRepo(ctx, "image");
  await ensureRepo(ctx, "director");
  services = createServices(ctx, SERVICES_TOKEN);
  const upstreamUrl = await services.listen({ host: "127.0.0.1", port: 0 });
  tools = await openTestToolsDoor({ ctx, databaseUrl: database.url, upstreamUrl });
  const client = await tools.client(["repo:read", "repo:write", "keys:offline"]);
  machineId = client.id;
  authorization = `Bearer ${await tools.token(client)}`;
});
afterAll(async () => {
  await tools.close();
  await services.close();
  await ctx.db.$disconnect();
  await database.drop();
});

const REPO = "/repo/api/v1/user_repo";
const DIRECTOR = "/director/api/v1/admin/repo";

async function send(method: string, path: string, body?: Json | Buffer, headers: Record<string, string> = {}) {
  const isJson = body !== undefined && !Buffer.isBuffer(body);
  const type = isJson ? "application/json" : "application/octet-stream";
  const reply = await tools.request({
    method,
    path,
    headers: { authorization, ...(body === undefined ? {} : { "content-type": type }), ...headers },
    ...(body === undefined ? {} : { body: isJson ? JSON.stringify(body) : body }),
  });
  return { status: reply.status, headers: reply.headers, text: reply.body.toString("utf8") };
}

async function read(path: string): Promise<{ signed: JsonObject; checksum: string }> {
  const { headers, text } = await send("GET", path);
  return { signed: JSON.parse(text).signed ?? JSON.parse(text), checksum: String(headers["x-ats-role-checksum"]) };
}

const keyIdsOf = ({ signed }: { signed: JsonObject }, role: string) =>
  (signed.roles as Record<string, { keyids: string[] }>)[role]?.keyids ?? [];

async function exported(base: string, keyId: string | undefined) {
  const { text } = await send("GET", `${base}/${keyId}`);
  const { keytype, keyval } = JSON.parse(text) as { keytype: KeyType; keyval: { private: string } };
  return signerFromPrivate(keytype, keyval.private);
}

/** @returns newest first, the actions recorded while `work` ran */
async function recordedBy(work: () => Promise<unknown>) {
  const read = async () => (await listAudit(ctx, SYSTEM, ListAudit.parse({ limit: 100 }))).data;
  const before = (await read())[0]?.sequence ?? "0";
  await work();
  return (await read()).filter(({ sequence }) => BigInt(sequence) > BigInt(before));
}

async function expectAct(work: () => Promise<{ status: number; text?: string }>, action: string, targetId: string) {
  let reply: { status: number; text?: string } = { status: 0 };
  const entries = await recordedBy(async () => {
    reply = await work();
  });
  expect(reply.status, `${action}: ${reply.text}`).toBeLessThan(300);
  expect(entries).toMatchObject([
    {
      action,
      outcome: "done",
      actor: { kind: "machine", id: machineId, name: "build machine" },
      address: "127.0.0.1",
      target: { id: targetId },
    },
  ]);
}

const upload = (headers = {}) =>
  send("PUT", `${REPO}/targets/app_1?name=app&version=1&hardwareIds=rpi4`, randomBytes(1_000), headers);

it("names the machine client for every change of images, of delegations and of keys", async () => {
  // What a client says of itself does not get through.
  const forged = { [MACHINE_HEADER]: printMachine({ id: "x", name: "somebody", address: null }) };
  await expectAct(() => upload(forged), "image.upload", "app_1");
  await expectAct(() => send("PATCH", `${REPO}/proprietary-custom/app_1`, { a: "b" }), "image.change", "app_1");
  await expectAct(() => send("PUT", `${REPO}/comments/app_1`, { comment: "fine" }), "image.change", "app_1");
  await expectAct(() => send("PUT", `${REPO}/trusted-delegations`, []), "delegations.change", "image");
  const notBefore = { expireAt: new Date(Date.now() + 86_400_000).toISOString() };
  await expectAct(() => send("PUT", `${REPO}/targets/expire/not-before`, notBefore), "keys.set_expiry", "image");
  await expectAct(() => send("PUT", `${REPO}/root/rotate`), "keys.rotate", "image");

  const root = await read(`${REPO}/root.json`);
  const [rootKey, targetsKey] = [keyIdsOf(root, "root")[0], keyIdsOf(root, "targets")[0]];
  await expectAct(() => send("GET", `${REPO}/root/private_keys/${rootKey}`), "keys.export", "image");
  const signTargets = await exported(`${REPO}/root/private_keys`, targetsKey);
  const list = await read(`${REPO}/targets.json`);
  const nextList = { ...list.signed, version: Number(list.signed.version) + 1 };
  const stated = { "x-ats-role-checksum": list.checksum, "content-type": "application/json" };
  const { bytes } = signDocument(nextList, [signTargets]);
  await expectAct(() => send("PUT", `${REPO}/targets`, Buffer.from(bytes), stated), "keys.push_targets", "image");
  const signRoot = await exported(`${REPO}/root/private_keys`, rootKey);
  const { signed: nextRoot } = await read(`${REPO}/root`);
  const signedRoot = JSON.parse(Buffer.from(signDocument(nextRoot, [signRoot]).bytes).toString("utf8")) as Json;
  await expectAct(() => send("POST", `${REPO}/root`, signedRoot), "keys.push_root", "image");
  await expectAct(() => send("DELETE", `${REPO}/targets/app_1`), "image.delete", "app_1");
  await expectAct(() => send("DELETE", `${REPO}/root/private_keys/${rootKey}`), "keys.take_offline", "image");
  const directorKey = keyIdsOf(await read(`${DIRECTOR}/root.json`), "root")[0];
  await expectAct(() => send("DELETE", `${DIRECTOR}/private_keys/${directorKey}`), "keys.take_offline", "director");
});

it("has nothing of what was refused, and nothing twice of what the console does", async () => {
  expect(await recordedBy(() => send("DELETE", `${REPO}/targets/never_1`))).toEqual([]);
  const headers = { authorization: `Bearer ${SERVICES_TOKEN}`, "content-type": "application/json" };
  const byConsole = () =>
    services.inject({ method: "PUT", url: "/api/v1/user_repo/comments/app_2", headers, payload: { comment: "x" } });
  const listed = { name: "app", version: "2", hardwareIds: ["rpi4"], uri: "https://example.test/app" };
  const added = await services.inject({
    method: "POST",
    url: "/api/v1/user_repo/targets/app_2",
    headers,
    payload: { ...listed, checksum: { method: "sha256", hash: "a".repeat(64) }, length: 5 },
  });
  expect(added.statusCode).toBe(200);
  expect(await recordedBy(byConsole)).toEqual([]);
  const wrong = { ...headers, [MACHINE_HEADER]: "%7B%7D" };
  const refused = await services.inject({ method: "GET", url: "/api/v1/user_repo/root.json", headers: wrong });
  expect(refused.statusCode).toBe(400);
});
