import { createHash, randomBytes, randomUUID } from "node:crypto";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { SYSTEM } from "#lib/authz/actor.ts";
import type { BackendCtx } from "#lib/backends/backends.ts";
import { ListAudit } from "#lib/contracts/console/audit.ts";
import { requestCtx } from "#lib/data/context.ts";
import { relayRequest } from "#lib/http/proxy-route.ts";
import { plainRoute } from "#lib/http/route.ts";
import { listAudit } from "#services/audit/service.ts";
import { scrubImages } from "#services/verification/service.ts";
import { pushRepository } from "#tests/garage-push/push.ts";
import { at } from "#tests/harness/api.ts";
import { loadApiRoutes } from "#tests/harness/api-routes.ts";
import { startTestConsole, type TestConsole } from "#tests/harness/console.ts";
import { serveRoutes } from "#tests/harness/console-http.ts";
import { startTestServices } from "#tests/harness/console-services.ts";
import { startGnupg } from "#tests/harness/gnupg.ts";
import { createTestRepository } from "#tests/harness/ostree.ts";

/* A byte flipped in blob storage, and everyone who could tell a device to install it. */

const MTU = "/api/proxy/director/api/v1/multi_target_updates";
let test: TestConsole;
let stopServices: () => Promise<void>;
let server: Awaited<ReturnType<typeof serveRoutes>>;
let ctx: BackendCtx;

beforeAll(async () => {
  test = await startTestConsole();
  stopServices = await startTestServices(test);
  ctx = requestCtx(test.console, randomUUID());
  const routes = await loadApiRoutes();
  const relay = plainRoute(relayRequest);
  server = await serveRoutes(test, (method, pathname) => {
    if (pathname.startsWith("/api/proxy/")) return relay;
    const path = pathname
      .replace(/^(\/api\/v1\/images\/)[^/]+/, "$1{filename}")
      .replace(/^(\/api\/v1\/openpgp-keys\/)[^/]+/, "$1{fingerprint}");
    return routes.find((route) => route.path === path)?.handlers[method];
  });
});
afterAll(async () => {
  await server.close();
  await stopServices();
  await test.drop();
});

async function send(
  method: string,
  path: string,
  body: unknown = null,
  token = test.tokens.operator,
): Promise<{ status: number; body: unknown }> {
  const json = !(body instanceof FormData) && body !== null;
  const res = await fetch(`${server.url}${path}`, {
    method,
    headers: {
      authorization: `Bearer ${token}`,
      ...(json ? { "content-type": "application/json" } : {}),
    },
    body: json ? JSON.stringify(body) : (body as BodyInit | null),
  });
  return { status: res.status, body: await res.json() };
}

async function upload(version: string): Promise<{ filename: string; sha256: string; length: number }> {
  const bytes = new Uint8Array(randomBytes(50_000));
  const form = new FormData();
  for (const [name, value] of Object.entries({ name: "fw", version, hardwareIds: "rpi4" })) form.set(name, value);
  form.set("file", new Blob([bytes]), "image.bin");
  const made = await send("POST", "/api/v1/images", form);
  expect(at(made.body, "verification.state")).toBe("verified");
  return { filename: `fw_${version}`, sha256: createHash("sha256").update(bytes).digest("hex"), length: bytes.length };
}

function flipByte({ sha256 }: { sha256: string }): void {
  const path = join(test.console.config.DATA_DIR, "blobs", sha256.slice(0, 2), sha256);
  const bytes = readFileSync(path);
  bytes[1_000] = (bytes[1_000] ?? 0) ^ 1;
  writeFileSync(path, bytes);
}

const sendAsAdmin = (method: string, path: string, body: unknown = null) => send(method, path, body, test.tokens.admin);
const stateOf = async (filename: string) =>
  at((await send("GET", `/api/v1/images/${filename}/verification`)).body, "state");
const launch = (filename: string, dryRun = false) =>
  send("POST", "/api/v1/updates", { name: "u", devices: [randomUUID()], targets: { rpi4: { to: filename } }, dryRun });
const mtuOf = ({ filename, sha256, length }: Awaited<ReturnType<typeof upload>>) => ({
  targets: {
    rpi4: { to: { target: filename, checksum: { method: "sha256", hash: sha256 }, targetLength: length } },
  },
});
const REFUSED = { status: 400, body: { code: "update.invalid" } };

