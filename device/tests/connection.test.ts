import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createDeviceHttp } from "#device/http.ts";
import { startSimulatedDevice } from "#device/simulator.ts";
import { type Bench, NOW, openBench, until } from "#device/tests/bench.ts";
import { isAppError } from "#lib/errors/app-error.ts";
import type { ErrorCode } from "#lib/errors/codes.ts";
import { createServerCa } from "#lib/pki/issue.ts";
import { createSoftwareCa } from "#tests/pki/software-ca.ts";

let bench: Bench;

beforeEach(async () => {
  bench = await openBench();
});
afterEach(() => bench.close());

const http = (changes: Record<string, string> = {}) =>
  createDeviceHttp({ ...bench.server.files, ...changes }, { signal: bench.device.signal, retryDelayMs: 1 });
const code = (wanted: ErrorCode) => (error: unknown) => isAppError(error, wanted);
const get = (path = "/x") => ({ method: "GET", path }) as const;
const redirect = (line: string, status: number, location: string, times = 1) =>
  bench.server.answer(line, (res) => res.writeHead(status, { location }).end(), times);

describe("a call", () => {
  it("is tried three times on 5xx, and once on 4xx", async () => {
    bench.server.answer("GET /x", 503, 9);
    expect((await http().call(get())).status).toBe(503);
    expect(bench.server.takeLines()).toHaveLength(3);
    bench.server.answer("GET /y", 429, 9);
    expect((await http().call(get("/y"))).status).toBe(429);
    expect(bench.server.takeLines()).toHaveLength(1);
  });

  it("gets through when the second try does", async () => {
    bench.server.answer("GET /x", (res) => res.destroy());
    bench.server.answer("GET /x", 200);
    expect((await http().call(get())).status).toBe(200);
  });

  it("fails as unreachable when nobody answers", async () => {
    const away = http({ "gateway.url": "https://127.0.0.1:1" });
    await expect(away.call(get())).rejects.toSatisfy(code("backend.unreachable"));
  });

  it("does not read more than it may", async () => {
    bench.server.answer("GET /x", (res) => res.writeHead(200).end(Buffer.alloc(65_537)), 3);
    await expect(http().call(get())).rejects.toSatisfy(code("uptane.too_large"));
    bench.server.answer("GET /y", (res) => res.writeHead(200).end(Buffer.alloc(65_536)));
    expect((await http().call(get("/y"))).body).toHaveLength(65_536);
  });

  it("follows redirects as the real client does: 307 keeps method and body, 302 loses both", async () => {
    const write = { method: "PUT", path: "/x", body: Buffer.from("body") } as const;
    redirect("PUT /x", 307, "/y");
    await http().call(write);
    expect(bench.server.bodies("PUT", "/y").map(String)).toEqual(["body"]);
    redirect("PUT /x", 302, "/z");
    await http().call(write);
    expect(bench.server.bodies("GET", "/z").map(String)).toEqual([""]);
  });

  it("follows ten redirects and not eleven, and none that leaves https", async () => {
    redirect("GET /x", 301, "/x", 10);
    bench.server.answer("GET /x", 200);
    expect((await http().call(get())).status).toBe(200);
    redirect("GET /loop", 301, "/loop", 99);
    bench.server.takeLines();
    await expect(http().call(get("/loop"))).rejects.toSatisfy(code("backend.unreachable"));
    // Three tries of one request and ten redirects each.
    expect(bench.server.takeLines()).toHaveLength(33);
    redirect("GET /plain", 301, "http://127.0.0.1:1/", 3);
    await expect(http().call(get("/plain"))).rejects.toSatisfy(code("backend.unreachable"));
  });
});

describe("the server", () => {
  it("is trusted only with a certificate of the CA that came with the credentials", async () => {
    const other = await createServerCa({ commonName: "Another CA", now: new Date() });
    await expect(http({ "root.crt": other.certificatePem }).call(get())).rejects.toSatisfy(code("backend.unreachable"));
    expect(bench.server.takeLines()).toEqual([]);
  });

  it("is trusted only under the name in its certificate", async () => {
    const elsewhere = http({ "gateway.url": bench.server.url.replace("127.0.0.1", "localhost") });
    await expect(elsewhere.call(get())).rejects.toSatisfy(code("backend.unreachable"));
    expect(bench.server.takeLines()).toEqual([]);
  });

  it("sees the device's certificate, without which there is no connection", async () => {
    const stranger = await (await createSoftwareCa()).issue();
    const intruder = http({ "client.pem": stranger.pem, "pkey.pem": stranger.privateKeyPem });
    await expect(intruder.call(get())).rejects.toSatisfy(code("backend.unreachable"));
    expect(bench.server.takeLines()).toEqual([]);
  });
});

