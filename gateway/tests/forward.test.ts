import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { openRecordingUpstream, type RecordingUpstream, SERVICES_TOKEN, type TestDoor } from "#tests/harness/door.ts";
import { type DoorSite, type IssuedDevice, openDoorSite } from "#tests/harness/door-site.ts";
import { eventually } from "#tests/harness/eventually.ts";
import type { IdentityWorld } from "#tests/harness/identity.ts";

let site: DoorSite;
let world: IdentityWorld;
let upstream: RecordingUpstream;
let door: TestDoor;
let device: IssuedDevice;
let uuid: string;

beforeAll(async () => {
  site = await openDoorSite();
  ({ world, upstream } = site);
  door = await site.openDoor();
  device = await site.newDevice();
  ({ uuid } = device);
});
beforeEach(() => {
  upstream.requests.length = 0;
  upstream.answer = (_req, res) => res.writeHead(200, { "content-type": "application/json" }).end("{}");
});
afterAll(() => site.close());

describe("what reaches a back end", () => {
  it("carries our identity headers and none of the client's", async () => {
    const reply = await door.request(device, {
      method: "PUT",
      path: "/director/manifest",
      body: "{}",
      headers: {
        "content-type": "application/json",
        "x-ats-namespace": "evil",
        "X-Ats-Device-Uuid": "evil",
        "x-ats-role-checksum": "evil",
        "x-request-id": "evil",
        "x-forwarded-for": "evil",
        forwarded: "for=evil",
        "x-real-ip": "evil",
        "x-gatehouse-actor": "evil",
        authorization: "Bearer evil",
        cookie: "a=evil",
        "if-none-match": "evil",
        "accept-encoding": "gzip",
        "user-agent": "Aktualizr/2020.10",
      },
    });
    expect(reply.status).toBe(200);
    const [seen] = upstream.requests;
    expect(JSON.stringify(seen?.headers)).not.toContain("evil");
    expect(seen?.headers).toMatchObject({
      authorization: `Bearer ${SERVICES_TOKEN}`,
      "x-ats-namespace": world.ctx.namespaceId,
      "x-ats-device-uuid": uuid,
      "x-request-id": reply.headers["x-request-id"],
      "accept-encoding": "identity",
      "content-type": "application/json",
      "user-agent": "Aktualizr/2020.10",
    });
  });

  it.each(["/events", "/events/"])("arrives at the same place from %s, with the body as it was", async (path) => {
    const body = randomBytes(200_000);
    await door.request(device, { method: "POST", path, body, headers: { "content-type": "application/json" } });
    expect(upstream.requests[0]?.url).toBe(`/api/v1/devices/${uuid}/events`);
    expect(upstream.requests[0]?.body.equals(body)).toBe(true);
  });

  it("takes a body in chunks, and one announced with Expect", async () => {
    const body = randomBytes(300_000);
    const headers = { "transfer-encoding": "chunked" };
    await door.request(device, { method: "PUT", path: "/director/manifest", body, headers });
    await door.request(device, {
      method: "PUT",
      path: "/director/manifest",
      body,
      headers: { expect: "100-continue" },
    });
    expect(upstream.requests.map((seen) => seen.body.equals(body))).toEqual([true, true]);
  });

  it("is one request, whatever a smuggler writes", async () => {
    const smuggled = "GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n";
    for (const lines of [
      ["Content-Length: 4", "Transfer-Encoding: chunked"],
      ["Content-Length: 4", `Content-Length: ${smuggled.length}`],
      ["Transfer-Encoding: xchunked"],
      ["Transfer-Encoding : chunked"],
      ["Content-Length: +4"],
    ]) {
      const socket = await door.connect(device);
      socket.on("error", () => undefined);
      const closed = once(socket, "close");
      const head = `PUT /director/manifest HTTP/1.1\r\nHost: x\r\nConnection: close\r\n${lines.join("\r\n")}\r\n\r\n`;
      socket.write(`${head}0\r\n\r\n${smuggled}`);
      socket.resume();
      await closed;
    }
    expect(upstream.requests.filter(({ url }) => url.includes("smuggled"))).toEqual([]);
    for (const { url } of upstream.requests) expect(url).toBe(`/api/v1/device/${uuid}/manifest`);
  });
});

describe("bodies", () => {
  it.each([
    ["PUT", "/director/manifest", 2_097_153],
    ["PUT", "/system_info/network", 65_537],
    ["GET", "/director/targets.json", 1],
  ])("of %s %s are refused from %d bytes on, declared or not", async (method, path, length) => {
    const body = Buffer.alloc(length, "x");
    const declared = { method, path, body, headers: { "content-length": length } };
    expect(await door.request(device, declared).catch(() => ({ status: 413 }))).toMatchObject({ status: 413 });
    const chunked = { method, path, body, headers: { "transfer-encoding": "chunked" } };
    // A client in the middle of its body may see the connection end before it sees the reply.
    expect(await door.request(device, chunked).catch(() => ({ status: 413 }))).toMatchObject({ status: 413 });
    expect(upstream.requests).toEqual([]);
  });

  it("just within the bound pass", async () => {
    const body = Buffer.alloc(65_536, "x");
    expect((await door.request(device, { method: "PUT", path: "/system_info/network", body })).status).toBe(200);
  });
});

