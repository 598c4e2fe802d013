import type { AddressInfo } from "node:net";
import { connect } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { createLog } from "#lib/log/log.ts";
import { createConsoleServer } from "./console-server.ts";

let stop: (() => Promise<void>) | undefined;
afterEach(() => stop?.());

/** A server whose handler tells back what headers it was handed. */
async function start(settings: { PUBLIC_URL?: string; TRUSTED_PROXIES?: string[] } = {}): Promise<number> {
  const server = createConsoleServer({
    config: {
      publicUrl: settings.PUBLIC_URL ?? "http://localhost:3000",
      PUBLIC_URL: settings.PUBLIC_URL,
      TRUSTED_PROXIES: settings.TRUSTED_PROXIES ?? [],
    },
    log: createLog("test", "error"),
    handle: async (req, res) => void res.end(JSON.stringify({ url: req.url, headers: req.headers })),
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  stop = () => new Promise((resolve) => void server.close(() => resolve()).closeAllConnections());
  return (server.address() as AddressInfo).port; // listening on TCP, so it has a port
}

/** Sends bytes as they are: a client library would repair what the test is about. */
async function raw(port: number, text: string): Promise<string> {
  const socket = connect(port, "127.0.0.1");
  socket.end(text);
  const chunks: Buffer[] = [];
  for await (const chunk of socket) chunks.push(chunk);
  return Buffer.concat(chunks).toString("latin1");
}

const get = (path: string, headers = "") => `GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n${headers}\r\n`;

describe("console server", () => {
  it("replaces a client's words about its address, the public host and the request id", async () => {
    const port = await start();
    const reply = await raw(
      port,
      get(
        "/a",
        "X-Forwarded-For: 6.6.6.6\r\nX-Forwarded-Host: evil.example\r\nX-Gatehouse-Address: 6.6.6.6\r\nX-Request-Id: mine\r\nX-Middleware-Subrequest: proxy\r\nForwarded: for=6.6.6.6\r\nX-Ats-Namespace: other\r\n",
      ),
    );
    expect(reply).toContain(`"x-gatehouse-address":"127.0.0.1"`);
    expect(reply).toContain(`"x-forwarded-host":"localhost:3000"`);
    expect(reply).toContain(`"host":"localhost:3000"`);
    for (const trace of ["6.6.6.6", "evil.example", "mine", "subrequest", "x-ats-namespace"]) {
      expect(reply).not.toContain(trace);
    }
  });

  it("takes the address from a trusted proxy", async () => {
    const port = await start({ TRUSTED_PROXIES: ["127.0.0.1"] });
    expect(await raw(port, get("/a", "X-Forwarded-For: 198.51.100.7\r\n"))).toContain(
      `"x-gatehouse-address":"198.51.100.7"`,
    );
  });

  it.each([
    "/a/../b",
    "/a/%2e%2e/b",
    "/a//b",
    "/a\\b",
    "/a%5cb",
    "/a%00b",
    "/%zz",
    "http://evil.example/",
    `/${"a".repeat(9_000)}`,
  ])("refuses the address %s", async (path) => {
    const port = await start();
    expect(await raw(port, get(path))).toMatch(/^HTTP\/1.1 400 /);
  });

  it("leaves an encoded slash to the route", async () => {
    const port = await start();
    expect(await raw(port, get("/api/v1/images/a%2Fb"))).toContain(`"url":"/api/v1/images/a%2Fb"`);
  });

  it("refuses methods nobody here has, upgrades, huge headers and what is not HTTP", async () => {
    const port = await start();
    expect(await raw(port, "TRACE / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")).toMatch(/^HTTP\/1.1 405 /);
    expect(
      await raw(port, get("/", "Upgrade: websocket\r\n").replace("Connection: close", "Connection: upgrade")),
    ).toMatch(/^HTTP\/1.1 426 /);
    expect(await raw(port, get("/", `X-A: ${"a".repeat(20_000)}\r\n`))).toMatch(/^HTTP\/1.1 431 /);
    expect(await raw(port, "\x16\x03\x01 rubbish\r\n\r\n")).toMatch(/^HTTP\/1.1 400 /);
  });

  it("sends a person who typed the address as a number to the name that cookies know", async () => {
    const port = await start();
    const request = get("/devices?q=a", "Sec-Fetch-Mode: navigate\r\n").replace("Host: x", "Host: 127.0.0.1:3000");
    expect(await raw(port, request)).toMatch(/307 [\s\S]*location: http:\/\/localhost:3000\/devices\?q=a/i);
  });

  it("says HTTPS only when the public address is", async () => {
    expect(await raw(await start({ PUBLIC_URL: "https://fleet.example" }), get("/"))).toMatch(
      /strict-transport-security/i,
    );
  });
});
