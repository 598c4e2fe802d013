import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { SYSTEM } from "#lib/authz/actor.ts";
import { listAudit } from "#services/audit/service.ts";
import { listDevices } from "#services/fleet/service.ts";
import { revokeCertificate } from "#services/identity/service.ts";
import type { MenderCtx } from "#services/mender/ctx.ts";
import {
  getMender,
  getMenderDevice,
  listMenderLog,
  preauthorize,
  rejectRevoked,
  syncMender,
} from "#services/mender/service.ts";
import { createTestDatabase, type TestDatabase } from "#tests/harness/database.ts";
import { actorOf, expectRefusal, type IdentityWorld, identityWorld } from "#tests/harness/identity.ts";
import { type MenderDevice, newMenderDevice } from "#tests/harness/mender/door.ts";
import { type MenderDouble, startMenderDouble } from "#tests/harness/mender/server.ts";
import { normalisePem } from "#tests/harness/mender/state.ts";
import { keyOf, menderCtx, newMenderKey, provenRequest } from "#tests/harness/mender/world.ts";

let database: TestDatabase;
let double: MenderDouble;
let world: IdentityWorld;
let ctx: MenderCtx;

beforeAll(async () => {
  database = await createTestDatabase();
});
beforeEach(async () => {
  await ctx?.db.$disconnect();
  await world?.ctx.db.$disconnect();
  await double?.close();
  double = await startMenderDouble();
  world = identityWorld(database.url);
  ctx = menderCtx(database.url, double, { clock: world.clock, like: world.ctx });
});
afterAll(async () => {
  await Promise.all([ctx.db.$disconnect(), world.ctx.db.$disconnect()]);
  await double.close();
  await database.drop();
});

/** A device that came through the door with its own key, and is accepted at the server. */
async function acceptedDevice(): Promise<{ device: MenderDevice; request: ReturnType<typeof provenRequest> }> {
  const device = await newMenderDevice(world);
  const { uuid: deviceUuid, fingerprint } = device;
  const request = provenRequest({ mac: deviceUuid, key: keyOf(device.privateKeyPem), deviceUuid, fingerprint });
  await preauthorize(ctx, request);
  double.state.authenticate(request.identity, normalisePem(request.pubkeyPem)?.pem ?? "");
  await preauthorize(ctx, request); // learns the id that the server gave it
  return { device, request };
}

/** Another certificate of the device with the same key, as a renewal makes it. */
const sameKeyAgain = async (device: MenderDevice) => (await cloneCertificate(device, {})).fingerprint;
const sameDeviceAnotherKey = (device: MenderDevice) => cloneCertificate(device, { spkiSha256: newMenderKey().digest });

async function cloneCertificate(device: MenderDevice, data: { spkiSha256?: string }): Promise<{ fingerprint: string }> {
  const { namespaceId } = ctx;
  const { db } = world.ctx;
  const where = { namespaceId_fingerprint: { namespaceId, fingerprint: device.fingerprint } };
  const row = await db.deviceCertificate.findUniqueOrThrow({ where });
  // One of a device is allowed without an end to it.
  if (row.state === "allowed") {
    await db.deviceCertificate.update({ where, data: { graceUntil: new Date(Date.now() + 86_400_000) } });
  }
  const fingerprint = newMenderKey().digest;
  await db.deviceCertificate.create({
    data: {
      ...row,
      ...data,
      fingerprint,
      tbsSha256: fingerprint,
      serialHex: fingerprint.slice(0, 20),
      state: "allowed",
    },
  });
  return { fingerprint };
}

const revoke = (device: MenderDevice) =>
  revokeCertificate(world.ctx, actorOf("admin"), { fingerprint: device.fingerprint });
const statesOf = (device: MenderDevice) =>
  double.state.find({ mac: device.uuid })?.authSets.map(({ status }) => status);
const fleet = async () => (await listDevices(ctx, SYSTEM, { limit: 200, sort: "name" })).data;

async function sync(): Promise<boolean> {
  world.clock.advance(61_000);
  return syncMender(ctx);
}

