import { afterAll, beforeAll, beforeEach, expect, it } from "vitest";
import type { Db } from "#lib/db/client.ts";
import { createTestDatabase, type TestDatabase } from "#tests/harness/database.ts";
import { type IdentityWorld, identityWorld } from "#tests/harness/identity.ts";
import { type LiveCrowd, openCrowd } from "#tests/harness/live-crowd.ts";

const SIZE = 2_000;
/** Far below one for each; what else the gateway asks of the database is in it. */
const FEW = SIZE / 40;

let database: TestDatabase;
let world: IdentityWorld;
let crowd: LiveCrowd;
let queries = 0;
let isAway = false;

beforeAll(async () => {
  database = await createTestDatabase();
  world = identityWorld(database.url);
  const counting = world.ctx.db.$extends({
    query: {
      $allOperations({ args, query }) {
        queries += 1;
        if (isAway) throw new Error("no database");
        return query(args);
      },
    },
  }) as unknown as Db; // it has all that Db has
  crowd = await openCrowd({ ...world.ctx, db: counting, clock: () => new Date() }, database.url, SIZE);
});
beforeEach(() => {
  crowd.cut.length = 0;
  queries = 0;
  isAway = false;
});
afterAll(async () => {
  await crowd.close();
  await world.ctx.db.$disconnect();
  await database.drop();
});

const setState = (fingerprints: string[], state: string) =>
  world.ctx.db.deviceCertificate.updateMany({ where: { fingerprint: { in: fingerprints } }, data: { state } });

it("after missing anything, reads all that are connected in a few queries, and cuts those that are no longer allowed", async () => {
  const [revoked, held, gone] = crowd.leaves.filter((_, index) => index % 700 === 5).map((leaf) => leaf.fingerprint);
  if (revoked === undefined || held === undefined || gone === undefined) throw new Error("there are three");
  await setState([revoked], "revoked");
  await setState([held], "held");
  await world.ctx.db.deviceCertificate.deleteMany({ where: { fingerprint: gone } });
  await crowd.reconnect();
  expect(await crowd.cutRefused()).toBe(3);
  expect(new Set(crowd.cut.map(({ leaf }) => leaf.fingerprint))).toEqual(new Set([revoked, held, gone]));
  expect(queries).toBeLessThan(FEW);
  await setState([revoked, held], "allowed");
  crowd.connected.splice(
    crowd.connected.findIndex(({ leaf }) => leaf.fingerprint === gone),
    1,
  );
});

it("answers all devices at once from a few queries when it has had to forget them, and again from none", async () => {
  await crowd.reconnect();
  const ask = () => Promise.all(crowd.connected.map((peer) => crowd.book.decide(peer)));
  for (const decision of await ask()) expect(decision).toMatchObject({ admitted: true });
  expect(queries).toBeLessThan(FEW);
  queries = 0;
  await ask();
  expect(queries).toBeLessThan(10);
});

it("asks for no certificate again when an authority changes, and cuts by address", async () => {
  const [leaf] = crowd.leaves;
  if (leaf === undefined) throw new Error("there are many");
  const elsewhere = [crowd.connect(leaf, "198.51.100.7"), crowd.connect(leaf, "198.51.100.7")];
  await crowd.changeAuthority({ sourceNetworks: ["192.0.2.0/24"] });
  expect(await crowd.cutRefused()).toBe(2);
  expect(new Set(crowd.cut)).toEqual(new Set(elsewhere));
  expect(queries).toBeLessThan(10);
  crowd.connected.splice(-2);
});

it("goes through all of them once for any number of changes that come meanwhile, and misses none of these", async () => {
  const first = crowd.cutRefused();
  await crowd.changeAuthority({ state: "revoked" });
  const later = await Promise.all(Array.from({ length: 20 }, () => crowd.cutRefused()));
  await first;
  expect(new Set(later)).toEqual(new Set([crowd.connected.length]));
  expect(new Set(crowd.cut).size).toBe(crowd.connected.length);
  expect(crowd.cut.length).toBeLessThanOrEqual(2 * crowd.connected.length);
  expect(queries).toBeLessThan(10);
  await crowd.changeAuthority({ state: "open" });
});

it("cuts all of them when nobody can know who may stay", async () => {
  await crowd.reconnect();
  isAway = true;
  expect(await crowd.cutRefused()).toBe(crowd.connected.length);
});
