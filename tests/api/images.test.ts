import { createHash, randomBytes } from "node:crypto";
import { connect, type Socket } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { SYSTEM } from "#lib/authz/actor.ts";
import { ListAudit } from "#lib/contracts/console/audit.ts";
import { requestCtx } from "#lib/data/context.ts";
import { relayRequest } from "#lib/http/proxy-route.ts";
import { plainRoute } from "#lib/http/route.ts";
import { listAudit } from "#services/audit/service.ts";
import { at } from "#tests/harness/api.ts";
import { loadApiRoutes } from "#tests/harness/api-routes.ts";
import { startTestConsole, type TestConsole } from "#tests/harness/console.ts";
import { serveRoutes } from "#tests/harness/console-http.ts";
import { startTestServices } from "#tests/harness/console-services.ts";

let test: TestConsole;
let stopServices: () => Promise<void>;
let server: Awaited<ReturnType<typeof serveRoutes>>;

beforeAll(async () => {
  test = await startTestConsole();
  stopServices = await startTestServices(test);
  const routes = await loadApiRoutes();
  const relay = plainRoute(relayRequest);
  server = await serveRoutes(test, (method, pathname) => {
    if (pathname.startsWith("/api/proxy/")) return relay;
    const path = pathname.startsWith("/api/v1/images/") ? "/api/v1/images/{filename}" : pathname;
    return routes.find((route) => route.path === path)?.handlers[method];
  });
});
afterAll(async () => {
  await server.close();
  await stopServices();
  await test.drop();
});

const headers = () => ({ authorization: `Bearer ${test.tokens.operator}` });
const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");
const FIELDS = { name: "fw", hardwareIds: "rpi4, rpi3" };

async function upload(
  fields: Record<string, string>,
  file: Uint8Array<ArrayBuffer>,
  after: Record<string, string> = {},
): Promise<{ status: number; body: unknown }> {
  const form = new FormData();
  for (const [name, value] of Object.entries(fields)) form.set(name, value);
  form.set("file", new Blob([file]), "image.bin");
  for (const [name, value] of Object.entries(after)) form.set(name, value);
  return send("POST", "/api/v1/images", form);
}

async function send(
  method: string,
  path: string,
  body: BodyInit | null = null,
): Promise<{ status: number; body: unknown }> {
  const res = await fetch(`${server.url}${path}`, { method, headers: headers(), body });
  return { status: res.status, body: await res.json() };
}

async function exists(filename: string): Promise<boolean> {
  return (await send("GET", `/api/v1/images/${filename}`)).status === 200;
}

async function outcomes(action: string, target: string): Promise<unknown[]> {
  const query = ListAudit.parse({ limit: 200, action });
  const { data } = await listAudit(requestCtx(test.console, "test"), SYSTEM, query);
  return data.filter((entry) => entry.target.id === target).map(({ outcome }) => outcome);
}

describe("an upload", () => {
  it("becomes an image that was verified, and comes back byte for byte", async () => {
    const bytes = new Uint8Array(randomBytes(3_000_000));
    const made = await upload({ ...FIELDS, version: "1", sha256: sha256(bytes) }, bytes);
    expect(made).toMatchObject({
      status: 201,
      body: { filename: "fw_1", hardwareIds: ["rpi4", "rpi3"], length: bytes.length, sha256: sha256(bytes) },
    });
    expect(at(made.body, "verification.state")).toBe("verified");
    const path = "/api/proxy/reposerver/api/v1/user_repo/targets/fw_1";
    const back = await fetch(`${server.url}${path}`, { headers: headers() });
    expect(back.headers.get("content-length")).toBe(String(bytes.length));
    expect(sha256(new Uint8Array(await back.arrayBuffer()))).toBe(sha256(bytes));
    const part = await fetch(`${server.url}${path}`, { headers: { ...headers(), range: "bytes=10-19" } });
    expect([part.status, part.headers.get("content-range"), part.headers.get("content-length")]).toEqual([
      206,
      `bytes 10-19/${bytes.length}`,
      "10",
    ]);
    expect(await outcomes("image.upload", "fw_1")).toEqual(["done", "requested"]);
  });

  it("takes a name once, also for the same bytes, and says so while the caller still sends", async () => {
    const bytes = new Uint8Array(randomBytes(20_000_000));
    expect((await upload({ ...FIELDS, version: "2" }, bytes)).status).toBe(201);
    expect(await upload({ ...FIELDS, version: "2" }, bytes)).toMatchObject({
      status: 409,
      body: { code: "image.exists" },
    });
  });

  it("with another digest than announced leaves nothing", async () => {
    const refused = await upload({ ...FIELDS, version: "3", sha256: "a".repeat(64) }, new Uint8Array(2_000_000));
    expect(refused).toMatchObject({ status: 400, body: { code: "request.invalid" } });
    expect(at(refused.body, "errors.0.path")).toBe("sha256");
    expect(await exists("fw_3")).toBe(false);
    expect(await outcomes("image.upload", "fw_3")).toEqual(["refused", "requested"]);
  });

  it("with a field behind the file leaves nothing", async () => {
    const refused = await upload({ ...FIELDS, version: "4" }, new Uint8Array(100_000), { sha256: "a".repeat(64) });
    expect(refused.status).toBe(400);
    expect(await exists("fw_4")).toBe(false);
  });

  it("that breaks off leaves nothing, in the file or before the form's end", async () => {
    const head = Object.entries({ ...FIELDS, version: "5" })
      .map(([name, value]) => `--b\r\ncontent-disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`)
      .join("");
    const file = `--b\r\ncontent-disposition: form-data; name="file"; filename="f"\r\n\r\n${"x".repeat(10_000)}`;
    for (const [times, body] of [head + file, `${head}${file}\r\n--b\r\n`].entries()) {
      const socket = await sendRaw(
        `POST /api/v1/images HTTP/1.1\r\nHost: x\r\nAuthorization: ${headers().authorization}\r\nContent-Type: multipart/form-data; boundary=b\r\nContent-Length: ${body.length + 100}\r\n\r\n${body}`,
      );
      await expect.poll(() => outcomes("image.upload", "fw_5")).toHaveLength(2 * times + 1);
      socket.destroy();
      await expect.poll(() => outcomes("image.upload", "fw_5")).toHaveLength(2 * (times + 1));
      expect((await outcomes("image.upload", "fw_5"))[0]).not.toBe("done");
      expect(await exists("fw_5")).toBe(false);
    }
  });

  it("whose form ends without its last boundary leaves nothing", async () => {
    const body = Object.entries({ ...FIELDS, version: "6" })
      .map(([name, value]) => `--b\r\ncontent-disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`)
      .join("")
      .concat(`--b\r\ncontent-disposition: form-data; name="file"; filename="f"\r\n\r\nxxxx`);
    const res = await fetch(`${server.url}/api/v1/images`, {
      method: "POST",
      headers: { ...headers(), "content-type": "multipart/form-data; boundary=b" },
      body,
    });
    expect(res.status).toBe(400);
    expect(await exists("fw_6")).toBe(false);
  });

  it.each<[string, Record<string, string>]>([
    ["no fields", {}],
    ["no version", FIELDS],
    ["a field nobody knows", { ...FIELDS, version: "7", colour: "red" }],
    ["a name that devices print differently", { ...FIELDS, version: "7ü" }],
    ["a path for a name", { ...FIELDS, name: "../fw", version: "7" }],
    ["no hardware", { ...FIELDS, version: "7", hardwareIds: " , " }],
    ["a digest that is none", { ...FIELDS, version: "7", sha256: "ABC" }],
    ["a field of a megabyte", { ...FIELDS, version: "7", name: "a".repeat(1_000_000) }],
  ])("with %s is refused", async (_what, fields) => {
    expect(await upload(fields, new Uint8Array(1_000))).toMatchObject({
      status: 400,
      body: { code: "request.invalid" },
    });
  });

  it("that is no form is refused", async () => {
    const post = (body: BodyInit, type: string) =>
      fetch(`${server.url}/api/v1/images`, { method: "POST", headers: { ...headers(), "content-type": type }, body });
    expect((await post("{}", "application/json")).status).toBe(415);
    expect((await post("x", "multipart/form-data")).status).toBe(415);
    expect((await post("x", "multipart/form-data; boundary=b")).status).toBe(400);
  });

  it("without bytes is refused", async () => {
    expect(await upload({ ...FIELDS, version: "8" }, new Uint8Array(0))).toMatchObject({ status: 400 });
  });
});

