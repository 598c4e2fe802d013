import { once } from "node:events";
import type { TLSSocket } from "node:tls";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { revokeCertificate } from "#services/identity/service.ts";
import { createTestDatabase, type TestDatabase } from "#tests/harness/database.ts";
import type { TestDoor } from "#tests/harness/door.ts";
import { actorOf, type IdentityWorld, identityWorld } from "#tests/harness/identity.ts";
import {
  AUTH,
  MENDER_NAME,
  type MenderDevice,
  newMenderDevice,
  openMenderTestDoor,
  signedRequest,
} from "#tests/harness/mender/door.ts";
import { type MenderDouble, startMenderDouble } from "#tests/harness/mender/server.ts";

let database: TestDatabase;
let world: IdentityWorld;
let double: MenderDouble;
let door: TestDoor;

beforeAll(async () => {
  database = await createTestDatabase();
  world = identityWorld(database.url);
  double = await startMenderDouble();
  door = await openMenderTestDoor({ world, databaseUrl: database.url, upstreamUrl: double.url, double });
});
afterAll(async () => {
  await door.close();
  await double.close();
  await world.ctx.db.$disconnect();
  await database.drop();
});

const authenticate = (device: MenderDevice) =>
  door.request(device, { method: "POST", path: AUTH, ...signedRequest(device) });

async function tokenOf(device: MenderDevice): Promise<string> {
  const reply = await authenticate(device);
  expect(reply.status).toBe(200);
  return reply.body.toString();
}

describe("deviceconnect", () => {
  async function open(device: MenderDevice, authorization: string): Promise<{ socket: TLSSocket; said: string }> {
    const socket = await door.connect(device, { servername: MENDER_NAME, checkServerIdentity: () => undefined });
    socket.on("error", () => undefined);
    socket.write(
      `GET /api/devices/v1/deviceconnect/connect HTTP/1.1\r\nHost: ${MENDER_NAME}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
        `Authorization: ${authorization}\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n`,
    );
    const [reply] = (await once(socket, "data")) as [Buffer]; // the event carries one chunk
    return { socket, said: reply.toString() };
  }

  it("joins the device with the server, and a revocation cuts both ends", async () => {
    const device = await newMenderDevice(world);
    const { socket, said } = await open(device, `Bearer ${await tokenOf(device)}`);
    expect(said).toMatch(/^HTTP\/1\.1 101 /);
    expect(said).toContain("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    socket.write("a frame");
    const [echo] = (await once(socket, "data")) as [Buffer]; // the event carries one chunk
    expect(echo.toString()).toBe("a frame");
    const closed = once(socket, "close");
    await revokeCertificate(world.ctx, actorOf("admin"), { fingerprint: device.fingerprint });
    await closed;
    await expect.poll(() => double.openSockets()).toBe(0);
  });

  it("is refused to whoever is not admitted, and by the server to whoever it does not know", async () => {
    const device = await newMenderDevice(world);
    expect((await open(device, "Bearer nobody")).said).toMatch(/^HTTP\/1\.1 401 /);
    await revokeCertificate(world.ctx, actorOf("admin"), { fingerprint: device.fingerprint });
    await expect.poll(async () => (await authenticate(device)).code, { timeout: 1_000 }).toBe("revoked");
    double.requests.length = 0;
    const { said } = await open(device, "Bearer nobody");
    expect(said).toMatch(/^HTTP\/1\.1 401 [\s\S]*X-Gatehouse-Code: revoked/);
    expect(double.requests).toEqual([]);
  });
});
