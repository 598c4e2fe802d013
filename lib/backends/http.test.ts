import { once } from "node:events";
import http from "node:http";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { PassThrough, Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { setTimeout as wait } from "node:timers/promises";
import { afterEach, describe, expect, it } from "vitest";
import { createBreaker } from "./breaker.ts";
import { type BackendClient, createBackendClient } from "./http.ts";

const CALL = { namespaceId: "ns-1", requestId: "request-1" };
const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

type Served = { client: BackendClient; baseUrl: string; seen: string[] };

async function serve(handler: http.RequestListener, basePath = ""): Promise<Served> {
  const seen: string[] = [];
  const server = http.createServer((req, res) => {
    seen.push(`${req.method} ${req.url}`);
    handler(req, res);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const baseUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}${basePath}`;
  closers.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return { client: connect(baseUrl), baseUrl, seen };
}

function connect(baseUrl: string, token: string | null = "secret", limits = {}): BackendClient {
  const client = createBackendClient({
    name: "director",
    baseUrl,
    token,
    limits,
    breaker: createBreaker({ name: "director" }),
  });
  closers.push(() => client.close());
  return client;
}

describe("a call", () => {
  it("carries namespace, request id, token and JSON, below the base address", async () => {
    let headers: http.IncomingHttpHeaders = {};
    let body = "";
    const { client, seen } = await serve(async (req, res) => {
      headers = req.headers;
      body = await text(req);
      res.writeHead(201).end('"x"');
    }, "/base/");
    const reply = await client.send(CALL, { method: "POST", path: "/api?a=b", json: { ä: 1 } });
    expect([reply.status, reply.body.toString(), seen, body]).toEqual([201, '"x"', ["POST /base/api?a=b"], '{"ä":1}']);
    expect(headers).toMatchObject({
      authorization: "Bearer secret",
      "x-ats-namespace": "ns-1",
      "x-request-id": "request-1",
      "content-type": "application/json",
    });
  });

  it("without a token sends none", async () => {
    let headers: http.IncomingHttpHeaders = {};
    const { baseUrl } = await serve((req, res) => {
      headers = req.headers;
      res.end("{}");
    });
    await connect(baseUrl, null).send(CALL, { method: "GET", path: "/" });
    expect(headers.authorization).toBeUndefined();
  });

  it("keeps its connection for the next one", async () => {
    const sockets = new Set<Socket>();
    const { client } = await serve((req, res) => {
      sockets.add(req.socket);
      res.end("{}");
    });
    for (let index = 0; index < 3; index += 1) await client.send(CALL, { method: "GET", path: "/" });
    expect(sockets.size).toBe(1);
  });
});

describe("a refusal", () => {
  it("has the service's own code and status in its context and its words in its message", async () => {
    const { client } = await serve((_req, res) => {
      res
        .writeHead(409, { "content-type": "application/json" })
        .end('{"code":"in_flight","description":"It has begun."}');
    });
    await expect(client.send(CALL, { method: "POST", path: "/" })).rejects.toMatchObject({
      code: "backend.refused",
      message: "The director refused: It has begun.",
      context: { status: 409, code: "in_flight" },
    });
  });

  it("in plain text or by redirect is one too", async () => {
    for (const status of [403, 302, 500]) {
      const { client } = await serve((_req, res) => res.writeHead(status, { location: "/elsewhere" }).end("no"));
      const refused = client.send(CALL, { method: "POST", path: "/" });
      await expect(refused).rejects.toMatchObject({ code: "backend.refused", context: { status, code: null } });
    }
  });

  it("that the caller reads itself is a reply", async () => {
    const { client } = await serve((_req, res) => res.writeHead(404).end("gone"));
    expect((await client.send(CALL, { method: "GET", path: "/", accept: [404] })).status).toBe(404);
  });
});

describe("a service in trouble", () => {
  it("that nobody listens for is unreachable, with the reason", async () => {
    const unused = connect("http://127.0.0.1:1");
    await expect(unused.send(CALL, { method: "POST", path: "/" })).rejects.toMatchObject({
      code: "backend.unreachable",
      context: { reason: "ECONNREFUSED" },
    });
  });

  it("that hangs up is asked again by GET, once", async () => {
    const { client, seen } = await serve((req, res) => (seen.length === 1 ? req.socket.destroy() : res.end("{}")));
    expect((await client.send(CALL, { method: "GET", path: "/" })).status).toBe(200);
    expect(seen).toHaveLength(2);
  });

  it("that answers 503 is asked again by GET, once", async () => {
    const { client, seen } = await serve((_req, res) => res.writeHead(503).end());
    await expect(client.send(CALL, { method: "GET", path: "/" })).rejects.toMatchObject({ context: { status: 503 } });
    expect(seen).toHaveLength(2);
  });

  it.each(["POST", "PUT", "PATCH", "DELETE"] as const)("that hangs up is never asked again by %s", async (method) => {
    const { client, seen } = await serve((req) => req.socket.destroy());
    await expect(client.send(CALL, { method, path: "/" })).rejects.toMatchObject({ code: "backend.unreachable" });
    expect(seen).toHaveLength(1);
  });

  it("that takes longer than the whole call may is a timeout, also when its answer has begun", async () => {
    for (const handler of [() => undefined, (_req: unknown, res: http.ServerResponse) => res.write("{")]) {
      const { baseUrl } = await serve(handler);
      const hurried = connect(baseUrl, null, { wholeMs: 50 });
      await expect(hurried.send(CALL, { method: "GET", path: "/" })).rejects.toMatchObject({ code: "backend.timeout" });
    }
  });

  it("that takes no connection in time is unreachable", async () => {
    const { baseUrl } = await serve(() => undefined);
    const unroutable = connect(baseUrl.replace("127.0.0.1", "10.255.255.1"), null, { connectMs: 50 });
    await expect(unroutable.send(CALL, { method: "POST", path: "/" })).rejects.toMatchObject({
      code: "backend.unreachable",
    });
  });

  it("that answers without end is given up", async () => {
    const { client } = await serve((_req, res) => {
      const chunk = Buffer.alloc(1_048_576);
      Readable.from(
        (function* () {
          for (let index = 0; index < 20; index += 1) yield chunk;
        })(),
      ).pipe(res);
    });
    await expect(client.send(CALL, { method: "GET", path: "/" })).rejects.toMatchObject({
      code: "backend.invalid_reply",
    });
  });

  it("is left at once when the caller leaves", async () => {
    const { client } = await serve(() => undefined);
    const leave = new AbortController();
    const call = client.send({ ...CALL, signal: leave.signal }, { method: "POST", path: "/" });
    leave.abort();
    await expect(call).rejects.toMatchObject({ code: "backend.unreachable" });
  });

  it("that speaks no HTTP is unreachable", async () => {
    const server = createServer((socket) => socket.end("SSH-2.0-OpenSSH\r\n"));
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    closers.push(() => server.close());
    const client = connect(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    await expect(client.send(CALL, { method: "POST", path: "/" })).rejects.toMatchObject({
      code: "backend.unreachable",
    });
  });
});

describe("an upload", () => {
  const upload = (client: BackendClient, body: Readable) =>
    client.send(CALL, { method: "PUT", path: "/", upload: { body, contentType: "application/octet-stream" } });

  it("streams its body", async () => {
    let length = 0;
    const { client } = await serve((req, res) => {
      req.on("data", (chunk: Buffer) => {
        length += chunk.length;
      });
      req.on("end", () => res.writeHead(204).end());
    });
    await upload(client, Readable.from([Buffer.alloc(3_000_000), Buffer.alloc(10)]));
    expect(length).toBe(3_000_010);
  });

  it("that stands still longer than it may is a timeout", async () => {
    const { baseUrl } = await serve((req) => req.resume());
    const hurried = connect(baseUrl, null, { uploadIdleMs: 50 });
    await expect(upload(hurried, new PassThrough())).rejects.toMatchObject({ code: "backend.timeout" });
  });

  it("whose source breaks ends with that error, and the service sees it break off", async () => {
    let ended: Promise<unknown> = Promise.resolve();
    const { client } = await serve((req) => {
      req.resume();
      ended = once(req, "close").then(() => req.complete);
    });
    const body = new PassThrough();
    body.write(Buffer.alloc(1_000));
    const call = upload(client, body);
    while (await Promise.race([ended.then(() => false), wait(1, true)])) {
      if (body.writableLength === 0) break;
    }
    body.destroy(new Error("the browser went away"));
    await expect(call).rejects.toThrow("the browser went away");
    expect(await ended).not.toBe(true);
  });

  it("that is refused early is refused, though the rest was not sent", async () => {
    const { client } = await serve((req, res) => {
      req.once("data", () => res.writeHead(409).end('{"code":"conflict","description":"exists"}'));
    });
    const body = new PassThrough();
    body.write(Buffer.alloc(1_000));
    await expect(upload(client, body)).rejects.toMatchObject({ code: "backend.refused", context: { status: 409 } });
  });
});
