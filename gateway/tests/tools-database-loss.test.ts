import { afterAll, beforeAll, expect, it } from "vitest";
import { createDb } from "#lib/db/client.ts";
import { revokeMachineClient } from "#services/accounts/service.ts";
import { createTestDatabase, type TestDatabase } from "#tests/harness/database.ts";
import { openRecordingUpstream, type RecordingUpstream } from "#tests/harness/door.ts";
import { eventually } from "#tests/harness/eventually.ts";
import { actorOf, type IdentityWorld, identityWorld } from "#tests/harness/identity.ts";
import { openTcpProxy, type TcpProxy } from "#tests/harness/tcp-proxy.ts";
import { basicOf, openTestToolsDoor, type TestToolsDoor } from "#tests/harness/tools-door.ts";

const STALE_SECONDS = 2;
let database: TestDatabase;
let world: IdentityWorld;
let proxy: TcpProxy;
let upstream: RecordingUpstream;
let tools: TestToolsDoor;
let near: TestToolsDoor;
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
  const ctx = { ...world.ctx, db: doorDb, config };
  tools = await openTestToolsDoor({ ctx, databaseUrl: through.href, upstreamUrl: upstream.url });
  near = await openTestToolsDoor({ ctx: world.ctx, databaseUrl: database.url, upstreamUrl: upstream.url });
});
afterAll(async () => {
  proxy.restore();
  await tools.close();
  await near.close();
  await Promise.all([doorDb.$disconnect(), world.ctx.db.$disconnect()]);
  await proxy.close();
  await upstream.close();
  await database.drop();
});

it("a database that is gone: known clients work for a while, then 503 and never a verdict; a revocation made meanwhile counts", async () => {
  const [known, unknown, revoked] = await Promise.all([1, 2, 3].map(() => near.client(["treehub:read"])));
  if (known === undefined || unknown === undefined || revoked === undefined) throw new Error("three were made");
  const statusOf = async (client: typeof known) => {
    const headers = { authorization: basicOf(client) };
    return (await tools.request({ path: "/treehub/config", headers })).status;
  };
  await eventually(async () => expect([await statusOf(known), await statusOf(revoked)]).toEqual([200, 200]));
  const token = await tools.token(known);
  // A token from one gateway counts at another of the same install.
  expect((await near.request({ path: "/treehub/config", headers: { authorization: `Bearer ${token}` } })).status).toBe(
    200,
  );

  proxy.freeze();
  expect(await statusOf(known)).toBe(200);
  await revokeMachineClient(world.ctx, actorOf("admin"), revoked.id);
  await eventually(async () => expect(await statusOf(known)).toBe(503), (STALE_SECONDS + 3) * 1_000);
  expect(await Promise.all([known, unknown, revoked].map(statusOf))).toEqual([503, 503, 503]);
  expect(tools.door.isHealthy()).toBe(false);
  const body = "grant_type=client_credentials";
  const asked = { method: "POST", path: "/token", headers: { authorization: basicOf(known) }, body };
  expect((await tools.request(asked)).json()).toMatchObject({ error: "temporarily_unavailable" });

  proxy.restore();
  await eventually(async () => expect(await statusOf(known)).toBe(200), 10_000);
  expect([await statusOf(unknown), await statusOf(revoked)]).toEqual([200, 401]);
  expect(tools.door.isHealthy()).toBe(true);
}, 40_000);
