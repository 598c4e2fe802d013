import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { connect as connectTcp } from "node:net";
import { join } from "node:path";
import { connect as connectTls } from "node:tls";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Api, at, createApi } from "#tests/harness/api.ts";
import { type System, startSystem } from "#tests/harness/system.ts";

let system: System;
let api: Api;
let token: string;
let credentials: { cert: string; key: string; ca: string };

beforeAll(async () => {
  system = await startSystem();
  token = system.cli("token", "create", "--role", "admin", "--name", "rubbish").trim();
  api = createApi(system.consoleUrl, token);
  const dir = join(system.dataDir, "rubbish-device");
  system.cli("device", "issue", "--name", "rubbish", "--hardware", "rubbish", "--out", dir);
  const read = (name: string) => readFileSync(join(dir, name), "utf8");
  credentials = { cert: read("client.pem"), key: read("pkey.pem"), ca: read("root.crt") };
}, 300_000);

afterAll(() => system?.drop(), 60_000);

/** Sends bytes and collects what comes back until the other side closes or two seconds are over. */
function send(door: "console" | "device" | "services", bytes: Buffer | string): Promise<string> {
  return new Promise((resolve, reject) => {
    const port = {
      console: Number(new URL(system.consoleUrl).port),
      device: system.door.port,
      services: system.servicesPort,
    }[door];
    const socket =
      door === "device"
        ? connectTls({ host: "localhost", port, ...credentials })
        : connectTcp({ host: "127.0.0.1", port });
    const chunks: Buffer[] = [];
    const done = () => {
      socket.destroy();
      resolve(Buffer.concat(chunks).toString("latin1"));
    };
    socket.setTimeout(2_000, done);
    socket.on("data", (chunk) => chunks.push(chunk));
    socket.on("close", done);
    socket.on("error", (error: NodeJS.ErrnoException) => {
      if (["ECONNRESET", "EPIPE"].includes(error.code ?? "")) done();
      else reject(error);
    });
    socket.write(bytes);
  });
}

function statusOf(reply: string): number | null {
  const match = /^HTTP\/1\.1 (\d{3})/.exec(reply);
  return match === null ? null : Number(match[1]);
}

function expectRefusal(reply: string): void {
  const status = statusOf(reply);
  if (status !== null) {
    expect(status).toBeGreaterThanOrEqual(400);
    expect(status).toBeLessThan(500);
  }
  expectNoInternals(reply);
}

function expectNoInternals(text: string): void {
  for (const inside of [
    "node_modules",
    "    at ",
    ".ts:",
    "PrismaClient",
    "postgresql://",
    "SELECT ",
    "/services/",
    "ECONNREFUSED",
  ]) {
    expect(text).not.toContain(inside);
  }
}

async function expectAlive(): Promise<void> {
  const ready = await api.get("/api/health/ready");
  expect(ready.status).toBe(200);
}

const DOORS = ["console", "device", "services"] as const;

