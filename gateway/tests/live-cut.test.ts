import { once } from "node:events";
import type { TLSSocket } from "node:tls";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { ADMISSION_CHANNEL, notify } from "#lib/db/events.ts";
import { approveCertificate, deleteDevice, revokeCertificate } from "#services/identity/service.ts";
import type { Credentials, RecordingUpstream, TestDoor } from "#tests/harness/door.ts";
import { type DoorSite, openDoorSite } from "#tests/harness/door-site.ts";
import { eventually } from "#tests/harness/eventually.ts";
import { actorOf, type IdentityWorld } from "#tests/harness/identity.ts";
import { addAuthority } from "#tests/pki/authority.ts";
import { createSoftwareCa } from "#tests/pki/software-ca.ts";

const admin = actorOf("admin");
/** The promise of the product; measured from the end of the decision's call. */
const WITHIN_MS = 1_000;
let site: DoorSite;
let world: IdentityWorld;
let upstream: RecordingUpstream;
let door: TestDoor;
let second: TestDoor;

beforeAll(async () => {
  site = await openDoorSite();
  ({ world, upstream } = site);
  door = await site.openDoor();
  second = await site.openDoor();
});
beforeEach(() => {
  upstream.answer = (_req, res) => res.writeHead(200).end("{}");
});
afterAll(() => site.close());

/** A connection that has had a reply and stays open. */
async function keptOpen(at: TestDoor, device: Credentials): Promise<TLSSocket> {
  const socket = await at.connect(device);
  socket.on("error", () => undefined);
  socket.write("GET /director/targets.json HTTP/1.1\r\nHost: x\r\n\r\n");
  const [reply] = (await once(socket, "data")) as [Buffer]; // the event carries one chunk
  expect(reply.toString()).toContain("HTTP/1.1 200");
  socket.resume();
  return socket;
}

/** A download that has begun and goes on for ever. */
async function downloading(at: TestDoor, device: Credentials): Promise<TLSSocket> {
  upstream.answer = (_req, res) => {
    res.writeHead(200, { "content-length": 1_000_000_000 });
    const more = setInterval(() => res.write(Buffer.alloc(1_000)), 10);
    res.on("close", () => clearInterval(more));
  };
  const socket = await at.connect(device);
  socket.on("error", () => undefined);
  socket.write("GET /repo/targets/fw_1.0 HTTP/1.1\r\nHost: x\r\n\r\n");
  await once(socket, "data");
  socket.resume();
  return socket;
}

async function expectClosed(socket: TLSSocket): Promise<void> {
  if (socket.closed) return;
  const started = performance.now();
  await Promise.race([once(socket, "close"), new Promise((done) => setTimeout(done, 5 * WITHIN_MS))]);
  expect(performance.now() - started).toBeLessThan(WITHIN_MS);
}

describe("revoking", () => {
  it("cuts kept-open connections and downloads at every gateway within a second, and refuses new ones", async () => {
    const device = await site.newDevice();
    const sockets = await Promise.all([keptOpen(door, device), keptOpen(second, device)]);
    sockets.push(await downloading(door, device), await downloading(second, device));
    await revokeCertificate(world.ctx, admin, { fingerprint: device.fingerprint, reason: "keyCompromise" });
    await Promise.all(sockets.map(expectClosed));
    for (const at of [door, second]) expect(await at.request(device)).toMatchObject({ status: 403, code: "revoked" });
  });

  it("leaves other devices' connections alone", async () => {
    const [revoked, other] = [await site.newDevice(), await site.newDevice()];
    const kept = await keptOpen(door, other);
    const cut = await keptOpen(door, revoked);
    await revokeCertificate(world.ctx, admin, { fingerprint: revoked.fingerprint });
    await expectClosed(cut);
    kept.write("GET /director/targets.json HTTP/1.1\r\nHost: x\r\n\r\n");
    const [reply] = (await once(kept, "data")) as [Buffer]; // the event carries one chunk
    expect(reply.toString()).toContain("HTTP/1.1 200");
    kept.destroy();
  });

  it("holds for requests that race with it: within a second it is refused, and none is admitted after that", async () => {
    const device = await site.newDevice();
    let stop = false;
    const hammer = Promise.all(
      Array.from({ length: 4 }, async () => {
        while (!stop) await door.request(device).catch(() => undefined);
      }),
    );
    await revokeCertificate(world.ctx, admin, { fingerprint: device.fingerprint });
    await eventually(async () => expect((await door.request(device)).code).toBe("revoked"), WITHIN_MS);
    const replies = await Promise.all(Array.from({ length: 10 }, () => door.request(device)));
    stop = true;
    await hammer;
    expect(new Set(replies.map(({ code }) => code))).toEqual(new Set(["revoked"]));
  });
});

it("deleting a device cuts it off", async () => {
  const device = await site.newDevice();
  const socket = await downloading(door, device);
  await deleteDevice(world.ctx, admin, device.uuid);
  await expectClosed(socket);
  expect(await door.request(device)).toMatchObject({ status: 403, code: "revoked" });
});

it("an approval reaches a gateway that remembers the certificate as waiting", async () => {
  const ca = await createSoftwareCa();
  await addAuthority(world.ctx, ca.certificate);
  const leaf = await ca.issue();
  for (const at of [door, second]) {
    await eventually(async () => expect(await at.request(leaf)).toMatchObject({ code: "pending" }), WITHIN_MS);
  }
  const decided = performance.now();
  await approveCertificate(world.ctx, admin, { fingerprint: leaf.certificate.fingerprint });
  for (const at of [door, second]) {
    while ((await at.request(leaf)).status !== 200) expect(performance.now() - decided).toBeLessThan(3 * WITHIN_MS);
  }
});

it("closing an authority for good cuts every device of it", async () => {
  const ca = await createSoftwareCa({ commonName: "Doomed CA" });
  const id = await addAuthority(world.ctx, ca.certificate);
  const leaf = await ca.issue();
  await door.request(leaf);
  await approveCertificate(world.ctx, admin, { fingerprint: leaf.certificate.fingerprint });
  const socket = await keptOpen(door, leaf);
  await world.ctx.db.authority.update({ where: { id }, data: { state: "revoked" } });
  await notify(world.ctx.db, ADMISSION_CHANNEL, "*");
  await expectClosed(socket);
  expect(await door.request(leaf)).toMatchObject({ status: 403, code: "authority_revoked" });
});
