import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { TestDoor } from "#tests/harness/door.ts";
import type { IdentityWorld } from "#tests/harness/identity.ts";
import {
  AUTH,
  authenticate,
  MENDER_NAME,
  type MenderDevice,
  type MenderSite,
  newMenderDevice,
  openMenderSite,
} from "#tests/harness/mender/door.ts";
import type { MenderDouble } from "#tests/harness/mender/server.ts";

const DEPLOYMENTS = "/api/devices/v1/deployments/device/deployments";
const ID = "d50eda0d-2cea-4de1-8d42-9cd3e7e86701";
let site: MenderSite;
let world: IdentityWorld;
let double: MenderDouble;
let door: TestDoor;
let device: MenderDevice;
let authorization: string;

beforeAll(async () => {
  site = await openMenderSite();
  ({ world, double, door } = site);
  device = await newMenderDevice(world);
  authorization = `Bearer ${(await authenticate(door, device)).body.toString()}`;
});
beforeEach(() => {
  double.scripted.clear();
  double.requests.length = 0;
});
afterAll(() => site.close());

describe("what the server says, the device hears", () => {
  const json = (text: string) => ({ headers: { "content-type": "application/json" }, body: Buffer.from(text) });
  const error = json('{"error":"as it was said","request_id":"r"}');
  const answers = [
    { status: 200, headers: { "content-type": "application/json", "content-encoding": "gzip" }, body: gzipSync("{}") },
    { status: 204 },
    { status: 206, headers: { "content-range": "bytes 1-2/3" }, body: Buffer.from("bc") },
    { status: 302, headers: { location: "https://elsewhere.example.com/x" } },
    { status: 400, ...error },
    { status: 401 },
    { status: 401, ...error },
    { status: 403 },
    { status: 404, ...error },
    { status: 405, ...error },
    { status: 409, ...error },
    { status: 413, ...error },
    { status: 415, ...error },
    { status: 429, headers: { "retry-after": "17", "x-men-requestid": "its-own" } },
    { status: 500, ...error },
    { status: 503, ...error },
  ];
  for (const { status, headers, body = Buffer.alloc(0) } of answers) {
    it(`${status}${body.length === 0 ? ", without a body" : ""}`, async () => {
      const script = { status, body, ...(headers === undefined ? {} : { headers }) };
      const asked = [
        { line: `POST ${DEPLOYMENTS}/next`, send: () => next("POST", `${DEPLOYMENTS}/next`) },
        { line: `POST ${AUTH}`, send: () => authenticate(door, device) },
      ];
      for (const { line, send } of asked) {
        double.scripted.set(line, script);
        const reply = await send();
        expect([line, reply.status, reply.code]).toEqual([line, status, undefined]);
        expect(reply.headers).toMatchObject(headers ?? {});
        expect(reply.body.equals(body)).toBe(true);
      }
    });
  }
});

const next = (method: string, path: string) =>
  door.request(device, { method, path, headers: { authorization, "content-type": "application/json" }, body: "{}" });