describe.each(DOORS)("rubbish at the %s door", (door) => {
  it("answers random bytes with a refusal or silence", async () => {
    for (let round = 0; round < 10; round += 1) expectRefusal(await send(door, randomBytes(2_000)));
    await expectAlive();
  });

  it.each([
    ["no method", "/ HTTP/1.1\r\n\r\n"],
    ["a method nobody knows", "FROB / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"],
    ["two lengths", "POST /events HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd"],
    [
      "length and chunks",
      "POST /events HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ],
    ["a bare line feed in a header", "GET / HTTP/1.1\r\nHost: localhost\nX: y\r\nA\u0000: b\r\n\r\n"],
    [
      "a header of 100 kB",
      `GET /director/targets.json HTTP/1.1\r\nHost: localhost\r\nX: ${"x".repeat(100_000)}\r\n\r\n`,
    ],
    ["5,000 headers", `GET /director/targets.json HTTP/1.1\r\nHost: localhost\r\n${"X: y\r\n".repeat(5_000)}\r\n`],
    ["a path of 100 kB", `GET /${"a".repeat(100_000)} HTTP/1.1\r\nHost: localhost\r\n\r\n`],
  ])("refuses %s", async (_what, bytes) => {
    expectRefusal(await send(door, bytes));
    await expectAlive();
  });

  it.each([
    "/../../etc/passwd",
    "/director/../api/v1/admin/devices",
    "/director/%2e%2e/%2e%2e/admin/devices",
    "/repo/..%2f..%2fadmin/repo/private_keys",
    "/repo/targets/%00",
    "/repo/targets/..%5c..%5csecrets.json",
    "//director/targets.json/../../x",
    "/%ff%fe",
    "/api/v1/devices/%00",
    "/api/proxy/director/api/v1/../../x",
    "/_next/static/../../../package.json",
  ])("refuses the path %s", async (path) => {
    const reply = await send(door, `GET ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`);
    const status = statusOf(reply);
    if (status !== null && status < 400)
      expect([307, 308]).toContain(status); // a signed-out page leads to sign-in
    else if (status !== null) expect(status).toBeLessThan(500);
    expectNoInternals(reply.replace(/<script[\s\S]*?<\/script>/g, ""));
    expect(reply).not.toMatch(/root:x:0|"dependencies"|private/);
    await expectAlive();
  });
});

describe("rubbish in JSON", () => {
  const deep = `${"[".repeat(100_000)}${"]".repeat(100_000)}`;
  const bodies: [string, string][] = [
    ["nothing", ""],
    ["half an object", '{"name":'],
    ["a number", "1"],
    ["null", "null"],
    ["depth", deep],
    ["a prototype", '{"__proto__":{"role":"admin"},"constructor":{}}'],
    ["wrong types", '{"name":1,"hardwareId":[],"targets":"x","devices":{},"fingerprint":null}'],
    ["lone surrogates and NUL", '{"name":"\\ud800\\u0000","hardwareId":"\\u0000"}'],
    ["a megabyte", JSON.stringify({ name: "x".repeat(1_200_000) })],
  ];

  it.each(bodies)("in the console API: %s", async (_what, body) => {
    for (const path of [
      "/api/v1/devices/issue",
      "/api/v1/certificates/allow",
      "/api/v1/updates",
      "/api/v1/users",
      "/api/v1/tokens",
      "/api/v1/setup",
    ]) {
      const response = await fetch(`${system.consoleUrl}${path}`, {
        method: "POST",
        body,
        headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
      });
      expect(response.status).toBeGreaterThanOrEqual(400);
      expect(response.status).toBeLessThan(500);
      const text = await response.text();
      expect(at(JSON.parse(text), "requestId")).toEqual(expect.any(String));
      expectNoInternals(text);
    }
  });

  it.each(bodies)("at the device door: %s", async (_what, body) => {
    const bytes = Buffer.from(body);
    const requests = [
      "PUT /director/manifest",
      "POST /director/ecus",
      "POST /events",
      "PUT /core/installed",
      "PUT /system_info/network",
    ];
    for (const request of requests) {
      const head = `${request} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: ${bytes.length}\r\nConnection: close\r\n\r\n`;
      const reply = await send("device", Buffer.concat([Buffer.from(head), bytes]));
      // A list of events is taken and what is bad in it is put aside: else one bad event would block all that follow it for ever.
      if (request === "POST /events" && body.startsWith("[") && statusOf(reply) === 204) expectNoInternals(reply);
      else expectRefusal(reply);
    }
    await expectAlive();
  });
});

it("logs no secret and survives it all in the same processes", async () => {
  await expectAlive();
  expect(system.output()).not.toContain("ended; starting it again");
  expect(system.output()).not.toContain(token);
  expect(system.output()).not.toContain("BEGIN PRIVATE KEY");
});
