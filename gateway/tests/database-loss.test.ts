import { afterAll, beforeAll, expect, it } from "vitest";
import { createDb } from "#lib/db/client.ts";
import { issueDevice, revokeCertificate } from "#services/identity/service.ts";
import { createTestDatabase, type TestDatabase } from "#tests/harness/database.ts";
import {
  type Credentials,
  openRecordingUpstream,
  openTestDoor,
  type RecordingUpstream,
  type TestDoor,
} from "#tests/harness/door.ts";
import { eventually } from "#tests/harness/eventually.ts";
import { actorOf, type IdentityWorld, identityWorld } from "#tests/harness/identity.ts";
import { openTcpProxy, type TcpProxy } from "#tests/harness/tcp-proxy.ts";

const admin = actorOf("admin");
/** Time for a few requests beside other tests, before nobody comes in any more. */
const STALE_SECONDS = 4;
let database: TestDatabase;
let world: IdentityWorld;
let proxy: TcpProxy;
let upstream: RecordingUpstream;
let door: TestDoor;
let doorDb: ReturnType<typeof createDb>;

beforeAll(async () => {
  database = await createTestDatabase();
  world = identityWorld(database.url);
  const direct = new URL(database.url);
  proxy = await openTcpProxy({ host: direct.hostname, port: Number(direct.port) });
  const through = new URL(database.url);
  through.host = `127.0.0.1:${proxy.port}`;
  upstream = await openRecordingUpstream();
  doorDb = createDb(through.href, { poolSize: 3 });
  const config = { ...world.ctx.config, ADMISSION_STALE_SECONDS: STALE_SECONDS };
  const ctx = { ...world.ctx, db: doorDb, config, clock: () => new Date() };
  door = await openTestDoor({ ctx, databaseUrl: through.href, upstreamUrl: upstream.url });
});
afterAll(async () => {
  proxy.restore();
  await door.close();
  await Promise.all([doorDb.$disconnect(), world.ctx.db.$disconnect()]);
  await proxy.close();
  await upstream.close();
  await database.drop();
});

let count = 0;
async function newDevice(): Promise<Credentials & { fingerprint: string }> {
  const bundle = await issueDevice(world.ctx, admin, { name: `Truck ${++count}`, hardwareId: "rpi4" });
  return { fingerprint: bundle.fingerprint, pem: bundle.files["client.pem"], privateKeyPem: bundle.files["pkey.pem"] };
}

it.each(["cut", "freeze"] as const)(
  "a database that is gone (%s): known devices come in for a while, then 503 and never a verdict; back again, all is well",
  async (how) => {
    const [known, unknown, revoked] = [await newDevice(), await newDevice(), await newDevice()];
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
  const listening = new URL(database.url);
  listening.host = `127.0.0.1:${proxy.port}`;
  const half = await openTestDoor({ ctx: world.ctx, databaseUrl: listening.href, upstreamUrl: upstream.url });
  try {
    const device = await newDevice();
    expect((await half.request(device)).status).toBe(200);
    proxy.cut();
    await eventually(async () => expect((await half.request(device)).status).toBe(200));
    await revokeCertificate(world.ctx, admin, { fingerprint: device.fingerprint });
    // A database that takes its time is not waited for; one that answers is believed, long before the default 30 s of staleness.
    await eventually(async () => expect(await half.request(device)).toMatchObject({ status: 403, code: "revoked" }));
  } finally {
    proxy.restore();
    await half.close();
  }
});
