import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { SYSTEM } from "#lib/authz/actor.ts";
import type { MenderCtx } from "#services/mender/ctx.ts";
import { acceptPending, listMenderLog, type Proven, preauthorize } from "#services/mender/service.ts";
import { capEntries, MAX_ENTRIES } from "#services/mender/store-log.ts";
import { createTestDatabase, type TestDatabase } from "#tests/harness/database.ts";
import { type MenderDouble, startMenderDouble } from "#tests/harness/mender/server.ts";
import { type AuthStatus, normalisePem } from "#tests/harness/mender/state.ts";
import { type MenderKey, menderCtx, newMenderKey, provenRequest } from "#tests/harness/mender/world.ts";

let database: TestDatabase;
let double: MenderDouble;
let ctx: MenderCtx;
let forcing: MenderCtx;

beforeAll(async () => {
  database = await createTestDatabase();
  double = await startMenderDouble();
  ctx = menderCtx(database.url, double);
  forcing = menderCtx(database.url, double, { like: ctx, settings: { MENDER_FORCE: "on" } });
});
beforeEach(() => {
  Object.assign(double.state.knobs, { version: 4, maxDevices: 500, managementStatus: null, managementDelayMs: 0 });
});
afterAll(async () => {
  await Promise.all([ctx.db.$disconnect(), forcing.db.$disconnect()]);
  await double.close();
  await database.drop();
});

/** A device that the server knows with this key in this state. */
function knownAs(status: AuthStatus, key: MenderKey, mac = randomUUID()) {
  return { mac, device: double.state.add({ mac }, normalisePem(key.pem)?.pem ?? "", status) };
}

const setsOf = (mac: string) => double.state.find({ mac })?.authSets.map(({ status }) => status);

describe("preauthorization", () => {
  it("makes an unknown identity known, so that its first request is let in", async () => {
    const request = provenRequest({ mac: randomUUID(), key: newMenderKey() });
    expect(await preauthorize(ctx, request)).toMatchObject({ outcome: "preauthorized", isSettled: true });
    expect(double.state.authenticate(request.identity, request.pubkeyPem)).toHaveProperty("token");
  });

  const accepted = { before: "accepted", outcome: "already_known", after: "accepted" } as const;
  const preauthorized = { before: "preauthorized", outcome: "already_known", after: "preauthorized" } as const;
  const pending = { before: "pending", outcome: "accepted", after: "accepted" } as const;
  const rejected = { before: "rejected", outcome: "rejected_in_mender", after: "rejected" } as const;
  for (const { before, outcome, after } of [accepted, preauthorized, pending, rejected]) {
    it(`finds the key ${before}: ${outcome}, even with MENDER_FORCE on`, async () => {
      const key = newMenderKey();
      const { mac } = knownAs(before, key);
      // Another way to write the same PEM is the same key.
      const request = { ...provenRequest({ mac, key }), pubkeyPem: `${key.pem.replaceAll("\n", "\r\n")}\r\n` };
      expect((await preauthorize(forcing, request)).outcome).toBe(outcome);
      expect(setsOf(mac)).toEqual([after]);
    });
  }

  it("takes two gateways that race for one device", async () => {
    const request = provenRequest({ mac: randomUUID(), key: newMenderKey() });
    const outcomes = await Promise.all([preauthorize(ctx, request), preauthorize(forcing, request)]);
    expect(outcomes.map(({ outcome }) => outcome).sort()).toEqual(["already_known", "preauthorized"]);
  });

  it("says when the server has as many devices as it may have", async () => {
    const key = newMenderKey();
    const { mac } = knownAs("pending", key);
    double.state.knobs.maxDevices = 0;
    expect((await preauthorize(ctx, provenRequest({ mac, key }))).outcome).toBe("limit_reached");
  });
});