describe("a byte flipped in storage", () => {
  it("is found before the next launch, and the update is refused", async () => {
    const image = await upload("1");
    flipByte(image);
    expect(await stateOf(image.filename)).toBe("verified");
    expect(await launch(image.filename)).toMatchObject(REFUSED);
    expect(await stateOf(image.filename)).toBe("mismatch");
    expect(await launch(image.filename, true)).toMatchObject(REFUSED);
  });

  it("is found before the proxy makes a target list or assigns one, and the refusal is audited", async () => {
    const image = await upload("2");
    const made = await send("POST", MTU, mtuOf(image));
    expect(made.status).toBe(201);
    flipByte(image);
    const assignment = { correlationId: `urn:here-ota:mtu:${made.body}`, devices: [randomUUID()], mtuId: made.body };
    expect(await send("POST", "/api/proxy/director/api/v1/assignments", assignment)).toMatchObject(REFUSED);
    expect(await stateOf(image.filename)).toBe("mismatch");
    expect(await send("POST", MTU, mtuOf(image))).toMatchObject(REFUSED);
    const device = randomUUID();
    const path = `/api/proxy/director/api/v1/admin/devices/${device}/multi_target_update/${made.body}`;
    expect(await send("PUT", path, {})).toMatchObject(REFUSED);
    const { data } = await listAudit(ctx, SYSTEM, ListAudit.parse({ action: "backend.call", limit: 1 }));
    expect(data[0]?.outcome).toBe("refused");
  });

  it("is found by the scrub, named with both digests, and raised on the overview", async () => {
    const image = await upload("3");
    flipByte(image);
    await scrubImages({ ...ctx, clock: () => new Date(Date.now() + 6 * 86_400_000) });
    const { body } = await send("GET", `/api/v1/images/${image.filename}/verification`);
    expect(at(body, "state")).toBe("mismatch");
    const digests = JSON.stringify(body).match(/SHA-256 [0-9a-f]{64}, [0-9a-f]{64} was signed/g);
    expect(digests).toHaveLength(1);
    const lines = at((await send("GET", "/api/v1/overview")).body, "attention");
    expect(lines).toContainEqual(expect.objectContaining({ kind: "unverified", href: `/images/${image.filename}` }));
  });

  it("is mended by the same bytes, found so on demand, and the update goes on", async () => {
    const image = await upload("4");
    flipByte(image);
    const verify = () => send("POST", `/api/v1/images/${image.filename}/verification`);
    expect(at((await verify()).body, "state")).toBe("mismatch");
    flipByte(image);
    expect(at((await verify()).body, "state")).toBe("verified");
    expect(await launch(image.filename)).toMatchObject({ body: { code: "update.nothing_to_do" } });
  });
});

describe("OpenPGP signatures of an image", () => {
  const openpgpOf = async (filename: string) => {
    const { body } = await send("POST", `/api/v1/images/${filename}/verification`);
    const checks = at(body, "checks");
    const found = Array.isArray(checks) ? checks.filter(({ check }) => check === "openpgp") : [];
    return [at(body, "state"), ...found.map(({ result, code }) => `${result} ${code}`)];
  };

  it("count by a key that an admin trusts, for as long as it is trusted and the signature is whole", async () => {
    const gpg = startGnupg();
    try {
      const fingerprint = gpg.makeKey("maker@example.test");
      const { filename, sha256 } = await upload("5");
      const document = JSON.stringify({ critical: { image: { "docker-manifest-digest": `sha256:${sha256}` } } });
      const signature = gpg.sign("maker@example.test", document, "--sign").toString("base64");
      const add = () => send("POST", `/api/v1/images/${filename}/signatures`, { signature });
      expect(await add()).toMatchObject({ status: 400, body: { code: "openpgp.key_untrusted" } });
      const key = { armored: gpg.publicKey("maker@example.test") };
      expect(await send("POST", "/api/v1/openpgp-keys", key)).toMatchObject({ status: 403 });
      expect(await sendAsAdmin("POST", "/api/v1/openpgp-keys", key)).toMatchObject({
        status: 201,
        body: { fingerprint },
      });
      expect((await send("GET", "/api/v1/openpgp-keys")).body).toMatchObject({ data: [{ fingerprint }] });
      expect(await add()).toMatchObject({ status: 201, body: { verification: { state: "verified" } } });
      expect((await add()).status).toBe(201);
      expect(await openpgpOf(filename)).toEqual(["verified", "ok null"]);
      expect((await sendAsAdmin("DELETE", `/api/v1/openpgp-keys/${fingerprint}`)).status).toBe(200);
      expect((await sendAsAdmin("DELETE", `/api/v1/openpgp-keys/${fingerprint}`)).status).toBe(404);
      await scrubImages(ctx);
      expect(await stateOf(filename)).toBe("not_checked");
      expect(await openpgpOf(filename)).toEqual(["not_checked", "not_checked openpgp.key_untrusted"]);
      await sendAsAdmin("POST", "/api/v1/openpgp-keys", key);
      const other = gpg.sign("maker@example.test", document.replace(sha256, "0".repeat(64)), "--sign");
      await ctx.db.imageSignature.updateMany({ data: { signature: new Uint8Array(other) } });
      expect(await openpgpOf(filename)).toEqual(["mismatch", "failed openpgp.digest_mismatch"]);
      expect(await launch(filename)).toMatchObject(REFUSED);
    } finally {
      gpg.close();
    }
  });
});

