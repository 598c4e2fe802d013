import { afterAll, beforeAll, expect, it } from "vitest";
import { revokeCertificate } from "#services/identity/service.ts";
import type { TestDoor } from "#tests/harness/door.ts";
import { type DoorSite, openDoorSite } from "#tests/harness/door-site.ts";
import { eventually } from "#tests/harness/eventually.ts";
import { actorOf, type IdentityWorld } from "#tests/harness/identity.ts";
import type { TcpProxy } from "#tests/harness/tcp-proxy.ts";

const admin = actorOf("admin");
/** Time for a few requests beside other tests, before nobody comes in any more. */
const STALE_SECONDS = 4;
let site: DoorSite;
let wire: Awaited<ReturnType<DoorSite["openWire"]>>;
let world: IdentityWorld;
let proxy: TcpProxy;
let door: TestDoor;

beforeAll(async () => {
  site = await openDoorSite({ ADMISSION_STALE_SECONDS: STALE_SECONDS });
  ({ world } = site);
  wire = await site.openWire();
  ({ proxy } = wire);
  door = await site.openDoor({ ...wire.at, ctx: { ...wire.at.ctx, clock: () => new Date() } });
});
afterAll(async () => {
  proxy.restore();
  await site.close();
});

it.each(["cut", "freeze"] as const)(
  "a database that is gone (%s): known devices come in for a while, then 503 and never a verdict; back again, all is well",
  async (how) => {
    const [known, unknown, revoked] = [await site.newDevice(), await site.newDevice(), await site.newDevice()];
    await eventually(async () => expect((await door.request(known)).status).toBe(200));
    expect((await door.request(revoked)).status).toBe(200);
    proxy[how]();
    expect((await door.request(known)).status).toBe(200);
    expect((await door.request(unknown)).status).toBe(503);
    await revokeCertificate(world.ctx, admin, { fingerprint: revoked.fingerprint });

    await eventually(async () => expect((await door.request(known)).status).toBe(503), (STALE_SECONDS + 3) * 1_000);
    expect(door.door.isHealthy()).toBe(false);
    const replies = await Promise.all([known, unknown, revoked].map((device) => door.request(device)));
    expect(replies.map(({ status, code }) => [status, code])).toEqual(Array(3).fill([503, "unavailable"]));
    const download = await door.request(known, { path: "/repo/targets/fw_1.0" });
    expect(download).toMatchObject({ status: 503, headers: { "content-length": "0" } });
    expect(await door.request(null)).toMatchObject({ status: 401 });

    proxy.restore();
    await eventually(async () => expect((await door.request(known)).status).toBe(200), 10_000);
    expect((await door.request(unknown)).status).toBe(200);
    expect(await door.request(revoked)).toMatchObject({ status: 403, code: "revoked" });
    expect(door.door.isHealthy()).toBe(true);
  },
  40_000,
);

it("a lost notification connection alone: a decision counts at once, since nothing is taken from memory", async () => {
  const half = await site.openDoor({ databaseUrl: wire.at.databaseUrl });
  try {
    const device = await site.newDevice();
    expect((await half.request(device)).status).toBe(200);
    proxy.cut();
    await eventually(async () => expect((await half.request(device)).status).toBe(200));
    await revokeCertificate(world.ctx, admin, { fingerprint: device.fingerprint });
    // A database that takes its time is not waited for; one that answers is believed, long before the default 30 s of staleness.
    await eventually(async () => expect(await half.request(device)).toMatchObject({ status: 403, code: "revoked" }));
  } finally {
    proxy.restore();
  }
});
