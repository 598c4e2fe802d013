import { randomUUID } from "node:crypto";
import type { FastifyInstance } from "fastify";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Ctx } from "#lib/ctx.ts";
import { createOtaServer } from "#lib/http/server.ts";
import { parseEnvelope } from "#lib/uptane/envelope.ts";
import { type Json, type JsonObject, parseJsonBounded } from "#lib/uptane/json.ts";
import { signerFromPrivate } from "#lib/uptane/keys.ts";
import { METADATA_LIMITS } from "#lib/uptane/limits.ts";
import { signDocument } from "#lib/uptane/signatures.ts";
import { type VerifiedRoot, verifyInitialRoot, verifyNextRoot } from "#lib/uptane/verify.ts";
import { registerKeyserverRoutes } from "#services/keyserver/routes.ts";
import { ensureRepo } from "#services/keyserver/service.ts";
import { createTestClock, createTestCtx } from "#tests/harness/ctx.ts";
import { createTestDatabase, type TestDatabase } from "#tests/harness/database.ts";

const TOKEN = "keyserver-tests-services-token-0123456789";
const clock = createTestClock(new Date("2026-03-01T10:00:00Z"));
let database: TestDatabase;
let ctx: Ctx;
let app: FastifyInstance;

beforeAll(async () => {
  database = await createTestDatabase();
  ctx = createTestCtx(database.url, { clock });
  app = createOtaServer({ ctx, servicesToken: TOKEN });
  app.register(registerKeyserverRoutes);
  await app.ready();
});

afterAll(async () => {
  await app.close();
  await ctx.db.$disconnect();
  await database.drop();
});

type Method = "GET" | "HEAD" | "POST" | "PUT" | "DELETE";
async function call(
  method: Method,
  path: string,
  options: { body?: unknown; headers?: Record<string, string>; token?: string } = {},
) {
  const { body, headers = {}, token = TOKEN } = options;
  const sent = body === undefined ? {} : { payload: Buffer.isBuffer(body) ? body : JSON.stringify(body) };
  const type = body === undefined ? {} : { "content-type": "application/json" };
  const authorization = `Bearer ${token}`;
  return app.inject({ method, url: `/api/v1/root${path}`, headers: { authorization, ...type, ...headers }, ...sent });
}
const asked = async (...of: Parameters<typeof call>) => {
  const { statusCode, body } = await call(...of);
  return [statusCode, body.startsWith("{") ? JSON.parse(body).code : undefined];
};

async function standalone(body: unknown = {}): Promise<string> {
  const repoId = randomUUID();
  const { statusCode } = await call("POST", `/${repoId}`, { body });
  if (statusCode !== 201) throw new Error(`not made: ${statusCode}`);
  return repoId;
}

/** The whole chain as a device walks it. */
async function walk(repoId: string): Promise<VerifiedRoot> {
  let root = verifyInitialRoot((await call("GET", `/${repoId}/1`)).rawPayload, 1);
  for (;;) {
    const next = await call("GET", `/${repoId}/${root.signed.version + 1}`);
    if (next.statusCode === 404) return root;
    root = verifyNextRoot(root, next.rawPayload);
  }
}

async function rootSigner(repoId: string) {
  const keyId = (await walk(repoId)).signed.roles.root.keyids[0];
  const { keytype, keyval } = (await call("GET", `/${repoId}/keys/${keyId}`)).json();
  return signerFromPrivate(keytype, keyval.private);
}

const jsonOf = (bytes: Uint8Array): Json => parseJsonBounded(bytes, METADATA_LIMITS.root);