describe("an image", () => {
  it("is deleted with its audit entries, and then not there", async () => {
    await upload({ ...FIELDS, version: "9" }, new Uint8Array(randomBytes(100)));
    expect((await send("DELETE", "/api/v1/images/fw_9")).status).toBe(200);
    expect(await send("DELETE", "/api/v1/images/fw_9")).toMatchObject({
      status: 404,
      body: { code: "image.not_found" },
    });
    expect(await outcomes("image.delete", "fw_9")).toEqual(["done", "requested"]);
  });
});

describe("the proxy", () => {
  it("relays a back end's refusal as it is, and keeps what came of a change", async () => {
    const path = "/api/proxy/director/api/v1/assignments/";
    const res = await fetch(`${server.url}${path}not-a-uuid`, { method: "DELETE", headers: headers() });
    const body: unknown = await res.json();
    expect(res.status).toBeGreaterThanOrEqual(400);
    expect(res.status).toBeLessThan(500);
    expect(Object.keys(Object(body))).toContain("description");
    expect((await outcomes("backend.call", "director"))[0]).toBe("refused");
  });

  it("never lets a caller choose the environment or be somebody else", async () => {
    const res = await fetch(`${server.url}/api/proxy/device-registry/api/v1/devices`, {
      headers: { ...headers(), "x-ats-namespace": "other", "x-request-id": "mine", "x-ats-device-uuid": "x" },
    });
    expect(res.status).toBe(200);
    expect(res.headers.get("set-cookie")).toBeNull();
    expect(at(await res.json(), "total")).toBe(0);
  });

  it("bounds what it relays", async () => {
    const res = await fetch(`${server.url}/api/proxy/director/api/v1/multi_target_updates`, {
      method: "POST",
      headers: { ...headers(), "content-type": "application/json" },
      body: new Uint8Array(5_000_000),
    });
    expect(res.status).toBe(413);
  });

  it("deletes a device together with its admission", async () => {
    const admin = { authorization: `Bearer ${test.tokens.admin}`, "content-type": "application/json" };
    const issued = await fetch(`${server.url}/api/v1/devices/issue`, {
      method: "POST",
      headers: admin,
      body: JSON.stringify({ name: "doomed", hardwareId: "rpi4" }),
    });
    const bundle: unknown = await issued.json();
    const uuid = String(at(bundle, "uuid"));
    const deleted = await fetch(`${server.url}/api/proxy/device-registry/api/v1/devices/${uuid}`, {
      method: "DELETE",
      headers: admin,
    });
    expect(deleted.status).toBe(202);
    const row = await test.console.db.deviceCertificate.findFirstOrThrow({ where: { deviceUuid: uuid } });
    expect(row.state).toBe("revoked");
  });
});

function sendRaw(text: string): Promise<Socket> {
  const socket = connect(Number(new URL(server.url).port), "127.0.0.1");
  return new Promise((resolve, reject) => {
    socket.on("error", reject);
    socket.write(text, () => resolve(socket));
  });
}
