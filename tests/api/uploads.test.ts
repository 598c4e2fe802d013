import { createHash, randomBytes, randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { SYSTEM } from "#lib/authz/actor.ts";
import { ListAudit } from "#lib/contracts/console/audit.ts";
import { requestCtx } from "#lib/data/context.ts";
import { listAudit } from "#services/audit/service.ts";
import { at } from "#tests/harness/api.ts";
import { loadApiRoutes } from "#tests/harness/api-routes.ts";
import { startTestConsole, type TestConsole } from "#tests/harness/console.ts";
import { serveRoutes } from "#tests/harness/console-http.ts";
import { startTestServices } from "#tests/harness/console-services.ts";

/* An image that comes in parts, over breaks of everything in between. */

const BYTES = new Uint8Array(randomBytes(40_000_000));
let test: TestConsole;
let stopServices: () => Promise<void>;
let server: Awaited<ReturnType<typeof serveRoutes>>;

beforeAll(async () => {
  test = await startTestConsole();
  stopServices = await startTestServices(test);
  const routes = await loadApiRoutes();
  server = await serveRoutes(test, (method, pathname) => {
    const path = pathname
      .replace(/^(\/api\/v1\/images\/)[^/]+/, "$1{filename}")
      .replace(/^(\/api\/v1\/uploads\/)[^/]+/, "$1{id}")
      .replace(/\/parts\/\d+$/, "/parts/{number}");
    return routes.find((route) => route.path === path)?.handlers[method];
  });
});
afterAll(async () => {
  await server.close();
  await stopServices();
  await test.drop();
});

const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

async function send(method: string, path: string, body: unknown = null): Promise<{ status: number; body: unknown }> {
  const binary = body instanceof Uint8Array;
  const res = await fetch(`${server.url}${path}`, {
    method,
    headers: {
      authorization: `Bearer ${test.tokens.operator}`,
      ...(body === null ? {} : { "content-type": binary ? "application/octet-stream" : "application/json" }),
    },
    body: binary ? new Uint8Array(body) : body === null ? null : JSON.stringify(body),
  });
  return { status: res.status, body: await res.json() };
}

const open = (version: string, more: Record<string, unknown> = {}) =>
  send("POST", "/api/v1/uploads", {
    ...{ name: "big", version, hardwareIds: ["rpi4"], length: BYTES.length, sha256: sha256(BYTES), ...more },
  });

async function opened(version: string, more: Record<string, unknown> = {}) {
  const { status, body } = await open(version, more);
  expect(status).toBe(201);
  const size = Number(at(body, "partSize"));
  const path = `/api/v1/uploads/${at(body, "id")}`;
  return {
    path,
    count: Number(at(body, "partCount")),
    part: (number: number) => BYTES.subarray((number - 1) * size, number * size),
    put: (number: number, bytes: Uint8Array, query = "") => send("PUT", `${path}/parts/${number}${query}`, bytes),
    numbers: async () => {
      const parts = at((await send("GET", path)).body, "parts");
      return Array.isArray(parts) ? parts.map(({ number }) => number) : [];
    },
  };
}

describe("an upload in parts", () => {
  it("goes on where it was when the services came back, in any order, and becomes a verified image", async () => {
    const { path, count, part, put, numbers } = await opened("1");
    expect(count).toBe(3);
    expect((await put(3, part(3), `?sha256=${sha256(part(3))}`)).status).toBe(200);
    await stopServices();
    expect((await put(1, part(1))).status).toBe(502);
    stopServices = await startTestServices(test);
    expect(await numbers()).toEqual([3]);
    expect((await send("POST", `${path}/complete`)).status).toBe(400);
    for (const number of [1, 2, 2]) expect((await put(number, part(number))).status).toBe(200);
    const made = await send("POST", `${path}/complete`);
    expect(made).toMatchObject({
      status: 201,
      body: { filename: "big_1", length: BYTES.length, sha256: sha256(BYTES), verification: { state: "verified" } },
    });
    const { data } = await listAudit(requestCtx(test.console, randomUUID()), SYSTEM, ListAudit.parse({ limit: 2 }));
    expect(data.map(({ action, outcome }) => `${action} ${outcome}`)).toEqual([
      "image.upload done",
      "image.upload requested",
    ]);
    expect(await open("1")).toMatchObject({ status: 409, body: { code: "image.exists" } });
  });

  it("takes no part of another length or digest, and none that the upload does not have", async () => {
    const { part, put, numbers } = await opened("2");
    for (const [number, bytes, query] of [
      [1, part(1).subarray(1), ""],
      [1, part(1), `?sha256=${"0".repeat(64)}`],
      [4, part(1), ""],
    ] as const) {
      expect(await put(number, bytes, query)).toMatchObject({ status: 400, body: { code: "image.invalid" } });
    }
    expect(await put(1, BYTES.subarray(0, 20_000_000))).toMatchObject({ body: { code: "request.too_large" } });
    expect(await numbers()).toEqual([]);
  });

  it("becomes no image when the whole has another digest than was announced", async () => {
    const { path, part, put } = await opened("3", { sha256: "0".repeat(64) });
    for (const number of [1, 2, 3]) await put(number, part(number));
    expect(await send("POST", `${path}/complete`)).toMatchObject({ status: 400, body: { code: "image.invalid" } });
    expect((await send("GET", "/api/v1/images/big_3")).status).toBe(404);
  });

  it("is gone when it was given up", async () => {
    const { path, part, put } = await opened("4");
    await put(1, part(1));
    expect((await send("DELETE", path)).status).toBe(200);
    for (const gone of [await send("GET", path), await put(2, part(2)), await send("DELETE", path)]) {
      expect(gone).toMatchObject({ status: 404, body: { code: "upload.not_found" } });
    }
  });

  it.each([
    ["no hardware", { hardwareIds: [] }],
    ["no bytes", { length: 0 }],
    ["more bytes than any", { length: 8_589_934_593 }],
    ["a path for a name", { name: "../big" }],
    ["no digest", { sha256: undefined }],
  ])("with %s is refused", async (_what, more) => {
    expect(await open("5", more)).toMatchObject({ status: 400, body: { code: "request.invalid" } });
  });
});
