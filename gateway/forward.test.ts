import { once } from "node:events";
import http from "node:http";
import net, { type AddressInfo } from "node:net";
import { afterEach, beforeEach, expect, it } from "vitest";
import { DEVICE_TRAFFIC, forward } from "#gateway/forward.ts";
import type { Destination } from "#gateway/path-map.ts";
import { createUpstreams, type Upstreams } from "#gateway/upstreams.ts";
import { loadConfig } from "#lib/config/load.ts";
import { createLog } from "#lib/log/log.ts";
import { openRecordingUpstream, type RecordingUpstream, SERVICES_TOKEN } from "#tests/harness/door.ts";

const DESTINATION: Destination = {
  upstream: "director",
  path: "/somewhere",
  maxBodyBytes: 8_000_000,
  isDownload: false,
};

let upstream: RecordingUpstream;
let upstreams: Upstreams;
let door: http.Server;
let settings: { idleMs: number };

beforeEach(async () => {
  settings = { idleMs: 60_000 };
  upstream = await openRecordingUpstream();
  await openDoor(upstream.url);
});
afterEach(async () => {
  closeDoor();
  await upstream.close();
});

async function openDoor(url: string): Promise<void> {
  const { config, secrets } = loadConfig("supervisor", { SERVICES_PORT: new URL(url).port, SERVICES_TOKEN });
  upstreams = createUpstreams(config, secrets);
  door = http.createServer((req, res) =>
    forward(req, res, {
      upstreams,
      destination: DESTINATION,
      traffic: { ...DEVICE_TRAFFIC, ...settings },
      identity: {},
      requestId: "1",
      log: createLog("test", "silent"),
      client: {},
      expectsContinue: false,
    }),
  );
  await once(door.listen(0, "127.0.0.1"), "listening");
}

function closeDoor(): void {
  door.closeAllConnections();
  door.close();
  upstreams.close();
}

function portOf(server: net.Server): number {
  const { port } = server.address() as AddressInfo; // it listens on a port
  return port;
}

function ask(method: string, body?: string): Promise<Response> {
  return fetch(`http://127.0.0.1:${portOf(door)}/`, { method, ...(body === undefined ? {} : { body }) });
}

/** The connection that the first request came by ends when another comes on it. */
async function closeTheKeptOpenConnection(): Promise<void> {
  expect((await ask("GET")).status).toBe(200);
  const answer = upstream.answer;
  upstream.answer = (req, res, body) => {
    upstream.answer = answer;
    if (req.socket.bytesRead > 0) req.socket.destroy();
    else answer(req, res, body);
  };
}

it("reads once more when the back end closed a kept-open connection just then", async () => {
  await closeTheKeptOpenConnection();
  expect((await ask("GET")).status).toBe(200);
  expect(upstream.requests).toHaveLength(3);
});

it("never repeats what may change something", async () => {
  await closeTheKeptOpenConnection();
  expect((await ask("PUT", "{}")).status).toBe(503);
  expect(upstream.requests).toHaveLength(2);
});

it("repeats once, not for ever", async () => {
  upstream.answer = (req) => req.socket.destroy();
  const reply = await ask("GET");
  expect([reply.status, reply.headers.get("x-gatehouse-code")]).toEqual([503, "back_end_unreachable"]);
  expect(upstream.requests).toHaveLength(2);
});

it("tells a back end that is silent for too long from one that is away", async () => {
  settings.idleMs = 500;
  upstream.answer = () => undefined;
  const reply = await ask("GET");
  expect([reply.status, reply.headers.get("x-gatehouse-code")]).toEqual([504, "back_end_timeout"]);
});

it("cuts a reply short whose rest does not come", async () => {
  settings.idleMs = 500;
  upstream.answer = (_req, res) => void res.writeHead(200, { "content-length": 10 }).write("half");
  const reply = await ask("GET");
  expect(reply.status).toBe(200);
  await expect(reply.text()).rejects.toThrow();
});

it("leaves out what comes before the reply", async () => {
  upstream.answer = (_req, res) => {
    res.writeEarlyHints({ link: "</evil>" });
    res.writeProcessing();
    res.writeHead(200).end("whole");
  };
  expect(await (await ask("GET")).text()).toBe("whole");
});

it("passes a reply of many pieces with and without a declared length", async () => {
  const piece = Buffer.alloc(100_000, "x");
  for (const headers of [{ "content-length": 10 * piece.length }, {}]) {
    upstream.answer = (_req, res) => {
      res.writeHead(200, headers);
      for (let i = 0; i < 9; i += 1) res.write(piece);
      res.end(piece);
    };
    expect((await (await ask("GET")).arrayBuffer()).byteLength).toBe(10 * piece.length);
  }
});

it("goes on with the connection of a client whose body the back end did not want to read", async () => {
  const curt = net.createServer((socket) => {
    socket.on("error", () => undefined);
    socket.once("data", () => socket.write("HTTP/1.1 400 Bad Request\r\nContent-Length: 2\r\n\r\nno"));
  });
  await once(curt.listen(0, "127.0.0.1"), "listening");
  closeDoor();
  await openDoor(`http://127.0.0.1:${portOf(curt)}`);
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  try {
    const first = await put(agent, Buffer.alloc(DESTINATION.maxBodyBytes));
    expect(first.status).toBe(400);
    expect(await put(agent, Buffer.alloc(1))).toEqual(first);
  } finally {
    agent.destroy();
    curt.close();
  }
});

/** @returns with the port of the connection that it went by */
function put(agent: http.Agent, body: Buffer): Promise<{ status: number | undefined; from: number | undefined }> {
  return new Promise((done, fail) => {
    const req = http.request({ agent, host: "127.0.0.1", port: portOf(door), method: "PUT" }, (res) => {
      const from = res.socket.localPort;
      res.resume();
      res.once("end", () => done({ status: res.statusCode, from }));
    });
    req.once("error", fail);
    req.end(body);
  });
}