describe("credentials that are unusable", () => {
  it.each([
    ["pkey.pem", "not a key"],
    ["client.pem", ""],
    ["gateway.url", "http://127.0.0.1"],
    ["gateway.url", "nonsense"],
  ])("are refused at once: %s %j", (file, text) => {
    expect(() => http({ [file]: text })).toThrow(expect.objectContaining({ code: "start.failed" }));
  });
});

describe("a refused device", () => {
  it("asks for nothing before its registration is accepted, and tells the server's code", async () => {
    const refuse = JSON.stringify({ code: "pending", description: "waits" });
    bench.server.answer("POST /director/ecus", (res) => res.writeHead(403).end(refuse));
    expect(await bench.cycle()).toMatchObject({
      kind: "stopped",
      error: { code: "backend.refused", context: { status: 403, code: "pending" } },
    });
    expect(bench.server.takeLines()).toEqual(["POST /director/ecus"]);
    expect((await bench.cycle()).kind).toBe("idle");
  });

  it("goes on to metadata when only its manifest is refused", async () => {
    bench.server.answer("PUT /director/manifest", 403);
    expect((await bench.cycle()).kind).toBe("idle");
    expect(bench.server.takeLines()).toContain("GET /director/targets.json");
  });

  it("describes itself again after the next start when that was refused, and not before", async () => {
    bench.server.answer("PUT /system_info", 400);
    await bench.cycle();
    await bench.cycle();
    expect(bench.server.bodies("PUT", "/system_info")).toHaveLength(1);
    await bench.restart();
    await bench.cycle();
    expect(bench.server.bodies("PUT", "/system_info")).toHaveLength(2);
    expect(bench.server.bodies("PUT", "/core/installed")).toHaveLength(1);
  });
});

describe("a running device", () => {
  it("polls until it is stopped, says each change once, and is quiet on the wire afterwards", async () => {
    const said: string[] = [];
    const note = (_context: unknown, message: string) => void said.push(message);
    bench.server.answer("POST /director/ecus", 403, 2);
    const handle = startSimulatedDevice({
      files: bench.server.files,
      stateDir: bench.stateDir,
      hardwareId: "rpi4",
      intervalSeconds: 0.01,
      retryDelayMs: 1,
      clock: () => NOW,
      log: { info: note, warn: note },
    });
    await until(() => bench.server.bodies("PUT", "/director/manifest").length >= 3);
    await handle.stop();
    await handle.finished;
    const requests = bench.server.requests.length;
    expect(said).toEqual(["The ECU registration was refused.", "registered its ECUs", "polling again"]);
    await http().call(get("/after"));
    expect(bench.server.requests).toHaveLength(requests + 1);
  });

  it("stops at once in the middle of an installation", async () => {
    const { primary } = bench.device;
    bench.server.repository.publish("app_1.0", { content: Buffer.from("one"), hardwareIds: ["rpi4"] });
    bench.server.repository.assign({ filename: "app_1.0", ecus: { [primary.serial]: "rpi4" } });
    const log = { info: () => undefined, warn: () => undefined };
    const { files } = bench.server;
    const { stateDir } = bench;
    const handle = startSimulatedDevice({
      files,
      stateDir,
      hardwareId: "rpi4",
      installSeconds: 600,
      clock: () => NOW,
      log,
    });
    await until(() => bench.server.bodies("POST", "/events").length >= 3);
    await handle.stop();
    await bench.restart();
    expect(bench.device.store.state.installed).toEqual({});
  });

  it("survives credentials and disks that make no sense, saying so, until it is stopped", async () => {
    const said: string[] = [];
    const note = (context: Readonly<Record<string, unknown>>) => void said.push(String(context.code));
    const handle = startSimulatedDevice({
      files: { ...bench.server.files, "gateway.url": "" },
      stateDir: bench.stateDir,
      hardwareId: "rpi4",
      intervalSeconds: 0.01,
      log: { info: note, warn: note },
    });
    await until(() => said.length > 0);
    await handle.stop();
    expect(said).toEqual(["start.failed"]);
  });
});
