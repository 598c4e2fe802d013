import type { TLSSocket } from "node:tls";
import { afterAll, beforeAll, expect, it } from "vitest";
import { announceChange, openFleetCa } from "#services/authorities/service.ts";
import { revokeCertificate } from "#services/identity/service.ts";
import { getAuthorityInForce, getInForce, listGateways } from "#services/revocation/service.ts";
import { openTestDoor, type TestDoor } from "#tests/harness/door.ts";
import { type DoorSite, openDoorSite } from "#tests/harness/door-site.ts";
import { eventually } from "#tests/harness/eventually.ts";
import { actorOf, type IdentityWorld } from "#tests/harness/identity.ts";
import type { TcpProxy } from "#tests/harness/tcp-proxy.ts";

const admin = actorOf("admin");

let site: DoorSite;
let world: IdentityWorld;
let proxy: TcpProxy;
/** Reaches the database directly, and through a line that can be cut. */
let [near, far]: TestDoor[] = [];
const clock = () => new Date();

beforeAll(async () => {
  site = await openDoorSite();
  ({ world } = site);
  const wire = await site.openWire();
  ({ proxy } = wire);
  near = await site.openDoor({ ctx: { ...world.ctx, clock } });
  far = await site.openDoor({ ...wire.at, ctx: { ...wire.at.ctx, clock } });
}, 30_000);
afterAll(async () => {
  proxy.restore();
  await site.close();
});

function doors(): TestDoor[] {
  return [near, far].flatMap((door) => (door === undefined ? [] : [door]));
}

/** Settles when the other side ends the connection. */
const cut = (socket: TLSSocket) => new Promise<number>((done) => socket.on("close", () => done(performance.now())));

it("cuts a revoked certificate at each gateway, and says of each since when", async () => {
  const device = await site.newDevice();
  const sockets = await Promise.all(doors().map((door) => door.connect(device)));
  for (const door of doors()) expect((await door.request(device)).status).toBe(200);
  const ends = sockets.map(cut);
  const revokedAt = performance.now();
  await revokeCertificate(world.ctx, admin, { fingerprint: device.fingerprint });
  for (const end of await Promise.all(ends)) expect(end - revokedAt).toBeLessThan(1_000);
  for (const door of doors()) expect(await door.request(device)).toMatchObject({ status: 403, code: "revoked" });
  await eventually(async () => {
    const inForce = await getInForce(world.ctx, admin, device.fingerprint);
    expect(inForce.change?.verb).toBe("revoked");
    expect(inForce.gateways.map(({ state, connectionsCut }) => [state, connectionsCut])).toEqual([
      ["in_force", 1],
      ["in_force", 1],
    ]);
    for (const { delayMs } of inForce.gateways) expect(delayMs).toBeLessThan(1_000);
  });
});

it("says the same of an authority, and of a certificate whose authority was decided about last", async () => {
  const device = await site.newDevice();
  const { authorityId } = await openFleetCa(world.ctx);
  const change = { fingerprint: null, authorityId, verb: "closed" };
  await world.ctx.db.$transaction((tx) => announceChange(tx, world.ctx, change));
  await eventually(async () => {
    for (const inForce of [
      await getAuthorityInForce(world.ctx, admin, authorityId),
      await getInForce(world.ctx, admin, device.fingerprint),
    ]) {
      expect(inForce.change?.verb).toBe("closed");
      expect(inForce.gateways.map(({ state }) => state)).toEqual(["in_force", "in_force"]);
    }
  });
  // Beyond ten changes, and whichever of the two was last.
  const { fingerprint } = device;
  for (let turn = 0; turn < 11; turn++) {
    for (const next of [
      { fingerprint, verb: `held ${turn}` },
      { ...change, verb: `changed ${turn}` },
    ]) {
      await world.ctx.db.$transaction((tx) => announceChange(tx, world.ctx, next));
      expect((await getInForce(world.ctx, admin, fingerprint)).change?.verb).toBe(next.verb);
    }
  }
  const unknown = getAuthorityInForce(world.ctx, admin, crypto.randomUUID());
  await expect(unknown).rejects.toMatchObject({ code: "authority.not_found" });
});

it("never lets a certificate in again that was revoked while a gateway was cut off, nor after a restart", async () => {
  const [device, other] = [await site.newDevice(), await site.newDevice()];
  for (const door of doors()) expect((await door.request(device)).status).toBe(200);
  const open = await far?.connect(device);
  if (open === undefined) throw new Error("the doors are open");
  const ended = cut(open);
  proxy.cut();
  await revokeCertificate(world.ctx, admin, { fingerprint: device.fingerprint });
  const states = async () => {
    const { gateways } = await getInForce(world.ctx, admin, device.fingerprint);
    return gateways.map(({ state }) => state).sort();
  };
  await eventually(async () => expect(await states()).toEqual(["in_force", "not_yet"]));
  expect(open.destroyed).toBe(false);
  proxy.restore();
  await ended;
  await eventually(async () => expect((await far?.request(other))?.status).toBe(200));
  expect(await far?.request(device)).toMatchObject({ status: 403, code: "revoked" });
  await eventually(async () => expect(await states()).toEqual(["in_force", "in_force"]));

  const restarted = await openTestDoor({ ...site.at, ctx: { ...world.ctx, clock } });
  try {
    expect(await restarted.request(device)).toMatchObject({ status: 403, code: "revoked" });
    await eventually(async () => expect(await states()).toEqual(["in_force", "in_force", "in_force"]));
  } finally {
    await restarted.close();
  }
  // It said goodbye, so nobody waits for it.
  expect((await listGateways(world.ctx, admin)).data).toHaveLength(2);
});
