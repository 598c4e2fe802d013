import { randomUUID } from "node:crypto";
import { gunzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openBlobs } from "#lib/blobs/open.ts";
import type { Ctx } from "#lib/ctx.ts";
import { createOtaServer } from "#lib/http/server.ts";
import { registerImageRepoRoutes } from "#services/image-repo/routes.ts";
import { createTestCtx } from "#tests/harness/ctx.ts";
import { createTestDatabase, type TestDatabase } from "#tests/harness/database.ts";
import { authorization, sha256, startServer, verifyAsDevice } from "./harness.ts";

type App = Awaited<ReturnType<typeof startServer>>["app"];
let database: TestDatabase;
let ctx: Ctx;
let app: App;
const routes: string[] = [];

beforeAll(async () => {
  database = await createTestDatabase();
  ctx = createTestCtx(database.url);
  app = createOtaServer({ ctx, servicesToken: authorization.slice("Bearer ".length) });
  app.addHook("onRoute", ({ method, url }) => void routes.push(...[method].flat().map((one) => `${one} ${url}`)));
  registerImageRepoRoutes(app, { blobs: openBlobs(ctx.config) });
  await app.ready();
});

afterAll(async () => {
  await app.close();
  await ctx.db.$disconnect();
  await database.drop();
});

type Ask = { namespace?: string; body?: unknown; headers?: Record<string, string> };
const call = (method: "GET" | "POST" | "PUT" | "DELETE", url: string, { namespace, body, headers }: Ask = {}) =>
  app.inject({
    method,
    url: `/api/v1${url}`,
    headers: {
      authorization,
      ...(namespace === undefined ? {} : { "x-ats-namespace": namespace }),
      ...(body === undefined ? {} : { "content-type": "application/json" }),
      ...headers,
    },
    ...(body === undefined ? {} : { payload: JSON.stringify(body) }),
  });

describe("a repository made by POST", () => {
  it("has keys of the type that was asked for, which devices accept", async () => {
    const server = await startServer(ctx);
    try {
      expect((await server.call("", { method: "POST", namespace: "rsa", ...json({ keyType: "RSA" }) })).status).toBe(
        200,
      );
      const asRsa = { ...server, call: (path: string) => server.call(path, { namespace: "rsa" }) };
      const { root } = await verifyAsDevice(asRsa, new Date());
      expect(new Set([...root.signed.keys.values()].map(({ keytype }) => keytype))).toEqual(new Set(["RSA"]));
    } finally {
      await server.app.close();
    }
  });

  it("has the id that was asked for, once in all namespaces", async () => {
    const repoId = randomUUID();
    const made = await call("POST", `/repo/${repoId}`, { namespace: "chosen", body: { keyType: "ED25519" } });
    expect([made.statusCode, made.json()]).toEqual([200, repoId]);
    const root = await call("GET", "/user_repo/root.json", { namespace: "chosen" });
    expect([root.statusCode, root.headers["x-ats-tuf-repo-id"]]).toEqual([200, repoId]);
    for (const [namespace, id] of [
      ["chosen", repoId],
      ["chosen", randomUUID()],
      ["other", repoId],
    ] as const) {
      const again = await call("POST", `/repo/${id}`, { namespace });
      expect([again.statusCode, again.json().code]).toEqual([409, "conflicting_entity"]);
    }
    expect((await call("POST", "/repo/no-uuid", { namespace: "other" })).statusCode).toBe(400);
  });

  it.each(["ECPRIME256V1", "DSA", 7])("is refused in plain text for keys of type %s", async (keyType) => {
    for (const url of ["/user_repo", `/repo/${randomUUID()}`]) {
      const reply = await call("POST", url, { namespace: "refused", body: { keyType } });
      expect([reply.statusCode, reply.headers["content-type"]]).toEqual([400, "text/plain; charset=utf-8"]);
    }
    expect((await call("GET", "/user_repo/root.json", { namespace: "refused" })).statusCode).toBe(404);
  });
});

describe("the address by id", () => {
  it("has every route that the address by namespace has", () => {
    const below = (base: string) =>
      routes.flatMap((one) => (one.includes(` ${base}/`) ? [one.replace(base, "")] : [])).sort();
    expect(below("/api/v1/repo/:repoId")).toEqual(below("/api/v1/user_repo"));
    expect(below("/api/v1/repo/:repoId").length).toBeGreaterThan(40);
  });

  it("answers its own namespace, and every other with 403 in plain text whatever is asked", async () => {
    const repoId = (await call("GET", "/user_repo/root.json")).headers["x-ats-tuf-repo-id"];
    await call("POST", "/user_repo", { namespace: "west" });
    const requests = [
      ["GET", "/targets.json"],
      ["GET", "/root/private_keys/x"],
      ["PUT", "/root/rotate"],
      ["PUT", "/targets/a_1?name=a&version=1"],
      ["DELETE", "/targets/a_1"],
    ] as const;
    for (const [method, path] of requests) {
      for (const namespace of ["west", "nowhere"]) {
        const reply = await call(method, `/repo/${repoId}${path}`, { namespace });
        expect([method, path, reply.statusCode, reply.headers["content-type"]]).toEqual([
          method,
          path,
          403,
          "text/plain; charset=utf-8",
        ]);
      }
    }
    const own = await call("GET", `/repo/${repoId}/targets.json`);
    expect(own.rawPayload).toEqual((await call("GET", "/user_repo/targets.json")).rawPayload);
    expect((await call("PUT", `/repo/${repoId}/root/rotate`)).statusCode).toBe(200);
    expect((await call("GET", "/user_repo/2.root.json")).statusCode).toBe(200);
  });
});

describe("metadata", () => {
  it("goes out compressed to a client that says it takes that, and plain to every other", async () => {
    for (const role of ["root", "1.root", "targets", "snapshot", "timestamp"]) {
      const plain = await call("GET", `/user_repo/${role}.json`);
      expect([plain.headers["content-encoding"], plain.headers.vary]).toEqual([undefined, "accept-encoding"]);
      const checksum = plain.headers["x-ats-role-checksum"];
      if (role !== "1.root") expect(sha256(plain.rawPayload)).toBe(checksum);
      for (let again = 0; again < 2; again += 1) {
        const packed = await call("GET", `/user_repo/${role}.json`, {
          headers: { "accept-encoding": "deflate, gzip" },
        });
        expect([packed.headers["content-encoding"], packed.headers["x-ats-role-checksum"]]).toEqual(["gzip", checksum]);
        expect(gunzipSync(packed.rawPayload)).toEqual(plain.rawPayload);
      }
      const never = await call("GET", `/user_repo/${role}.json`, { headers: { "accept-encoding": "gzip;q=0" } });
      expect(never.rawPayload).toEqual(plain.rawPayload);
    }
  });
});

function json(body: unknown) {
  return { body: JSON.stringify(body), headers: { "content-type": "application/json" } };
}