describe("a repository made over HTTP", () => {
  it("is there at once, once, and waits for nothing", async () => {
    const repoId = randomUUID();
    expect(await asked("GET", `/${repoId}`)).toEqual([404, "repo_root_keys_not_found"]);
    const made = await call("POST", `/${repoId}`, { body: { threshold: 1, keyType: "ED25519" } });
    expect([made.statusCode, made.json().length]).toEqual([201, 4]);
    expect(await asked("POST", `/${repoId}`, { body: {} })).toEqual([409, "conflicting_entity"]);
    expect((await call("PUT", `/${repoId}`)).statusCode).toBe(200);
    const later = await call("POST", `/${randomUUID()}`, {
      body: { threshold: 1, keyType: "ED25519", forceSync: false },
    });
    expect(later.statusCode).toBe(202);
    expect((await call("GET", `/${repoId}`)).rawPayload).toEqual((await call("GET", `/${repoId}/1`)).rawPayload);
  });

  it.each([
    { keyType: "RSA", threshold: 1, keys: 4, method: "rsassa-pss-sha256" },
    { keyType: "ED25519", threshold: 3, keys: 12, method: "ed25519" },
  ])("has $threshold $keyType keys a role, all of which sign", async ({ keys, method, ...wanted }) => {
    const repoId = await standalone(wanted);
    const { signed } = await walk(repoId);
    expect([signed.keys.size, new Set([...signed.keys.values()].map(({ keytype }) => keytype))]).toEqual([
      keys,
      new Set([wanted.keyType]),
    ]);
    expect(Object.values(signed.roles).map(({ threshold }) => threshold)).toEqual(Array(4).fill(wanted.threshold));
    const { rawPayload } = await call("POST", `/${repoId}/targets`, { body: { _type: "Targets", version: 7 } });
    const envelope = parseEnvelope(rawPayload, METADATA_LIMITS.imageTargets);
    expect([envelope.signed.version, envelope.signatures.length]).toEqual([7, wanted.threshold]);
    expect(new Set(envelope.signatures.map((one) => one.method))).toEqual(new Set([method]));
    expect((await call("PUT", `/${repoId}/rotate`)).statusCode).toBe(200);
    const rotated = await walk(repoId);
    expect([rotated.signed.version, rotated.signed.roles.root.threshold]).toEqual([2, wanted.threshold]);
    const typeOf = (role: "root" | "timestamp") =>
      rotated.signed.keys.get(rotated.signed.roles[role].keyids[0] ?? "")?.keytype;
    expect([typeOf("root"), typeOf("timestamp")]).toEqual(["ED25519", wanted.keyType]);
  });

  it.each([
    [{ keyType: "ECPRIME256V1" }, "devices refuse every other type"],
    [{ keyType: "DSA" }, "devices refuse every other type"],
    [{ threshold: 0 }, "threshold"],
    [{ threshold: 9 }, "threshold"],
  ])("is refused with the reason: %j", async (body, reason) => {
    const reply = await call("POST", `/${randomUUID()}`, { body });
    expect([reply.statusCode, reply.json().code]).toEqual([400, "invalid_entity"]);
    expect(reply.json().description).toContain(reason);
  });

  it("is there for its own namespace and the services token only", async () => {
    const repoId = await standalone();
    const elsewhere = { headers: { "x-ats-namespace": "west" } };
    const { signed } = await walk(repoId);
    const key = signed.roles.targets.keyids[0];
    const requests: [Method, string, unknown?][] = [
      ["GET", ""],
      ["PUT", ""],
      ["GET", "/1"],
      ["GET", "/unsigned"],
      ["POST", "/unsigned", {}],
      ["PUT", "/rotate"],
      ["POST", "/targets", {}],
      ["GET", `/keys/${key}`],
      ["GET", "/keys/targets/pairs"],
      ["DELETE", `/private_keys/${key}`],
      ["PUT", "/roles/offline-updates"],
      ["PUT", "/roles/remote-sessions"],
    ];
    for (const [method, path, body] of requests) {
      const at = `${method} ${path}`;
      expect([at, ...(await asked(method, `/${repoId}${path}`, { ...elsewhere, body }))]).toEqual([
        at,
        404,
        "repo_root_keys_not_found",
      ]);
      expect([at, ...(await asked(method, `/${repoId}${path}`, { token: "x", body }))]).toEqual([
        at,
        401,
        "unauthorized",
      ]);
    }
    expect((await call("HEAD", `/${repoId}/keys/targets/pairs`, elsewhere)).statusCode).toBe(404);
    expect((await walk(repoId)).signed.version).toBe(1);
    expect((await call("HEAD", `/${repoId}/keys/targets/pairs`)).statusCode).toBe(200);
  });
});

