import { randomBytes, randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Certificate, ListCertificates } from "#lib/contracts/console/certificates.ts";
import type { CertificateFacts } from "#lib/pki/certificates.ts";
import {
  countTrust,
  listCertificates,
  listRefusals,
  type RefusedVisit,
  recordRefusals,
  revokeCertificate,
} from "#services/identity/service.ts";
import { createTestDatabase, type TestDatabase } from "#tests/harness/database.ts";
import { actorOf, expectRefusal, type IdentityWorld, identityWorld } from "#tests/harness/identity.ts";
import { createSoftwareCa } from "#tests/pki/software-ca.ts";

const support = actorOf("support");
const admin = actorOf("admin");
const DAY_MS = 86_400_000;
const fingerprints = Array.from({ length: 7 }, () => randomBytes(32).toString("hex"));
let database: TestDatabase;
let world: IdentityWorld;

beforeAll(async () => {
  database = await createTestDatabase();
  world = identityWorld(database.url);
  // All at the same instant, so that only the second sort column orders them.
  await world.ctx.db.deviceCertificate.createMany({
    data: fingerprints.map((fingerprint) => ({
      namespaceId: world.ctx.namespaceId,
      fingerprint,
      name: "100% truck",
      state: "allowed",
      createdAt: world.clock.now,
    })),
  });
});
afterAll(async () => {
  await world.ctx.db.$disconnect();
  await database.drop();
});

const query = (change: Partial<ListCertificates> = {}): ListCertificates => ({
  limit: 50,
  sort: "-createdAt",
  ...change,
});

async function walk(change: Partial<ListCertificates>): Promise<Certificate[]> {
  const all: Certificate[] = [];
  let cursor: string | undefined;
  do {
    const page = await listCertificates(world.ctx, support, query({ ...change, ...(cursor ? { cursor } : {}) }));
    expect(page).toMatchObject({ total: fingerprints.length, totalIsExact: true });
    all.push(...page.data);
    cursor = page.nextCursor ?? undefined;
  } while (cursor !== undefined);
  return all;
}

describe("listCertificates", () => {
  it.each(["createdAt", "-createdAt"] as const)("pages by %s without losing or doubling a row", async (sort) => {
    const walked = (await walk({ sort, limit: 2 })).map(({ fingerprint }) => fingerprint);
    const ordered = [...fingerprints].sort();
    expect(walked).toEqual(sort === "createdAt" ? ordered : ordered.reverse());
  });

  it("finds by name, taking % and _ literally, and by the start of a fingerprint with or without colons", async () => {
    const [first = ""] = fingerprints;
    const found = async (q: string) => (await listCertificates(world.ctx, support, query({ q }))).total;
    expect(await found("100% TRUCK")).toBe(7);
    expect(await found("100_ truck")).toBe(0);
    expect(await found(`${first.slice(0, 2)}:${first.slice(2, 20)}`.toUpperCase())).toBe(1);
    expect(await found("nothing like it")).toBe(0);
    expect(await found("a\u0000b")).toBe(0);
  });

  it("derives expired from allowed and the end of validity", async () => {
    const [fingerprint = ""] = fingerprints;
    const notAfter = new Date(world.clock.now.getTime() - 1000);
    await world.ctx.db.deviceCertificate.updateMany({ where: { fingerprint }, data: { notAfter } });
    const states = async (state: Certificate["state"]) =>
      (await listCertificates(world.ctx, support, query({ state }))).data.map((row) => [row.fingerprint, row.state]);
    expect(await states("expired")).toEqual([[fingerprint, "expired"]]);
    expect(await states("allowed")).toHaveLength(6);
    const later = fingerprints[1] ?? "";
    await world.ctx.db.deviceCertificate.updateMany({
      where: { fingerprint: later },
      data: { notAfter: new Date(world.clock.now.getTime() + 5 * DAY_MS) },
    });
    expect(await countTrust(world.ctx, support)).toMatchObject({ pending: 0, expiringIn30Days: 1 });
  });

  it("filters by state and never shows another namespace's", async () => {
    await revokeCertificate(world.ctx, admin, { fingerprint: fingerprints[2] ?? "" });
    expect((await listCertificates(world.ctx, support, query({ state: "revoked" }))).total).toBe(1);
    const elsewhere = { ...world.ctx, namespaceId: "elsewhere" };
    expect((await listCertificates(elsewhere, support, query())).total).toBe(0);
  });

  it("refuses a cursor that it did not give out", async () => {
    const made = (parts: string[]) => Buffer.from(JSON.stringify(parts)).toString("base64url");
    for (const cursor of ["x", "W10", made(["no date", "x"]), made([new Date().toISOString(), "ab"])]) {
      await expectRefusal(listCertificates(world.ctx, support, query({ cursor })), "request.invalid");
      await expectRefusal(listRefusals(world.ctx, support, { limit: 5, cursor }), "request.invalid");
    }
  });
});

