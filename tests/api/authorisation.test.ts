import { randomBytes, randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { can, ROLES, type Role } from "#lib/authz/permissions.ts";
import { PROXY_TABLE } from "#lib/backends/proxy-table.ts";
import type { Endpoint } from "#lib/contracts/console/endpoint.ts";
import { ENDPOINTS } from "#lib/contracts/console/endpoints.ts";
import { relayRequest } from "#lib/http/proxy-route.ts";
import { plainRoute } from "#lib/http/route.ts";
import { endpointOf, type Handler, loadApiRoutes, type RouteFile } from "#tests/harness/api-routes.ts";
import { PUBLIC_URL, startTestConsole, type TestConsole } from "#tests/harness/console.ts";

let test: TestConsole;
let routes: RouteFile[];
const relay = plainRoute(relayRequest);

beforeAll(async () => {
  test = await startTestConsole();
  routes = await loadApiRoutes();
});
afterAll(() => test.drop());

type Reply = { status: number; code: string | null };

async function call(
  handler: Handler,
  init: { method: string; path: string; headers?: Record<string, string> },
): Promise<Reply> {
  const leave = new AbortController();
  const writes = init.method !== "GET" && init.method !== "DELETE";
  const req = new Request(`${PUBLIC_URL}${init.path}`, {
    method: init.method,
    headers: { ...(writes ? { "content-type": "application/json" } : {}), ...init.headers },
    // No schema takes this: who is let through is told so by a 400, and nothing is changed.
    body: writes ? '{"no such field":1}' : null,
    signal: leave.signal,
  });
  const res = await handler(req);
  const json = res.headers.get("content-type")?.includes("problem+json") === true;
  const body: unknown = json ? await res.json() : null;
  leave.abort();
  await res.body?.cancel().catch(() => undefined);
  const code = typeof body === "object" && body !== null && "code" in body ? String(body.code) : null;
  return { status: res.status, code };
}

function fill(path: string): string {
  return path
    .replace(/\{(fingerprint|sha256)\}/g, () => randomBytes(32).toString("hex"))
    .replace("{filename}", "none_1")
    .replace(/\{\+?\w*\}/g, () => randomUUID());
}

function handlerOf({ method, path }: Endpoint): Handler {
  const handler = routes.find((route) => route.path === path)?.handlers[method];
  if (handler === undefined) throw new Error(`no route answers ${method} ${path}`);
  return handler;
}

const bearer = (token: string) => ({ authorization: `Bearer ${token}` });
const isRefusedAtTheDoor = ({ status, code }: Reply) =>
  status === 401 || (status === 403 && (code === "auth.forbidden" || code === "request.origin_refused"));

const guarded = ENDPOINTS.filter(({ permission }) => permission !== "public");
const changes = guarded.filter(({ method }) => method !== "GET");
const named = (rows: readonly { method: string; path: string }[]) =>
  rows.map((row) => [`${row.method} ${row.path}`, row] as const);

describe("the API", () => {
  it("has a route for every row of the contract, at the row's address, and no other", () => {
    const answered = routes.flatMap(({ path, handlers }) =>
      Object.entries(handlers).flatMap(([verb, handler]) => {
        const endpoint = endpointOf(handler);
        return endpoint === null ? [] : [{ file: `${verb} ${path}`, row: `${endpoint.method} ${endpoint.path}` }];
      }),
    );
    for (const { file, row } of answered) expect(row).toBe(file);
    expect(answered.map(({ row }) => row).sort()).toEqual(
      ENDPOINTS.map(({ method, path }) => `${method} ${path}`).sort(),
    );
  });

  it("answers a method an address does not have with 405 and the ones it has", async () => {
    for (const { path, handlers } of routes) {
      const owned = Object.keys(handlers).filter((verb) => endpointOf(handlers[verb] ?? relay) !== null);
      for (const verb of ["GET", "POST", "PUT", "PATCH", "DELETE"].filter((each) => !owned.includes(each))) {
        const handler = handlers[verb];
        const res = await handler?.(new Request(`${PUBLIC_URL}${fill(path)}`, { method: verb }));
        expect([path, verb, res?.status, res?.headers.get("allow")]).toEqual([
          path,
          verb,
          405,
          expect.stringContaining(owned[0] ?? "-"),
        ]);
      }
    }
  });

  it.each(named(guarded))(
    "%s is closed to who is not signed in, and to tokens and cookies that are none",
    async (_name, row) => {
      const handler = handlerOf(row as Endpoint);
      const path = fill(row.path);
      const nobodies: Record<string, string>[] = [
        {},
        bearer(`gh_${"a".repeat(43)}`),
        bearer("rubbish"),
        { authorization: "Basic YTpi" },
        { cookie: `${test.console.cookies.session}=rubbish` },
      ];
      for (const headers of nobodies) {
        expect((await call(handler, { method: row.method, path, headers })).status).toBe(401);
      }
    },
  );

  it.each(named(guarded))("%s is open to exactly the roles that have its permission", async (_name, row) => {
    const { permission } = row as Endpoint;
    if (permission === "public") throw new Error("filtered above");
    for (const role of ROLES) {
      const headers = bearer(test.tokens[role]);
      const reply = await call(handlerOf(row as Endpoint), { method: row.method, path: fill(row.path), headers });
      if (can(role, permission)) expect([role, isRefusedAtTheDoor(reply)]).toEqual([role, false]);
      else expect([role, reply]).toEqual([role, { status: 403, code: "auth.forbidden" }]);
    }
  });

  it("takes changes of a session from its own pages only", async () => {
    const { cookie } = await test.session("admin");
    const foreign: Record<string, string>[] = [
      {},
      { origin: "http://evil.example" },
      { origin: "null" },
      { origin: `${PUBLIC_URL}.evil.example` },
      { origin: PUBLIC_URL.replace("http:", "https:") },
      { origin: PUBLIC_URL, "sec-fetch-site": "cross-site" },
      { origin: PUBLIC_URL, "sec-fetch-site": "same-site" },
    ];
    for (const row of changes) {
      const path = fill(row.path);
      for (const headers of foreign) {
        const reply = await call(handlerOf(row), { method: row.method, path, headers: { cookie, ...headers } });
        expect([path, headers, reply]).toEqual([path, headers, { status: 403, code: "request.origin_refused" }]);
      }
    }
  });

  it("takes changes of a session from its own pages", async () => {
    for (const row of changes) {
      const { cookie } = row.permission === "session.own" ? await test.session("admin") : admin;
      const headers = { cookie, origin: PUBLIC_URL, "sec-fetch-site": "same-origin" };
      const reply = await call(handlerOf(row), { method: row.method, path: fill(row.path), headers });
      expect([row.path, isRefusedAtTheDoor(reply)]).toEqual([row.path, false]);
    }
  });

  let admin: { cookie: string };
  beforeAll(async () => {
    admin = await test.session("admin");
  });

  it("ends with the session at once", async () => {
    const { cookie, userId } = await test.session("admin");
    const me = routes.find(({ path }) => path === "/api/v1/me")?.handlers.GET;
    if (me === undefined) throw new Error("no route");
    const ask = () => call(me, { method: "GET", path: "/api/v1/me", headers: { cookie } });
    expect((await ask()).status).toBe(200);
    await test.console.db.userSession.updateMany({ where: { userId }, data: { revokedAt: new Date() } });
    expect((await ask()).status).toBe(401);
  });

  it("does not fall back to the cookie when the token beside it is none", async () => {
    const me = routes.find(({ path }) => path === "/api/v1/me")?.handlers.GET ?? relay;
    const headers = { ...admin, ...bearer("gh_no") };
    expect(await call(me, { method: "GET", path: "/api/v1/me", headers })).toEqual({
      status: 401,
      code: "auth.token_invalid",
    });
  });
});

describe("the proxy", () => {
  const rows = PROXY_TABLE.map((row) => [`${row.method} ${row.service} ${row.path}`, row] as const);
  const address = (service: string, path: string) => `/api/proxy/${service}${fill(path)}`;

  it.each(rows)("%s is open to exactly the roles that have its permission", async (_name, row) => {
    const { method } = row;
    const path = address(row.service, row.path);
    expect((await call(relay, { method, path })).status).toBe(401);
    for (const role of ROLES) {
      const reply = await call(relay, { method, path, headers: bearer(test.tokens[role]) });
      // Nobody listens where the services should be: who is let through hears of that.
      const expected = can(role, row.permission)
        ? { status: 502, code: "backend.unreachable" }
        : { status: 403, code: "auth.forbidden" };
      expect([role, reply]).toEqual([role, expected]);
    }
  });

  it("takes changes of a session from its own pages only", async () => {
    const { cookie } = await test.session("admin");
    for (const row of PROXY_TABLE.filter(({ method }) => method !== "GET")) {
      const reply = await call(relay, {
        method: row.method,
        path: address(row.service, row.path),
        headers: { cookie },
      });
      expect(reply).toEqual({ status: 403, code: "request.origin_refused" });
    }
  });

  it("refuses for want of a permission before it looks at a body's size", async () => {
    const headers = { ...bearer(test.tokens.support), "content-length": "999999999" };
    const path = address("reposerver", "/api/v1/user_repo/targets/{}");
    expect(await call(relay, { method: "PUT", path, headers })).toEqual({ status: 403, code: "auth.forbidden" });
  });

  it.each([
    ["PUT", "director", "/api/v1/device/{}/manifest"],
    ["GET", "director", "/api/v1/device/{}/targets.json"],
    ["POST", "director", "/api/v1/device/{}/ecus"],
    ["GET", "director", "/api/v1/admin/repo/private_keys/{}"],
    ["DELETE", "director", "/api/v1/admin/repo/private_keys/{}"],
    ["POST", "device-registry", "/api/v1/devices/{}/events"],
    ["PUT", "device-registry", "/api/v1/mydevice/{}/system_info"],
    ["PUT", "device-registry", "/api/v1/devices/{}/system_info"],
    ["GET", "device-registry", "/api/v1/admin/devices"],
    ["GET", "keyserver", "/api/v1/root/{}"],
    ["GET", "reposerver", "/api/v1/root/{}"],
    ["GET", "reposerver", "/api/v1/root/{}/keys/targets/pairs"],
    ["GET", "director", "/api/v1/root/{}/keys/{}"],
    ["POST", "director", "/api/v1/root/{}/targets"],
    ["PUT", "reposerver", "/api/v1/root/{}/rotate"],
    ["GET", "director", "/metrics"],
    ["GET", "director", "/health"],
    ["POST", "director", "/api/v1/gatehouse/maintenance"],
    ["GET", "constructor", "/api/v1/devices"],
  ] as const)("has no %s %s %s, which belongs to devices or to the services", async (method, service, path) => {
    const reply = await call(relay, { method, path: address(service, path), headers: bearer(test.tokens.admin) });
    expect([404, 405]).toContain(reply.status);
  });

  it.each([
    "/api/proxy/director/api/v1/assignments/",
    "/api/proxy/director/api/v1/assignments/%2e%2e%2fdevice%2fx%2fmanifest",
    "/api/proxy/director/api/v1/assignments/..%2f..%2fhealth",
    "/api/proxy/director/api/v1/assignments/a%00",
    "/api/proxy/director/api/v1/assignments/a%5cb",
    "/api/proxy/director/api/v1/assignments/a%0d%0aHost:x",
    "/api/proxy/director//api/v1/assignments",
    "/api/proxy/director",
    "/api/proxy/reposerver/api/v1/user_repo/targets/..%2f..%2froot.json",
  ])("refuses the address %s", async (path) => {
    expect((await call(relay, { method: "GET", path, headers: bearer(test.tokens.admin) })).status).toBe(404);
  });
});

it("gives every role something and only admins everything", () => {
  const allowed = (role: Role) => guarded.filter(({ permission }) => permission === "public" || can(role, permission));
  expect(allowed("support").length).toBeGreaterThan(10);
  expect(allowed("admin").length).toBe(guarded.length);
  expect(allowed("operator").length).toBeLessThan(guarded.length);
});