describe("what reaches a device", () => {
  it("is the back end's status, body and the headers it needs, and no others", async () => {
    upstream.answer = (_req, res) =>
      res
        .writeHead(201, {
          "content-type": "application/json",
          "x-ats-role-checksum": "abc",
          "x-ats-tuf-repo-id": "def",
          "set-cookie": "a=b",
          server: "secret",
          "x-internal": "secret",
        })
        .end('{"é":1}');
    const reply = await door.request(device, { method: "POST", path: "/director/ecus", body: "{}" });
    expect(reply).toMatchObject({ status: 201, headers: { "x-ats-role-checksum": "abc", "x-ats-tuf-repo-id": "def" } });
    expect(reply.body.toString()).toBe('{"é":1}');
    for (const name of ["set-cookie", "server", "x-internal", "content-encoding"])
      expect(reply.headers[name]).toBeUndefined();
  });

  it("is a part of a target when a part was asked for", async () => {
    upstream.answer = (req, res) =>
      res
        .writeHead(206, { "content-range": "bytes 5-9/10", "content-length": 5, "accept-ranges": "bytes" })
        .end(req.headers.range === "bytes=5-" ? "56789" : "wrong");
    const reply = await door.request(device, { path: "/repo/targets/fw_1.0", headers: { range: "bytes=5-" } });
    expect(reply).toMatchObject({ status: 206, headers: { "content-range": "bytes 5-9/10", "content-length": "5" } });
    expect(reply.body.toString()).toBe("56789");
  });

  it.each([404, 416, 500, 503])("is an empty %d for a target that can't be had", async (status) => {
    upstream.answer = (_req, res) =>
      res.writeHead(status, { "content-type": "application/json", "content-range": "bytes */10" }).end('{"code":"x"}');
    const reply = await door.request(device, { path: "/repo/targets/fw_1.0" });
    expect(reply).toMatchObject({ status, headers: { "content-length": "0" } });
    expect(reply.body).toHaveLength(0);
  });

  it.each([301, 302, 304, 307, 401, 403])("is never a back end's %d", async (status) => {
    upstream.answer = (_req, res) => res.writeHead(status, { location: "http://evil.example/" }).end("x");
    const reply = await door.request(device);
    expect(reply).toMatchObject({ status: 502, code: "back_end_invalid_reply" });
    expect(reply.headers.location).toBeUndefined();
  });

  it("is never an encoded body", async () => {
    upstream.answer = (_req, res) => res.writeHead(200, { "content-encoding": "gzip" }).end("x");
    expect(await door.request(device)).toMatchObject({ status: 502 });
  });

  it("is the empty list of campaigns, from the door itself", async () => {
    const reply = await door.request(device, { path: "/campaigner/campaigns" });
    expect(JSON.parse(reply.body.toString())).toEqual({ campaigns: [] });
    expect(upstream.requests).toEqual([]);
  });

  it.each([
    ["GET", "/treehub/summary", 404],
    ["POST", "/treehub/refs/heads/main", 405],
    ["GET", "/repo/targets/%2e%2e/comments", 400],
    ["GET", "/director//targets.json", 400],
    ["DELETE", "/repo/targets/fw_1.0", 405],
  ])("is %s %s -> %d, without asking anybody", async (method, path, status) => {
    expect(await door.request(device, { method, path })).toMatchObject({ status });
    expect(upstream.requests).toEqual([]);
  });

  it("is a reply cut short when the back end breaks off, not one that looks whole", async () => {
    upstream.answer = (_req, res) => {
      res.writeHead(200, { "content-length": 100 });
      res.write("half", () => res.destroy());
    };
    await expect(door.request(device, { path: "/repo/targets/fw_1.0" })).rejects.toThrow();
  });
});

describe("a back end that is away", () => {
  it("gives 503 with a code, and an empty one for downloads", async () => {
    const away = await openRecordingUpstream();
    await away.close();
    const lonely = await site.openDoor({ upstreamUrl: away.url });
    const reply = await lonely.request(device, { method: "PUT", path: "/director/manifest", body: "{}" });
    expect(reply).toMatchObject({ status: 503, code: "back_end_unreachable" });
    const download = await lonely.request(device, { path: "/repo/targets/fw_1.0" });
    expect(download).toMatchObject({ status: 503, headers: { "content-length": "0" } });
  });

  it("is, when it is somebody else's, asked no more for a moment after three requests in vain, and then again", async () => {
    upstream.answer = (req) => req.socket.destroy();
    const lonely = await site.openDoor({ external: true });
    const put = () => lonely.request(device, { method: "PUT", path: "/director/manifest", body: "{}" });
    for (let i = 0; i < 3; i += 1) expect(await put()).toMatchObject({ status: 503 });
    expect(upstream.requests).toHaveLength(3);
    expect(await put()).toMatchObject({ status: 503, code: "back_end_unreachable" });
    expect(upstream.requests).toHaveLength(3);
    upstream.answer = (_req, res) => res.writeHead(200, { "content-type": "application/json" }).end("{}");
    await eventually(async () => expect(await put()).toMatchObject({ status: 200 }), 10_000);
  });

  it("is not left with a request whose device has gone", async () => {
    const left = new Promise<void>((done) => {
      upstream.answer = (req, res) => {
        res.on("close", () => done());
        req.resume();
      };
    });
    const socket = await door.connect(device);
    socket.on("error", () => undefined);
    socket.write("GET /director/targets.json HTTP/1.1\r\nHost: x\r\n\r\n");
    while (upstream.requests.length === 0) await new Promise(setImmediate);
    socket.destroy();
    await left;
  });
});
