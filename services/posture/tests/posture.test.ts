import { createHash, randomUUID } from "node:crypto";
import { beforeEach, describe, expect, it } from "vitest";
import { ListPostureFindings, POSTURE_CODES, type PostureCode } from "#lib/contracts/console/posture.ts";
import { getPosture, listPostureFindings } from "#services/posture/service.ts";
import { actorOf, expectRefusal } from "#tests/harness/identity.ts";
import { addAuthority, openPosture, type Planted } from "./harness.ts";

const support = actorOf("support");
const world = openPosture();
const KEY = createHash("sha256").update("a shared key").digest("hex");

beforeEach(() => {
  world.ctx = { ...world.ctx, namespaceId: `ns-${randomUUID()}` };
});

async function found(): Promise<Partial<Record<PostureCode, number>>> {
  const { checks } = await getPosture(world.ctx, support);
  return Object.fromEntries(checks.filter(({ count }) => count > 0).map(({ code, count }) => [code, count]));
}

/** Every row of a check, two a page. */
async function walk(code: PostureCode): Promise<(string | null)[]> {
  const all: (string | null)[] = [];
  let cursor: string | undefined;
  do {
    const page = await listPostureFindings(world.ctx, support, {
      code,
      query: ListPostureFindings.parse({ limit: 2, cursor }),
    });
    all.push(...page.data.map(({ deviceUuid }) => deviceUuid));
    if (page.nextCursor === null) expect(all).toHaveLength(page.total);
    cursor = page.nextCursor ?? undefined;
  } while (cursor !== undefined);
  return all;
}

async function useFrom(fingerprint: string, addresses: number, daysAgo: number): Promise<void> {
  const at = world.day(-daysAgo);
  const { namespaceId } = world.ctx;
  await world.ctx.db.certificateAddress.createMany({
    data: Array.from({ length: addresses }, (_, index) => ({
      namespaceId,
      fingerprint,
      address: `192.0.2.${index}`,
      firstAt: at,
      lastAt: at,
    })),
  });
}

describe("posture", () => {
  it("finds nothing in a sound fleet", async () => {
    const authorityId = await addAuthority(world, {});
    const { fingerprint } = await world.plant({ certificate: { authorityId } });
    await world.plant({ certificate: { authorityId, keyType: "RSA-3072" } });
    await useFrom(fingerprint, 4, 0.5);
    expect(await found()).toEqual({});
  });

  const fits: [PostureCode, string, () => Promise<NonNullable<Planted["certificate"]>>][] = [
    ["weak_key", "a key below RSA-3072", async () => ({ keyType: "RSA-2048" })],
    ["long_validity", "a life beyond 825 days", async () => ({ notBefore: world.day(-800) })],
    [
      "long_validity",
      "a life beyond what its authority allows",
      async () => ({ authorityId: await addAuthority(world, { maxValidityDays: 90 }) }),
    ],
    [
      "revoked_authority",
      "a revoked authority",
      async () => ({ authorityId: await addAuthority(world, { state: "revoked" }) }),
    ],
    [
      "authority_ends_first",
      "an authority that ends first",
      async () => ({ authorityId: await addAuthority(world, { endsInDays: 99 }) }),
    ],
    [
      "authority_ends_first",
      "an authority that ends soon",
      async () => ({ notAfter: world.day(5), authorityId: await addAuthority(world, { endsInDays: 80 }) }),
    ],
    ["clock_skew", "a first use before its validity", async () => ({ firstSeenAt: world.day(-300) })],
    ["never_used", "no use in 30 days", async () => ({ admittedAt: null, lastSeenAt: null })],
  ];
  it.each(fits)("%s: %s, and no other certificate than it", async (code, _what, make) => {
    const certificate = await make();
    const { uuid } = await world.plant({ certificate });
    await world.plant();
    for (const over of [
      { state: "revoked" },
      { notAfter: world.day(-1) },
      { graceUntil: world.day(-1) },
      { canary: true },
    ]) {
      await world.plant({ certificate: { ...certificate, ...over } });
    }
    expect(await found()).toEqual({ [code]: 1 });
    expect(await walk(code)).toEqual([uuid]);
  });

  it("shared_key: one key of several devices, not of one device twice", async () => {
    const planted = await Promise.all(
      ["allowed", "pending", "held"].map((state) => world.plant({ certificate: { spkiSha256: KEY, state } })),
    );
    await world.plant({ certificate: { spkiSha256: KEY, state: "revoked" } });
    const twice = await world.plant({ certificate: { spkiSha256: "b".repeat(64) } });
    await world.plant({ certificate: { spkiSha256: "b".repeat(64), deviceUuid: twice.uuid } });
    expect(await found()).toEqual({ shared_key: 3 });
    expect((await walk("shared_key")).sort()).toEqual(planted.map(({ uuid }) => uuid).sort());
  });

  it("many_addresses: five within a day", async () => {
    const { uuid, fingerprint } = await world.plant();
    await useFrom(fingerprint, 5, 0.5);
    await useFrom((await world.plant()).fingerprint, 9, 2);
    expect(await found()).toEqual({ many_addresses: 1 });
    expect(await walk("many_addresses")).toEqual([uuid]);
  });

  it("clock_skew: refused as not valid yet lately, known here or not", async () => {
    const { uuid, fingerprint } = await world.plant();
    const refusal = { code: "not_yet_valid", sentence: "x", address: "192.0.2.1", count: 1, firstAt: world.day(-9) };
    const { namespaceId } = world.ctx;
    await world.ctx.db.refusedAttempt.createMany({
      data: [
        { id: randomUUID(), namespaceId, ...refusal, fingerprint, lastAt: world.day(-1) },
        { id: randomUUID(), namespaceId, ...refusal, fingerprint: "c".repeat(64), lastAt: world.day(-1) },
        { id: randomUUID(), namespaceId, ...refusal, fingerprint: "d".repeat(64), lastAt: world.day(-8) },
      ],
    });
    expect(await found()).toEqual({ clock_skew: 2 });
    expect(new Set(await walk("clock_skew"))).toEqual(new Set([uuid, null]));
  });

  it("name_clash: devices alike but for case and blanks, authorities with one subject", async () => {
    const names = ["Truck 7", "truck  7", "TRUCK7"];
    for (const name of [...names, "truck 8"]) await world.plant({ name });
    for (const state of ["open", "closed", "revoked"]) await addAuthority(world, { subjectDn: "CN=Plant", state });
    expect(await found()).toEqual({ name_clash: 5 });
    expect(await walk("name_clash")).toHaveLength(5);
  });

  it("sees nothing of another namespace, and refuses a cursor of another check", async () => {
    for (let i = 0; i < 2; i++) await world.plant({ certificate: { keyType: "RSA-2048", spkiSha256: KEY } });
    const query = ListPostureFindings.parse({ limit: 1 });
    const { nextCursor } = await listPostureFindings(world.ctx, support, { code: "weak_key", query });
    const foreign = { code: "shared_key" as const, query: { ...query, cursor: nextCursor ?? "" } };
    await expectRefusal(listPostureFindings(world.ctx, support, foreign), "request.invalid");
    const { checks } = await getPosture({ ...world.ctx, namespaceId: "elsewhere" }, support);
    expect(checks.map(({ code, count }) => [code, count])).toEqual(POSTURE_CODES.map((code) => [code, 0]));
  });
});
