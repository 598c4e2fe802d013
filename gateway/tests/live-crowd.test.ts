import { afterAll, beforeAll, beforeEach, expect, it } from "vitest";
import { createCutter } from "#gateway/admission.ts";
import { type AdmissionBook, openAdmissionBook } from "#gateway/admission-book.ts";
import type { Db } from "#lib/db/client.ts";
import { ADMISSION_CHANNEL, notify } from "#lib/db/events.ts";
import { createTestDatabase, type TestDatabase } from "#tests/harness/database.ts";
import { eventually } from "#tests/harness/eventually.ts";
import { type IdentityWorld, identityWorld } from "#tests/harness/identity.ts";
import { gatherCrowd, type LiveCrowd } from "#tests/harness/live-crowd.ts";

const SIZE = 2_000;
/** Far below one for each; what else the gateway asks of the database is in it. */
const FEW = SIZE / 40;

let database: TestDatabase;
let world: IdentityWorld;
let crowd: LiveCrowd;
let book: AdmissionBook;
let cutRefused: (changed: string | null) => Promise<number>;
let queries = 0;
let isAway = false;
let heard = 0;

beforeAll(async () => {
  database = await createTestDatabase();
  world = identityWorld(database.url);
  crowd = await gatherCrowd(world.ctx, SIZE);
  const counting = world.ctx.db.$extends({
    query: {
      $allOperations({ args, query }) {
        queries += 1;
        if (isAway) throw new Error("no database");
        return query(args);
      },
    },
  }) as unknown as Db; // it has all that Db has
  book = await openAdmissionBook({ ...world.ctx, db: counting, clock: () => new Date() }, database.url);
  book.follow(() => {
    heard += 1;
  });
  cutRefused = createCutter({ book, live: { connected: () => crowd.connected } });
  await cutRefused(null); // as a door knows those who are connected: their signatures have been checked
});
beforeEach(() => {
  crowd.cut.length = 0;
  isAway = false;
});
afterAll(async () => {
  await book.close();
  await world.ctx.db.$disconnect();
  await database.drop();
});

async function told(what: () => Promise<unknown>): Promise<void> {
  const before = heard;
  await what();
  await eventually(async () => expect(heard).toBeGreaterThan(before));
  queries = 0;
}

async function changeAuthority(data: { state?: string; sourceNetworks?: string[] }): Promise<void> {
  await told(async () => {
    await world.ctx.db.authority.update({ where: { id: crowd.authorityId }, data });
    await notify(world.ctx.db, ADMISSION_CHANNEL, "*");
  });
}

/** The gateway's connection to the channel breaks: whatever it missed, nothing that it remembers counts any more. */
function reconnect(): Promise<void> {
  return told(
    () => world.ctx.db.$queryRaw`
      SELECT pg_terminate_backend(pid)::text FROM pg_stat_activity
      WHERE datname = current_database() AND query ILIKE 'LISTEN%'`,
  );
}

const setState = (fingerprints: string[], state: string) =>
  world.ctx.db.deviceCertificate.updateMany({ where: { fingerprint: { in: fingerprints } }, data: { state } });

it("after missing anything, reads all that are connected in a few queries, and cuts those that are no longer allowed", async () => {
  const [revoked, held, gone] = crowd.leaves.filter((_, index) => index % 700 === 5).map((leaf) => leaf.fingerprint);
  if (revoked === undefined || held === undefined || gone === undefined) throw new Error("there are three");
  await setState([revoked], "revoked");
  await setState([held], "held");
  await world.ctx.db.deviceCertificate.deleteMany({ where: { fingerprint: gone } });
  await reconnect();
  expect(await cutRefused(null)).toBe(3);
  expect(new Set(crowd.cut.map(({ leaf }) => leaf.fingerprint))).toEqual(new Set([revoked, held, gone]));
  expect(queries).toBeLessThan(FEW);
  await setState([revoked, held], "allowed");
  crowd.connected.splice(
    crowd.connected.findIndex(({ leaf }) => leaf.fingerprint === gone),
    1,
  );
});

it("answers all devices at once from a few queries when it has had to forget them, and again from none", async () => {
  await reconnect();
  const ask = () => Promise.all(crowd.connected.map((peer) => book.decide(peer)));
  for (const decision of await ask()) expect(decision).toMatchObject({ admitted: true });
  expect(queries).toBeLessThan(FEW);
  queries = 0;
  await ask();
  expect(queries).toBeLessThan(5);
});

it("asks for no certificate again when an authority changes, and cuts by address", async () => {
  const [leaf] = crowd.leaves;
  if (leaf === undefined) throw new Error("there are many");
  const elsewhere = [crowd.connect(leaf, "198.51.100.7"), crowd.connect(leaf, "198.51.100.7")];
  await changeAuthority({ sourceNetworks: ["192.0.2.0/24"] });
  expect(await cutRefused(null)).toBe(2);
  expect(new Set(crowd.cut)).toEqual(new Set(elsewhere));
  expect(queries).toBeLessThan(5);
  crowd.connected.splice(-2);
});

it("goes through all of them once for any number of changes that come meanwhile, and misses none of these", async () => {
  const first = cutRefused(null);
  await changeAuthority({ state: "revoked" });
  const later = await Promise.all(Array.from({ length: 20 }, () => cutRefused(null)));
  await first;
  expect(new Set(later)).toEqual(new Set([crowd.connected.length]));
  expect(new Set(crowd.cut).size).toBe(crowd.connected.length);
  expect(crowd.cut.length).toBeLessThanOrEqual(2 * crowd.connected.length);
  expect(queries).toBeLessThan(5);
  await changeAuthority({ state: "open" });
});

it("cuts all of them when nobody can know who may stay", async () => {
  await reconnect();
  isAway = true;
  expect(await cutRefused(null)).toBe(crowd.connected.length);
});
