import { createPrivateKey, createPublicKey } from "node:crypto";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { SYSTEM } from "#lib/authz/actor.ts";
import { listMenderLog } from "#services/mender/service.ts";
import type { TestDoor } from "#tests/harness/door.ts";
import type { IdentityWorld } from "#tests/harness/identity.ts";
import {
  authenticate,
  type MenderDevice,
  type MenderSite,
  newMenderDevice,
  openMenderSite,
} from "#tests/harness/mender/door.ts";
import type { MenderDouble } from "#tests/harness/mender/server.ts";

const INVENTORY = "/api/devices/v1/inventory/device/attributes";
let site: MenderSite;
let world: IdentityWorld;
let double: MenderDouble;
let door: TestDoor;

beforeAll(async () => {
  site = await openMenderSite();
  ({ world, double, door } = site);
});
beforeEach(() => {
  double.state.knobs.managementStatus = null;
  double.requests.length = 0;
});
afterAll(() => site.close());

async function tokenOf(device: MenderDevice): Promise<string> {
  const reply = await authenticate(door, device);
  expect(reply.status).toBe(200);
  return reply.body.toString();
}

describe("a token of the server", () => {
  const put = (device: MenderDevice, headers: Record<string, string>) =>
    door.request(device, { method: "PUT", path: INVENTORY, headers, body: "[]" });

  it("counts with the certificate of the device that got it, and with no other, wherever it stands", async () => {
    const [victim, thief] = [await newMenderDevice(world), await newMenderDevice(world)];
    const token = await tokenOf(victim);
    await tokenOf(thief);
    world.clock.advance(1_000);
    double.requests.length = 0;
    const ways = [
      { authorization: `Bearer ${token}` },
      { authorization: `bearer  ${token}` },
      { cookie: `JWT=${token}` },
    ];
    for (const headers of ways) {
      const reply = await put(thief, headers);
      expect([reply.status, reply.code, headers]).toEqual([401, "token_of_another", headers]);
    }
    expect(double.requests).toEqual([]);
    expect(await put(victim, { authorization: `Bearer ${token}` })).toMatchObject({ status: 200 });
    const log = await listMenderLog(world.ctx, SYSTEM, { limit: 10, deviceUuid: thief.uuid });
    expect(log.data).toMatchObject([
      { outcome: "token_of_another", count: 3, fingerprint: thief.fingerprint },
      { outcome: "preauthorized" },
    ]);
    expect(JSON.stringify(log.data)).not.toContain(token);
  });

  it("of a device that was there before this door passes until it is known whose it is", async () => {
    const [old, other] = [await newMenderDevice(world), await newMenderDevice(world)];
    const key = createPublicKey(createPrivateKey(old.privateKeyPem)).export({ type: "spki", format: "pem" }).toString();
    double.state.add(old.identity, key, "accepted");
    const outcome = double.state.authenticate(old.identity, key);
    const authorization = `Bearer ${"token" in outcome ? outcome.token : ""}`;
    expect(await put(old, { authorization })).toMatchObject({ status: 200 });
    expect(await put(other, { authorization })).toMatchObject({ status: 200 });
    // Nobody but the server's answer says whose it is: the management API is away.
    double.state.knobs.managementStatus = 503;
    const renewed = await tokenOf(old);
    world.clock.advance(10_000);
    expect(await put(other, { authorization: `Bearer ${renewed}` })).toMatchObject({ code: "token_of_another" });
    expect(await put(old, { authorization: `Bearer ${renewed}` })).toMatchObject({ status: 200 });
  });
});