describe("a revocation", () => {
  it("is carried over: the key is rejected at the server, once, and the device keeps its place there", async () => {
    const [one, other] = [await acceptedDevice(), await acceptedDevice()];
    await revoke(one.device);
    expect(await rejectRevoked(ctx, "recent")).toBe(1);
    expect([statesOf(one.device), statesOf(other.device)]).toEqual([["rejected"], ["accepted"]]);
    expect(await rejectRevoked(ctx)).toBe(0);
    const { data } = await listMenderLog(ctx, SYSTEM, { limit: 5, outcome: ["revocation_rejected"] });
    expect(data).toMatchObject([{ deviceUuid: one.device.uuid, menderDeviceId: expect.any(String) }]);
    // A person's later decision at the server is not fought.
    expect((await preauthorize(ctx, one.request)).outcome).toBe("rejected_in_mender");
  });

  it("waits for a server that is away, and is not forgotten", async () => {
    const { device } = await acceptedDevice();
    await revoke(device);
    double.state.knobs.managementStatus = 503;
    expect(await rejectRevoked(ctx)).toBe(1);
    expect(await rejectRevoked(ctx)).toBe(0);
    double.state.knobs.managementStatus = null;
    world.clock.advance(31_000);
    await rejectRevoked(ctx);
    expect(statesOf(device)).toEqual(["rejected"]);
  });

  it("of a key that is only preauthorized can't be carried over, says so, and is tried again", async () => {
    const { device, request } = await acceptedDevice();
    const [set] = double.state.find(request.identity)?.authSets ?? [];
    if (set !== undefined) set.status = "preauthorized";
    await revoke(device);
    await rejectRevoked(ctx);
    expect((await listMenderLog(ctx, SYSTEM, { limit: 5, outcome: ["revocation_waits"] })).total).toBe(1);
    if (set !== undefined) set.status = "accepted";
    world.clock.advance(601_000);
    await rejectRevoked(ctx);
    expect(statesOf(device)).toEqual(["rejected"]);
  });

  it("leaves the key alone while a good certificate has it, too, and follows when that is revoked", async () => {
    const { device } = await acceptedDevice();
    const renewed = await sameKeyAgain(device);
    await revoke(device);
    expect(await rejectRevoked(ctx)).toBe(0);
    expect(statesOf(device)).toEqual(["accepted"]);
    // The device has not authenticated itself with it, and is bound to the first one still.
    await revokeCertificate(world.ctx, actorOf("admin"), { fingerprint: renewed });
    expect(await rejectRevoked(ctx)).toBe(1);
    expect(statesOf(device)).toEqual(["rejected"]);
  });

  it("of a certificate that was replaced under another key rejects the old key when the device's last one is revoked", async () => {
    const { device } = await acceptedDevice();
    await world.ctx.db.deviceCertificate.update({
      where: { namespaceId_fingerprint: { namespaceId: ctx.namespaceId, fingerprint: device.fingerprint } },
      data: { state: "superseded" },
    });
    const { fingerprint } = await sameDeviceAnotherKey(device);
    expect(await rejectRevoked(ctx)).toBe(0);
    await revokeCertificate(world.ctx, actorOf("admin"), { fingerprint });
    expect(await rejectRevoked(ctx)).toBe(1);
    expect(statesOf(device)).toEqual(["rejected"]);
  });

  it("reaches a key that came past this door, or whose binding was lost, with the next reading of the server's list", async () => {
    const device = await newMenderDevice(world);
    const { pem } = keyOf(device.privateKeyPem);
    double.state.add({ mac: device.uuid }, normalisePem(pem)?.pem ?? "", "accepted");
    await sync();
    expect(await rejectRevoked(ctx)).toBe(0);
    await revoke(device);
    await sync();
    expect(await rejectRevoked(ctx)).toBe(1);
    expect(statesOf(device)).toEqual(["rejected"]);
  });

  it("is carried over again after the key was let in again", async () => {
    const { device, request } = await acceptedDevice();
    await revoke(device);
    await rejectRevoked(ctx);
    const set = double.state.find(request.identity)?.authSets[0];
    if (set !== undefined) set.status = "accepted";
    await preauthorize(ctx, request);
    expect(await rejectRevoked(ctx)).toBe(1);
    expect(statesOf(device)).toEqual(["rejected"]);
  });

  it("and every other change at the server is in the audit log once, also where we ended before it was written", async () => {
    const { device, request } = await acceptedDevice();
    const pending = newMenderKey();
    double.state.add({ mac: "waits" }, normalisePem(pending.pem)?.pem ?? "", "pending");
    const waiting = await newMenderDevice(world);
    await preauthorize(ctx, provenRequest({ mac: "waits", key: pending, deviceUuid: waiting.uuid }));
    // It came to the server, and the process ended before it was bound here.
    await ctx.db.menderBinding.deleteMany({ where: { namespaceId: ctx.namespaceId, keySha256: request.keySha256 } });
    await preauthorize(ctx, request);
    await preauthorize(ctx, request);
    await revoke(device);
    const set = double.state.find(request.identity)?.authSets[0];
    if (set !== undefined) set.status = "rejected";
    await rejectRevoked(ctx);
    await rejectRevoked(ctx);
    const { data } = await listAudit(ctx, SYSTEM, { limit: 50 });
    const ours = data
      .filter(({ action }) => action.startsWith("mender."))
      .map((it) => [it.action, it.target.id, it.outcome]);
    expect(ours.reverse()).toEqual([
      ["mender.preauthorize", device.uuid, "done"],
      ["mender.accept", waiting.uuid, "done"],
      ["mender.recognise", device.uuid, "done"],
      ["mender.reject", device.uuid, "done"],
    ]);
    expect(JSON.stringify(data)).not.toMatch(/eyJ|BEGIN/);
  });
});