describe("a new key for an identity that exists", () => {
  const deviceUuid = randomUUID();
  async function known(): Promise<{ mac: string; next: Proven }> {
    const mac = randomUUID();
    await preauthorize(ctx, provenRequest({ mac, key: newMenderKey(), deviceUuid }));
    return { mac, next: provenRequest({ mac, key: newMenderKey(), deviceUuid }) };
  }

  it("waits for a person while MENDER_FORCE is off", async () => {
    const { mac, next } = await known();
    expect((await preauthorize(ctx, next)).outcome).toBe("rotation_off");
    expect(setsOf(mac)).toEqual(["preauthorized"]);
  });

  it("is forced for the device that came with the identity before", async () => {
    const { mac, next } = await known();
    expect((await preauthorize(forcing, next)).outcome).toBe("rotated");
    expect(setsOf(mac)).toEqual(["preauthorized", "preauthorized"]);
  });

  it("is never forced for another device, nor where nobody came with it yet: admission is no licence to be somebody else", async () => {
    const { mac } = await known();
    const thief = provenRequest({ mac, key: newMenderKey() });
    expect((await preauthorize(forcing, thief)).outcome).toBe("identity_of_another");
    const stranger = knownAs("accepted", newMenderKey());
    expect((await preauthorize(forcing, provenRequest({ mac: stranger.mac, key: newMenderKey() }))).outcome).toBe(
      "rotation_unproven",
    );
    // Its own first request has made it pending meanwhile, which changes nothing.
    double.state.authenticate(thief.identity, normalisePem(thief.pubkeyPem)?.pem ?? "");
    expect((await preauthorize(forcing, thief)).outcome).toBe("identity_of_another");
    expect(setsOf(mac)).toEqual(["preauthorized", "pending"]);
  });

  it("is accepted after its first request by a server that knows no force", async () => {
    double.state.knobs.version = 3;
    const { mac, next } = await known();
    const first = await preauthorize(forcing, next);
    expect(first).toMatchObject({ outcome: "rotation_waits", isSettled: false });
    const menderDeviceId = first.acceptAfterRefusal?.menderDeviceId ?? "";
    expect(await acceptPending(forcing, next, menderDeviceId)).toBe(false);
    double.state.authenticate(next.identity, normalisePem(next.pubkeyPem)?.pem ?? "");
    expect(await acceptPending(forcing, next, menderDeviceId)).toBe(true);
    expect(setsOf(mac)).toEqual(["preauthorized", "accepted"]);
  });
});

describe("trouble at the management API", () => {
  for (const [status, outcome] of [
    [403, "forbidden"],
    [429, "unavailable"],
    [500, "unavailable"],
    [503, "unavailable"],
    [400, "refused"],
  ] as const) {
    it(`a ${status} there is "${outcome}" here, and no error`, async () => {
      const request = provenRequest({ mac: randomUUID(), key: newMenderKey() });
      await preauthorize(ctx, request); // has a token
      double.state.knobs.managementStatus = status;
      expect(await preauthorize(ctx, request)).toEqual({ outcome, isSettled: false, acceptAfterRefusal: null });
    });
  }

  it("is given up when nobody waits any more", async () => {
    double.state.knobs.managementDelayMs = 3_000;
    const started = performance.now();
    const hurried = { ...ctx, signal: AbortSignal.timeout(200) };
    const request = provenRequest({ mac: randomUUID(), key: newMenderKey() });
    expect((await preauthorize(hurried, request)).outcome).toBe("unavailable");
    expect(performance.now() - started).toBeLessThan(2_000);
  });
});

describe("the log", () => {
  it("counts what repeats, finds by outcome and text, and pages", async () => {
    const own = menderCtx(database.url, double);
    const requests = ["a%b", "axb", "c"].map((mac) =>
      provenRequest({ mac: `${mac}-${randomUUID()}`, key: newMenderKey() }),
    );
    for (const request of requests) await preauthorize(own, request);
    const [first] = requests;
    if (first !== undefined) await preauthorize(own, first);
    if (first !== undefined) await preauthorize(own, first);
    const all = await listMenderLog(own, SYSTEM, { limit: 2 });
    expect(all).toMatchObject({ total: 4, totalIsExact: true });
    const rest = await listMenderLog(own, SYSTEM, {
      limit: 2,
      ...(all.nextCursor === null ? {} : { cursor: all.nextCursor }),
    });
    expect(new Set([...all.data, ...rest.data].map(({ id }) => id)).size).toBe(4);
    const known = await listMenderLog(own, SYSTEM, { limit: 10, outcome: ["already_known"] });
    expect(known.data).toMatchObject([{ count: 2, keySha256: first?.keySha256 }]);
    expect((await listMenderLog(own, SYSTEM, { limit: 10, q: "a%b" })).data).toHaveLength(2);
    await own.db.$disconnect();
  });

  it("keeps the newest only", async () => {
    const own = menderCtx(database.url, double);
    await own.db.$executeRaw`
      INSERT INTO mender_preauthorization SELECT gen_random_uuid(), ${own.namespaceId}, n::text, '', 'refused', '', '', gen_random_uuid(),
        NULL, 1, now(), now() - n * interval '1 second' FROM generate_series(1, ${MAX_ENTRIES + 5}) AS n`;
    await capEntries(own.db, own.namespaceId);
    expect(await own.db.menderPreauthorization.count({ where: { namespaceId: own.namespaceId } })).toBe(MAX_ENTRIES);
    expect(
      await own.db.menderPreauthorization.count({ where: { namespaceId: own.namespaceId, fingerprint: "1" } }),
    ).toBe(1);
    await own.db.$disconnect();
  });
});