describe("refusals", () => {
  let leaf: CertificateFacts;
  beforeAll(async () => {
    leaf = (await (await createSoftwareCa()).issue()).certificate;
  });
  const attempt = (change: Partial<RefusedVisit> = {}): RefusedVisit => ({
    leaf,
    code: "unknown_authority",
    sentence: "Unknown.",
    authorityId: null,
    address: "192.0.2.1",
    count: 1,
    at: world.clock.now,
    ...change,
  });

  it("are one row a fingerprint and code, counted, latest first", async () => {
    const later = new Date(world.clock.now.getTime() + 1000);
    await recordRefusals(world.ctx, [attempt(), attempt({ code: "expired" })]);
    await recordRefusals(world.ctx, [attempt({ count: 4, at: later, address: "192.0.2.2" })]);
    await recordRefusals(world.ctx, [attempt({ leaf: null, code: "no_certificate" })]);
    const page = await listRefusals(world.ctx, support, { limit: 50 });
    expect(page.total).toBe(3);
    expect(page.data[0]).toMatchObject({
      code: "unknown_authority",
      count: 5,
      address: "192.0.2.2",
      addresses: ["192.0.2.2", "192.0.2.1"],
      firstAt: world.clock.now.toISOString(),
      lastAt: later.toISOString(),
    });
    expect(page.data.find(({ code }) => code === "no_certificate")).toMatchObject({ fingerprint: null, subject: null });
  });

  it("keep the newest sixteen addresses of a row, each once, and are found by any of them", async () => {
    const code = "held";
    const addresses = Array.from({ length: 15 }, (_, index) => `198.51.100.${index + 1}`);
    await recordRefusals(world.ctx, [attempt({ code })]);
    await recordRefusals(world.ctx, [attempt({ code, address: "198.51.100.1", addresses })]);
    const list = async (q: string) => (await listRefusals(world.ctx, support, { limit: 5, code, q })).data;
    expect((await list("192.0.2.1"))[0]?.addresses).toEqual([...addresses, "192.0.2.1"]);
    await recordRefusals(world.ctx, [attempt({ code, address: "198.51.100.9" }), attempt({ address: "192.0.2.2" })]);
    await recordRefusals(world.ctx, [attempt({ code, address: "203.0.113.5" })]);
    const [row] = await list("198.51.100.15");
    const before = addresses.filter((address) => address !== "198.51.100.9");
    expect(row?.addresses).toEqual(["203.0.113.5", "198.51.100.9", ...before]);
    expect([await list("192.0.2.1"), row?.count]).toEqual([[], 4]);
    await world.ctx.db.refusedAttempt.deleteMany({ where: { code } });
  });

  it("are capped: the oldest are forgotten first, and strangers leave room for what our authorities signed", async () => {
    const ours = { ...leaf, fingerprint: randomBytes(32).toString("hex") };
    await recordRefusals(world.ctx, [attempt({ leaf: ours, code: "expired", authorityId: randomUUID() })]);
    const flood = Array.from({ length: 1_100 }, (_, index) =>
      attempt({
        leaf: { ...leaf, fingerprint: randomBytes(32).toString("hex") },
        at: new Date(world.clock.now.getTime() + 10_000 + index),
      }),
    );
    await recordRefusals(world.ctx, flood);
    const page = await listRefusals(world.ctx, support, { limit: 200 });
    expect(page.total).toBe(802);
    expect(page.data[0]?.fingerprint).toBe(flood.at(-1)?.leaf?.fingerprint);
    const kept = new Set((await world.ctx.db.refusedAttempt.findMany()).map(({ fingerprint }) => fingerprint));
    expect([kept.has(ours.fingerprint), kept.has("")]).toEqual([true, true]);
    expect(kept.has(flood[299]?.leaf?.fingerprint ?? "")).toBe(false);
    expect(kept.has(flood[300]?.leaf?.fingerprint ?? "")).toBe(true);
  });
});