describe("the root", () => {
  it("does not end before the instant that was asked for, then or later", async () => {
    const repoId = await standalone();
    const read = async (instant?: string) => {
      const headers = instant === undefined ? {} : { "x-trx-expire-not-before": instant };
      const { signed } = (await call("GET", `/${repoId}`, { headers })).json();
      return [signed.version, signed.expires];
    };
    expect(await read("2026-06-01T00:00:00Z")).toEqual([1, "2027-03-01T10:00:00Z"]);
    expect(await read("2030-01-01T00:00:00Z")).toEqual([2, "2030-01-01T00:00:00Z"]);
    expect(await read("2029-01-01T00:00:00Z")).toEqual([2, "2030-01-01T00:00:00Z"]);
    expect(await read()).toEqual([2, "2030-01-01T00:00:00Z"]);
    const bad = { headers: { "x-trx-expire-not-before": "soon" } };
    expect(await asked("GET", `/${repoId}`, bad)).toEqual([400, "invalid_entity"]);
    const { keyId } = await rootSigner(repoId);
    await call("DELETE", `/${repoId}/private_keys/${keyId}`);
    const later = { headers: { "x-trx-expire-not-before": "2031-01-01T00:00:00Z" } };
    expect(await asked("GET", `/${repoId}`, later)).toEqual([502, "set_root_expire_failed"]);
    expect(await read()).toEqual([2, "2030-01-01T00:00:00Z"]);
  });

  it("of a version that never was is 404", async () => {
    const repoId = await standalone();
    for (const version of ["2", "0", "99999999999", "next"]) {
      expect(await asked("GET", `/${repoId}/${version}`)).toEqual([404, "root_role_not_found"]);
    }
  });

  it("is replaced by one that its keys signed elsewhere, and by no other, with every reason named", async () => {
    const repoId = await standalone();
    const signer = await rootSigner(repoId);
    const unsigned: JsonObject = (await call("GET", `/${repoId}/unsigned`)).json();
    expect([unsigned.version, unsigned._type]).toEqual([2, "Root"]);
    const push = (signed: JsonObject, signers = [signer]) =>
      call("POST", `/${repoId}/unsigned`, { body: jsonOf(signDocument(signed, signers).bytes) });
    const refused = await push({ ...unsigned, version: 5 }, []);
    expect([refused.statusCode, refused.json().code, refused.json().cause.length]).toEqual([
      400,
      "invalid_root_role",
      3,
    ]);
    expect((await push(unsigned)).statusCode).toBe(204);
    expect((await walk(repoId)).signed.version).toBe(2);
  });

  it("of the image repository or the director's is replaced where its documents are", async () => {
    for (const kind of ["image", "director"] as const) {
      const { repoId } = await ensureRepo(ctx, kind);
      for (const [method, path] of [["PUT", "rotate"] as const, ["POST", "unsigned"] as const]) {
        const reply = await call(method, `/${repoId}/${path}`, method === "POST" ? { body: {} } : {});
        expect([reply.statusCode, reply.json().code]).toEqual([409, "conflicting_entity"]);
        expect(reply.json().description).toContain(kind === "image" ? "user_repo/root" : "admin/repo/root");
      }
      expect((await walk(repoId)).signed.version).toBe(1);
    }
  });

  it("gets the keys of offline updates and of remote sessions once each", async () => {
    const repoId = await standalone();
    expect(await asked("POST", `/${repoId}/offline-updates`, { body: {} })).toEqual([404, "role_keys_not_found"]);
    for (const role of ["offline-updates", "remote-sessions", "offline-updates", "remote-sessions"]) {
      expect((await call("PUT", `/${repoId}/roles/${role}`)).statusCode).toBe(200);
    }
    expect((await walk(repoId)).signed.version).toBe(3);
    for (const role of ["offline-updates", "offline-snapshot", "remote-sessions"]) {
      expect((await call("POST", `/${repoId}/${role}`, { body: { version: 1 } })).json().signatures).toHaveLength(1);
    }
  });
});

describe("keys", () => {
  it("are handed out as pairs until one is deleted; then nothing signs with them and nothing says they are there", async () => {
    const repoId = await standalone();
    const targets = (await walk(repoId)).signed.roles.targets.keyids[0] ?? "";
    const [pair] = (await call("GET", `/${repoId}/keys/targets/pairs`)).json();
    expect((await call("GET", `/${repoId}/keys/${targets}`)).json()).toEqual(pair);
    expect(signerFromPrivate(pair.keytype, pair.keyval.private).keyId).toBe(targets);
    const head = await call("HEAD", `/${repoId}/keys/targets/pairs`);
    expect([head.statusCode, head.body]).toEqual([200, ""]);
    expect((await call("DELETE", `/${repoId}/private_keys/${targets}`)).statusCode).toBe(204);
    expect(await asked("DELETE", `/${repoId}/private_keys/${targets}`)).toEqual([404, "keypair_not_found"]);
    expect(await asked("GET", `/${repoId}/keys/${targets}`)).toEqual([404, "keypair_not_found"]);
    expect(await asked("GET", `/${repoId}/keys/targets/pairs`)).toEqual([404, "role_keys_not_found"]);
    const gone = await call("HEAD", `/${repoId}/keys/targets/pairs`);
    expect([gone.statusCode, gone.body]).toEqual([404, ""]);
    expect(await asked("POST", `/${repoId}/targets`, { body: {} })).toEqual([412, "private_keys_not_found"]);
    expect(await asked("POST", `/${repoId}/nonsense`, { body: {} })).toEqual([404, "role_keys_not_found"]);
    const { keyId } = await rootSigner(repoId);
    await call("DELETE", `/${repoId}/private_keys/${keyId}`);
    expect(await asked("PUT", `/${repoId}/rotate`)).toEqual([412, "private_keys_offline"]);
  });

  it("sign what is as long as devices accept, and nothing longer or other than an object", async () => {
    const repoId = await standalone();
    const long = (bytes: number) => ({ body: { text: "x".repeat(bytes) } });
    expect((await call("POST", `/${repoId}/targets`, long(8_000_000))).statusCode).toBe(200);
    expect((await call("POST", `/${repoId}/targets`, long(8_388_600))).statusCode).toBe(413);
    expect((await call("POST", `/${repoId}/snapshot`, long(65_536))).statusCode).toBe(413);
    for (const body of [Buffer.from("[1]"), Buffer.from("{"), Buffer.alloc(0)]) {
      expect((await call("POST", `/${repoId}/targets`, { body })).statusCode).toBe(400);
    }
  });
});
