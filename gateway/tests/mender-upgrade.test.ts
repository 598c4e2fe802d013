import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { Readable } from "node:stream";
import type { TLSSocket } from "node:tls";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { revokeCertificate } from "#services/identity/service.ts";
import type { TestDoor } from "#tests/harness/door.ts";
import { actorOf, type IdentityWorld } from "#tests/harness/identity.ts";
import {
  authenticate,
  MENDER_NAME,
  type MenderDevice,
  type MenderSite,
  newMenderDevice,
  openMenderSite,
} from "#tests/harness/mender/door.ts";
import type { MenderDouble } from "#tests/harness/mender/server.ts";

let site: MenderSite;
let world: IdentityWorld;
let double: MenderDouble;
let door: TestDoor;

beforeAll(async () => {
  site = await openMenderSite();
  ({ world, double, door } = site);
});
afterAll(() => site.close());

async function tokenOf(device: MenderDevice): Promise<string> {
  const reply = await authenticate(door, device);
  expect(reply.status).toBe(200);
  return reply.body.toString();
}

const closeOf = (socket: TLSSocket) => new Promise<void>((done) => socket.once("close", () => done()));

const openConnections = () => Number(/^gatehouse_door_connections (\d+)$/m.exec(door.metrics.render())?.[1]);

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

  const BIG = 64 * 1_048_576;
  const PIECE = 65_536;

  it("takes no more than the device reads, passes big frames whole, and is cut within a second in the middle of them", async () => {
    const device = await newMenderDevice(world);
    const { socket } = await open(device, `Bearer ${await tokenOf(device)}`);
    const frame = randomBytes(BIG);
    socket.pause();
    let taken = 0;
    async function* pieces() {
      for (; taken < BIG; taken += PIECE) yield frame.subarray(taken, taken + PIECE);
    }
    Readable.from(pieces()).pipe(socket, { end: false });
    let before = -1;
    const isStill = () => {
      const still = taken > 0 && taken === before;
      before = taken;
      return still;
    };
    await expect.poll(isStill, { timeout: 10_000, interval: 200 }).toBe(true);
    // What came back is not read here, so the server and the door wait, and most of the frame is with the device still.
    expect(taken).toBeLessThan(BIG / 2);
    const digest = createHash("sha256");
    let received = 0;
    socket.on("data", (chunk: Buffer) => {
      received += chunk.length;
      digest.update(chunk);
    });
    socket.resume();
    await expect.poll(() => received, { timeout: 20_000 }).toBe(BIG);
    expect(digest.digest("hex")).toBe(createHash("sha256").update(frame).digest("hex"));

    socket.pause();
    socket.write(frame);
    const closed = closeOf(socket);
    await revokeCertificate(world.ctx, actorOf("admin"), { fingerprint: device.fingerprint });
    const revokedAt = performance.now();
    await expect.poll(() => double.openSockets(), { timeout: 5_000, interval: 10 }).toBe(0);
    expect(performance.now() - revokedAt).toBeLessThan(1_000);
    socket.resume();
    await closed;
  }, 60_000);

  it("delivers the server's last bytes when that closes, and is over then, or when a device does not take them", async () => {
    const device = await newMenderDevice(world);
    const authorization = `Bearer ${await tokenOf(device)}`;
    double.state.knobs.lastWords = randomBytes(BIG / 4);
    const { socket } = await open(device, authorization);
    const said: Buffer[] = [];
    socket.on("data", (chunk: Buffer) => said.push(chunk));
    socket.write("go on");
    await closeOf(socket);
    expect(Buffer.concat(said).equals(double.state.knobs.lastWords)).toBe(true);

    double.state.knobs.lastWords = Buffer.from("the last frame");
    const { socket: deaf } = await open(device, authorization);
    deaf.pause();
    const opened = openConnections();
    deaf.write("go on");
    await expect.poll(openConnections, { timeout: 10_000 }).toBe(opened - 1);
    deaf.destroy();
    double.state.knobs.lastWords = null;
  }, 30_000);

  it("is refused to whoever is not admitted, and by the server to whoever it does not know", async () => {
    const device = await newMenderDevice(world);
    expect((await open(device, "Bearer nobody")).said).toMatch(/^HTTP\/1\.1 401 /);
    await revokeCertificate(world.ctx, actorOf("admin"), { fingerprint: device.fingerprint });
    await expect.poll(async () => (await authenticate(door, device)).code, { timeout: 1_000 }).toBe("revoked");
    double.requests.length = 0;
    const { said } = await open(device, "Bearer nobody");
    expect(said).toMatch(/^HTTP\/1\.1 401 [\s\S]*X-Gatehouse-Code: revoked/);
    expect(double.requests).toEqual([]);
  });
});