describe("the console", () => {
  it("sees the server as it is, and a device with its keys and the certificates they came with", async () => {
    const { device, request } = await acceptedDevice();
    await sync();
    const report = await getMender(ctx, SYSTEM);
    expect(report).toMatchObject({ url: double.url, isReachable: true, tokenMode: "login", devices: 1 });
    expect(report.tokenExpiresAt).not.toBeNull();
    const seen = await getMenderDevice(ctx, SYSTEM, device.uuid);
    const { fingerprint } = device;
    expect(seen).toMatchObject({
      status: "accepted",
      authSets: [{ status: "accepted", keySha256: request.keySha256, fingerprint }],
    });
    double.state.knobs.managementStatus = 503;
    expect(await getMender(ctx, SYSTEM)).toMatchObject({ isReachable: false, error: expect.any(String) });
    await expectRefusal(getMenderDevice(ctx, SYSTEM, device.uuid), "mender.unavailable");
    await expectRefusal(getMenderDevice(ctx, SYSTEM, crypto.randomUUID()), "device.not_found");
    const without = { ...ctx, backends: { mender: null } };
    expect(await getMender(without, SYSTEM)).toMatchObject({ url: null, tokenMode: null });
    await expectRefusal(getMenderDevice(without, SYSTEM, device.uuid), "mender.absent");
  });
});

describe("the fleet index", () => {
  it("shows the server's devices with their states: ours by the key they came with, others by themselves", async () => {
    const { device } = await acceptedDevice();
    const stranger = double.state.add({ mac: "aa:bb" }, newMenderKey().pem, "pending");
    expect(await sync()).toBe(true);
    const rows = await fleet();
    expect(rows).toHaveLength(2);
    expect(rows.find(({ uuid }) => uuid === device.uuid)?.mender).toMatchObject({ status: "accepted", only: false });
    expect(rows.find(({ uuid }) => uuid === stranger.id)).toMatchObject({
      name: "mac aa:bb",
      deviceId: stranger.id,
      mender: { id: stranger.id, status: "pending", only: true },
    });
  });

  it("reads page by page, one worker at a time, and forgets only what the server says is gone", async () => {
    for (let index = 0; index < 501; index++) double.state.add({ mac: `m${index}` }, "no key", "accepted");
    const gone = double.state.add({ mac: "gone" }, newMenderKey().pem, "accepted");
    expect(await sync()).toBe(true);
    expect(await syncMender(ctx)).toBe(false);
    expect((await listDevices(ctx, SYSTEM, { limit: 1, sort: "name" })).total).toBe(502);
    double.state.devices.delete(gone.id);
    double.state.knobs.managementStatus = 503;
    await expect(sync()).rejects.toMatchObject({ code: "mender.unavailable" });
    expect((await listDevices(ctx, SYSTEM, { limit: 1, sort: "name" })).total).toBe(502);
    double.state.knobs.managementStatus = null;
    world.clock.advance(120_000);
    expect(await sync()).toBe(true);
    expect((await listDevices(ctx, SYSTEM, { limit: 1, sort: "name" })).total).toBe(501);
  });

  it("keeps a device of ours that the server forgot, without the mark", async () => {
    const { device, request } = await acceptedDevice();
    await sync();
    double.state.devices.delete(double.state.find(request.identity)?.id ?? "");
    await sync();
    expect((await fleet()).find(({ uuid }) => uuid === device.uuid)?.mender).toBeNull();
  });

  it("turns a row of the server's alone into our device's once it has come through the door", async () => {
    const device = await newMenderDevice(world);
    const key = keyOf(device.privateKeyPem);
    const known = double.state.add({ mac: device.uuid }, normalisePem(key.pem)?.pem ?? "", "accepted");
    await sync();
    expect((await fleet()).map(({ uuid }) => uuid).sort()).toEqual([device.uuid, known.id].sort());
    const { uuid: deviceUuid, fingerprint } = device;
    await preauthorize(ctx, provenRequest({ mac: deviceUuid, key, deviceUuid, fingerprint }));
    await sync();
    expect(await fleet()).toMatchObject([{ uuid: device.uuid, mender: { id: known.id, status: "accepted" } }]);
  });
});