describe("an OSTree commit", () => {
  const checkOf = async (filename: string) => {
    const { body } = await send("POST", `/api/v1/images/${filename}/verification`);
    const checks = at(body, "checks");
    const found = Array.isArray(checks) ? checks.filter(({ result }) => result !== "ok") : [];
    return [at(body, "state"), ...found.map(({ check, code }) => `${check} ${code}`)];
  };

  it("is verified with every object below it, and refused when one of them changed", async () => {
    const repository = createTestRepository();
    const commit = repository.commit({ "usr/bin/app": randomBytes(200_000), "etc/app.conf": "on" });
    const base = `http://127.0.0.1:${test.servicesPort}`;
    const headers = { authorization: `Bearer ${test.servicesToken}` };
    await pushRepository({ repo: repository.path, baseUrl: `${base}/api/v3`, headers });
    const target = {
      name: "tree",
      version: "1",
      hardwareIds: ["rpi4"],
      targetFormat: "OSTREE",
      checksum: { method: "sha256", hash: commit },
      length: 0,
    };
    const added = await fetch(`${base}/api/v1/user_repo/targets/tree_1`, {
      method: "POST",
      headers: { ...headers, "content-type": "application/json" },
      body: JSON.stringify(target),
    });
    expect(added.status).toBe(200);
    expect(await stateOf("tree_1")).toBe("verified");
    expect(await checkOf("tree_1")).toEqual(["verified"]);
    const object = repository.objects().find((name) => name.endsWith(".filez")) ?? "";
    const files = readdirSync(join(test.console.config.DATA_DIR, "blobs"), { recursive: true, withFileTypes: true });
    const stored = files.find(
      (file) => file.isFile() && join(file.parentPath, file.name).includes(object.slice(2, 20)),
    );
    if (stored === undefined) throw new Error("the object has no file");
    const path = join(stored.parentPath, stored.name);
    const bytes = readFileSync(path);
    bytes[bytes.length - 3] = (bytes.at(-3) ?? 0) ^ 1;
    writeFileSync(path, bytes);
    expect(await checkOf("tree_1")).toEqual(["mismatch", expect.stringMatching(/^commit ostree\./)]);
    expect(await launch("tree_1")).toMatchObject(REFUSED);
  });
});

describe("while the director's targets key is offline", () => {
  it("the proxy passes the director's refusal on, and a preview gives the reason", async () => {
    const image = await upload("6");
    const made = await send("POST", MTU, mtuOf(image));
    const { repositoryKeys } = ctx.backends;
    const keysOf = (await repositoryKeys.describe(ctx, "director"))?.roles.find(({ role }) => role === "targets")?.keys;
    await repositoryKeys.deletePrivateKey(ctx, "director", keysOf?.[0]?.keyId ?? "");
    const assignment = { correlationId: `urn:here-ota:mtu:${made.body}`, devices: [randomUUID()], mtuId: made.body };
    const refused = { status: 412, body: { code: "role_key_not_found" } };
    expect(await send("POST", "/api/proxy/director/api/v1/assignments", assignment)).toMatchObject(refused);
    const offline = { status: 409, body: { code: "signing_key.offline" } };
    expect(await launch(image.filename, true)).toMatchObject(offline);
  });
});
