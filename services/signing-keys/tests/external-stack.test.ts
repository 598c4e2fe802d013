import { randomUUID } from "node:crypto";
import { createServer } from "node:http";
import { afterAll, beforeAll, expect, it } from "vitest";
import { SYSTEM } from "#lib/authz/actor.ts";
import type { BackendCtx } from "#lib/backends/backends.ts";
import { requestCtx } from "#lib/data/context.ts";
import { getKeys, listKeyWarnings, reSign, rotateKeys } from "#services/signing-keys/service.ts";
import { startTestConsole, type TestConsole } from "#tests/harness/console.ts";
import { listenLocally } from "#tests/harness/listen.ts";
import { plainCanonical } from "#tests/harness/uptane-documents.ts";
import { createUptaneRepository } from "#tests/harness/uptane-repository.ts";

/* An image repository and a keyserver of somebody else, by their contracts alone. */

const REPO_ID = randomUUID();
let test: TestConsole;
let ctx: BackendCtx;
let stop: () => Promise<void>;
/** What the keyserver says when it is asked whether it has the targets keys. */
let keyserverStatus = 200;
let askedForKeys: string[] = [];

beforeAll(async () => {
  const stack = await startStack();
  stop = stack.close;
  test = await startTestConsole({ REPOSERVER_URL: stack.url, KEYSERVER_URL: stack.url });
  ctx = requestCtx(test.console, randomUUID());
});
afterAll(async () => {
  await test.drop();
  await stop();
});

async function startStack(): Promise<{ url: string; close(): Promise<void> }> {
  const repository = createUptaneRepository();
  repository.publish("app", { content: Buffer.from("bytes"), hardwareIds: ["rpi4"] });
  const server = createServer((req, res) => {
    const path = req.url ?? "";
    if (path === `/api/v1/root/${REPO_ID}/keys/targets/pairs`) {
      askedForKeys.push(req.method ?? "");
      return void res.writeHead(keyserverStatus).end();
    }
    const name = path.replace("/api/v1/user_repo/", "");
    const document = repository.documents.get(`/repo/${name === "root.json" ? "1.root.json" : name}`);
    if (document === undefined) return void res.writeHead(404).end();
    res.writeHead(200, { "x-ats-tuf-repo-id": REPO_ID }).end(plainCanonical(document));
  });
  return listenLocally(server);
}

it.each([
  [200, "online"],
  [404, "offline"],
  [405, "not_known"],
  [500, "not_known"],
] as const)("takes the keyserver's answer %d for %s, without asking for a key", async (status, state) => {
  keyserverStatus = status;
  askedForKeys = [];
  const { repositories, imagesLocked } = await getKeys(ctx, SYSTEM);
  const image = repositories.find(({ repository }) => repository === "image");
  const states = Object.fromEntries(image?.roles.map(({ role, keys }) => [role, keys[0]?.state]) ?? []);
  expect(states).toEqual({ root: "not_known", targets: state, snapshot: "not_known", timestamp: "not_known" });
  expect(image?.keyProblem === null).toBe(state !== "not_known");
  expect(imagesLocked !== null).toBe(state === "offline");
  expect(askedForKeys).toEqual(["HEAD"]);
});

it("reads versions and ends from the metadata itself, and warns of what nobody is known to renew", async () => {
  keyserverStatus = 200;
  const [image] = (await getKeys(ctx, SYSTEM)).repositories;
  expect(image?.roles.find(({ role }) => role === "targets")).toMatchObject({ version: 2, renewal: "automatic" });
  const root = image?.roles.find(({ role }) => role === "root");
  expect(root).toMatchObject({ version: 1, renewal: "not_known" });
  const near = new Date(Date.parse(root?.expiresAt ?? "") - 86_400_000 * 10);
  const warnings = await listKeyWarnings({ ...ctx, clock: () => near }, SYSTEM);
  expect(warnings.map(({ repository, role }) => [repository, role.role, role.warning?.withinDays])).toContainEqual([
    "image",
    "root",
    14,
  ]);
});

it("says of each control that is not there why, in the words of what the back end lacks", async () => {
  keyserverStatus = 405;
  const [image] = (await getKeys(ctx, SYSTEM)).repositories;
  const { capabilities } = await ctx.backends.inspect(ctx, "reposerver");
  const lack = (of: string) => capabilities?.find(({ name }) => name === of)?.reason ?? "";
  expect([lack("key_rotation"), lack("key_states")]).not.toContain("");
  expect(image?.obstacles).toEqual({
    rotate: lack("key_rotation"),
    reSign: lack("key_rotation"),
    pushTargets: null,
  });
  const offline = Object.fromEntries(
    image?.roles.map(({ role, keys: [key] }) => [role, [key?.canGoOffline, key?.offlineObstacle]]) ?? [],
  );
  const blocked = [false, lack("key_states")];
  expect(offline).toEqual({ root: blocked, targets: blocked, snapshot: [false, null], timestamp: [false, null] });
});

it("changes no keys where it can't rehearse the change", async () => {
  const rotate = rotateKeys(ctx, SYSTEM, { repository: "image", rehearseOnly: false });
  await expect(rotate).rejects.toMatchObject({ code: "signing_key.refused" });
  await expect(reSign(ctx, SYSTEM, "image")).rejects.toMatchObject({ code: "signing_key.unsupported" });
  expect(await ctx.db.auditEntry.count({ where: { action: { startsWith: "keys." } } })).toBe(0);
});
