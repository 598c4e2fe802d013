import { afterAll, beforeAll, expect, it } from "vitest";
import { revokeMachineClient } from "#services/accounts/service.ts";
import { type DoorSite, openDoorSite } from "#tests/harness/door-site.ts";
import { eventually } from "#tests/harness/eventually.ts";
import { actorOf } from "#tests/harness/identity.ts";
import type { TcpProxy } from "#tests/harness/tcp-proxy.ts";
import { basicOf, openTestToolsDoor, type TestToolsDoor } from "#tests/harness/tools-door.ts";

const STALE_SECONDS = 2;
let site: DoorSite;
let proxy: TcpProxy;
let tools: TestToolsDoor;
let near: TestToolsDoor;

beforeAll(async () => {
  site = await openDoorSite({ ADMISSION_STALE_SECONDS: STALE_SECONDS });
  const wire = await site.openWire();
  ({ proxy } = wire);
  tools = await openTestToolsDoor(wire.at);
  near = await openTestToolsDoor(site.at);
});
afterAll(async () => {
  proxy.restore();
  await tools.close();
  await near.close();
  await site.close();
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
  await revokeMachineClient(site.world.ctx, actorOf("admin"), revoked.id);
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