describe("each call of the device API", () => {
  const calls: readonly [method: string, path: string, body: string | null, status: number][] = [
    ["PUT", "/api/devices/v1/inventory/device/attributes", '[{"name":"a","value":1}]', 200],
    ["PATCH", "/api/devices/v1/inventory/device/attributes", '[{"name":"a","value":["b"]}]', 200],
    ["PUT", "/api/devices/v1/inventory/device/attributes", JSON.stringify(Array(101).fill({ name: "a" })), 400],
    ["POST", "/api/devices/v2/deployments/device/deployments/next", "{}", 404],
    ["POST", `${DEPLOYMENTS}/next`, "{}", 204],
    ["GET", `${DEPLOYMENTS}/next?artifact_name=a&device_type=b`, null, 204],
    ["PUT", `${DEPLOYMENTS}/${ID}/status`, '{"status":"downloading"}', 404],
    ["PUT", `${DEPLOYMENTS}/${ID}/status`, '{"status":"nonsense"}', 400],
    ["PUT", `${DEPLOYMENTS}/aborted/status`, '{"status":"installing"}', 409],
    ["PUT", `${DEPLOYMENTS}/${ID}/log`, '{"messages":[{"level":"info"}]}', 204],
    ["PUT", `${DEPLOYMENTS}/${ID}/log`, '{"messages":[]}', 400],
    ["GET", `/api/devices/v2/deployments/device/deployments/${ID}/update_control_map`, null, 404],
    ["GET", "/api/devices/v1/deviceconfig/configuration", null, 200],
    ["PUT", "/api/devices/v1/deviceconfig/configuration", "{}", 204],
  ];
  it("reaches the server with its exact path and body", async () => {
    double.deployments.aborted.add("aborted");
    for (const [method, path, body, status] of calls) {
      double.requests.length = 0;
      const headers = { authorization, ...(body === null ? {} : { "content-type": "application/json" }) };
      const reply = await door.request(device, { method, path, headers, ...(body === null ? {} : { body }) });
      expect([method, path, reply.status, reply.code]).toEqual([method, path, status, undefined]);
      expect(double.requests.map(({ url, body: seen }) => [url, seen.toString()])).toEqual([[path, body ?? ""]]);
    }
  });

  it("for a signed download needs no token, and the server judges its signature", async () => {
    const path = `/api/devices/v1/deployments/download/configuration/${ID}/board/${device.uuid}`;
    const until = encodeURIComponent(new Date(Date.now() + 900_000).toISOString());
    const right = await door.request(device, { path: `${path}?x-men-expire=${until}&x-men-signature=right` });
    expect(right).toMatchObject({ status: 200, headers: { "content-length": "4096" } });
    const wrong = await door.request(device, { path: `${path}?x-men-expire=${until}&x-men-signature=wrong` });
    expect(wrong).toMatchObject({ status: 403, code: undefined });
  });
});

describe("the link of a deployment", () => {
  const bodyWith = (uri: string) =>
    // As Go prints it, with blanks that nobody would print again.
    `{"id": "${ID}",  "artifact": {"artifact_name":"${uri.replaceAll("&", "\\u0026")}", "source":{"uri":"${uri.replaceAll("&", "\\u0026")}"}}}\n`;
  const CONFIGURATION = "/api/devices/v1/deployments/download/configuration/a/b/c?x-men-expire=e&x-men-signature=s";

  async function linkFor(uri: string): Promise<{ body: string; sent: string }> {
    const sent = bodyWith(uri);
    const headers = { "content-type": "application/json", "content-length": Buffer.byteLength(sent) };
    double.scripted.set(`POST ${DEPLOYMENTS}/next`, { status: 200, headers, body: Buffer.from(sent) });
    const reply = await next("POST", `${DEPLOYMENTS}/next`);
    expect(reply).toMatchObject({ status: 200, headers: { "content-length": String(reply.body.length) } });
    return { body: reply.body.toString(), sent };
  }

  it("into the server's device API leads through this door, and all else of the answer stays", async () => {
    const { body, sent } = await linkFor(`${double.url}${CONFIGURATION}`);
    const { uri } = JSON.parse(body).artifact.source;
    expect(uri).toBe(`https://${MENDER_NAME}${CONFIGURATION}`);
    expect(body.replaceAll(JSON.stringify(uri), JSON.stringify(`${double.url}${CONFIGURATION}`))).toBe(
      sent.replaceAll("\\u0026", "&"),
    );
    expect(double.requests.at(-1)?.headers).not.toHaveProperty("accept-encoding");
  });

  it.each([
    "https://storage.example.com/artifacts/x?X-Amz-Signature=a&b=c",
    "SERVER/artifacts/x",
    "SERVER/api/management/v1/x",
    "SERVER/api/devices/v1/..%2f..%2fmanagement",
    "no link",
  ])("to anywhere else (%s) is left as it is", async (uri) => {
    const { body, sent } = await linkFor(uri.replace("SERVER", double.url));
    expect(body).toBe(sent);
  });
});
