import { createPrivateKey, X509Certificate } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Ctx } from "#lib/ctx.ts";
import { parseCertificate } from "#lib/pki/certificates.ts";
import { createServerCa, issueServerCertificate, openIssuingCa } from "#lib/pki/issue.ts";
import { isSignedBy } from "#lib/pki/issuer.ts";
import {
  cancelServerCa,
  ensureAuthorities,
  listKnownAuthorities,
  loadDoorCertificate,
  loadDoorRootPem,
  prepareServerCa,
  switchServerCa,
} from "#services/authorities/service.ts";
import { createTestClock, createTestCtx } from "#tests/harness/ctx.ts";
import { createTestDatabase, type TestDatabase } from "#tests/harness/database.ts";
import { actorOf, auditStory, expectRefusal } from "#tests/harness/identity.ts";

const DAY_MS = 86_400_000;
const clock = createTestClock();
const folder = mkdtempSync(join(tmpdir(), "gatehouse-door-"));
let database: TestDatabase;
let ctx: Ctx;
let second: Ctx;

beforeAll(async () => {
  database = await createTestDatabase();
  ctx = createTestCtx(database.url, { clock, settings: { GATEWAY_HOST: "gate.example,127.0.0.1" } });
  second = createTestCtx(database.url, { clock, like: ctx, settings: { GATEWAY_HOST: "gate.example,127.0.0.1" } });
});
afterAll(async () => {
  await Promise.all([ctx.db.$disconnect(), second.db.$disconnect()]);
  await database.drop();
  rmSync(folder, { recursive: true });
});

const rowCounts = async () => ({
  authorities: await ctx.db.authority.count(),
  serverCas: await ctx.db.serverCertificate.count({ where: { kind: "server_ca" } }),
  doors: await ctx.db.serverCertificate.count({ where: { kind: "device_door" } }),
});

describe("the first start", () => {
  it("makes one fleet CA, one server CA and one door certificate, whoever starts at the same time", async () => {
    await Promise.all([ctx, second, ctx, second].map((process) => ensureAuthorities(process)));
    expect(await rowCounts()).toEqual({ authorities: 1, serverCas: 1, doors: 1 });
    expect(await auditStory(ctx)).toEqual(["authority.create done", "authority.create done"]);
  });

  it("keeps every private key sealed", async () => {
    const rows = [...(await ctx.db.authority.findMany()), ...(await ctx.db.serverCertificate.findMany())];
    expect(rows).toHaveLength(3);
    for (const row of rows) {
      const sealed = Buffer.from(row.sealedKey ?? []);
      expect(sealed.length).toBeGreaterThan(100);
      expect(sealed.includes("PRIVATE KEY")).toBe(false);
      expect(() => createPrivateKey({ key: sealed, format: "der", type: "pkcs8" })).toThrow();
    }
  });

  it("leaves a fleet CA that asks a person about newcomers", async () => {
    const [authority] = await listKnownAuthorities(ctx);
    expect(authority).toMatchObject({ state: "open", policy: "ask", certificate: { isCa: true } });
  });
});

describe("the door's certificate", () => {
  it("answers for every name of GATEWAY_HOST and chains to the root that devices get", async () => {
    const door = await loadDoorCertificate(ctx);
    const leaf = new X509Certificate(door.chainPem);
    expect(leaf.checkHost("gate.example")).toBe("gate.example");
    expect(leaf.checkIP("127.0.0.1")).toBe("127.0.0.1");
    expect(leaf.checkPrivateKey(createPrivateKey(door.privateKeyPem))).toBe(true);
    expect(isSignedBy(parseCertificate(door.chainPem), parseCertificate(await loadDoorRootPem(ctx)))).toBe(true);
  });

  it("stays the same while its names stay and more than a third of its life is left", async () => {
    const before = await loadDoorCertificate(ctx);
    clock.advance(240 * DAY_MS);
    await ensureAuthorities(ctx);
    expect((await loadDoorCertificate(ctx)).fingerprint).toBe(before.fingerprint);
    expect((await rowCounts()).doors).toBe(1);
  });

  it("is renewed under the same CA when a third of its life is left, so that devices notice nothing", async () => {
    const before = await loadDoorCertificate(ctx);
    const root = await loadDoorRootPem(ctx);
    clock.advance(10 * DAY_MS);
    await Promise.all([ensureAuthorities(ctx), ensureAuthorities(second)]);
    const after = await loadDoorCertificate(ctx);
    expect(after.fingerprint).not.toBe(before.fingerprint);
    expect(await loadDoorRootPem(ctx)).toBe(root);
    expect(await rowCounts()).toMatchObject({ doors: 2, serverCas: 1 });
  });

  it("is made anew when GATEWAY_HOST changes", async () => {
    const renamed = createTestCtx(database.url, { clock, like: ctx, settings: { GATEWAY_HOST: "other.example" } });
    clock.advance(1000);
    try {
      await ensureAuthorities(renamed);
      expect(new X509Certificate((await loadDoorCertificate(ctx)).chainPem).checkHost("other.example")).toBeTruthy();
    } finally {
      await renamed.db.$disconnect();
    }
  });

  it("does not load with another master key", async () => {
    const stranger = createTestCtx(database.url, { clock });
    await expectRefusal(loadDoorCertificate(stranger), "keys.unsealable");
    await stranger.db.$disconnect();
  });
});

describe("an own certificate in DEVICE_DOOR_CERT", () => {
  const write = (name: string, text: string) => {
    writeFileSync(join(folder, name), text);
    return join(folder, name);
  };
  const withFiles = (cert: string, key: string): Ctx => ({
    ...ctx,
    config: { ...ctx.config, DEVICE_DOOR_CERT: cert, DEVICE_DOOR_KEY: key },
  });

  it("wins over ours, and its CA becomes the devices' root", async () => {
    const ca = await createServerCa({ commonName: "Own CA", now: clock.now });
    const issuing = openIssuingCa(ca.certificate, ca.privateKeyPem);
    const own = await issueServerCertificate({ ca: issuing, names: ["own.example"], now: clock.now });
    const files = withFiles(
      write("chain.pem", own.certificatePem + ca.certificatePem),
      write("key.pem", own.privateKeyPem),
    );
    expect((await loadDoorCertificate(files)).fingerprint).toBe(own.certificate.fingerprint);
    expect(await loadDoorRootPem(files)).toBe(ca.certificatePem);
    const leafOnly = withFiles(write("leaf.pem", own.certificatePem), write("key.pem", own.privateKeyPem));
    expect(parseCertificate(await loadDoorRootPem(leafOnly)).subjectCn).toMatch(/^Gatehouse server CA/);

    const other = await issueServerCertificate({ ca: issuing, names: ["own.example"], now: clock.now });
    const mixed = withFiles(write("leaf.pem", own.certificatePem), write("other.pem", other.privateKeyPem));
    await expectRefusal(loadDoorCertificate(mixed), "config.invalid");
    const lastYear = new Date(clock.now.getTime() - 400 * DAY_MS);
    const oldCa = await createServerCa({ commonName: "Old CA", now: lastYear });
    const expired = await issueServerCertificate({
      ca: openIssuingCa(oldCa.certificate, oldCa.privateKeyPem),
      names: ["own.example"],
      now: lastYear,
    });
    const old = withFiles(write("old.pem", expired.certificatePem), write("old.key", expired.privateKeyPem));
    await expectRefusal(loadDoorCertificate(old), "config.invalid");
  });

  it("is refused in one sentence when a file is missing or holds something else", async () => {
    const missing = withFiles(join(folder, "nowhere.pem"), join(folder, "nowhere.key"));
    await expectRefusal(loadDoorCertificate(missing), "config.invalid");
    const rubbish = withFiles(write("rubbish.pem", "rubbish"), write("rubbish.key", "rubbish"));
    await expectRefusal(loadDoorCertificate(rubbish), "config.invalid");
  });
});

describe("the next server CA", () => {
  const certificates = async () => (await loadDoorCertificate(ctx)).chainPem.match(/BEGIN CERTIFICATE/g)?.length;
  const cross = async () =>
    (await ctx.db.serverCertificate.findMany({ where: { kind: "server_ca_cross" } })).map(({ id }) => id);

  it("is an admin's to prepare and to switch to, and not there for an own certificate", async () => {
    const operator = actorOf("operator");
    await expectRefusal(prepareServerCa(ctx, operator), "auth.forbidden");
    const count = async () => 0;
    await expectRefusal(switchServerCa(ctx, operator, { devicesWithout: 0, count }), "auth.forbidden");
    await expectRefusal(cancelServerCa(ctx, operator, { devicesWith: 0, count }), "auth.forbidden");
    await expectRefusal(cancelServerCa(ctx, actorOf("admin"), { devicesWith: 0, count }), "authority.wrong_state");
    const own: Ctx = { ...ctx, config: { ...ctx.config, DEVICE_DOOR_CERT: "x", DEVICE_DOOR_KEY: "y" } };
    await expectRefusal(prepareServerCa(own, actorOf("admin")), "authority.wrong_state");
    expect(await cross()).toEqual([]);
  });

  it("is made once, whoever prepares it at the same time", async () => {
    const outcomes = await Promise.allSettled([ctx, second].map((each) => prepareServerCa(each, actorOf("admin"))));
    expect(outcomes.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"]);
    expect(await ctx.db.serverCertificate.count({ where: { kind: "server_ca_next" } })).toBe(1);
  });

  it("vouches for the old one for a month at a time, which is renewed before it ends", async () => {
    const [first] = await cross();
    expect(await certificates()).toBe(2);
    clock.advance(15 * DAY_MS);
    await ensureAuthorities(ctx);
    expect(await cross()).toEqual([first]);
    clock.advance(6 * DAY_MS);
    await Promise.all([ensureAuthorities(ctx), ensureAuthorities(second)]);
    const renewed = await cross();
    expect(renewed).toHaveLength(1);
    expect(renewed).not.toEqual([first]);
    // Nobody renews it: the doors stop showing what nobody would believe.
    clock.advance(31 * DAY_MS);
    expect(await certificates()).toBe(1);
  });

  it("is dropped with its key, and the doors and new credentials have only the one in force", async () => {
    await ensureAuthorities(ctx);
    expect(await certificates()).toBe(2);
    const inForce = await ctx.db.serverCertificate.findFirstOrThrow({ where: { kind: "server_ca" } });
    expect(parseCertificate(await loadDoorRootPem(ctx)).der).not.toEqual(Buffer.from(inForce.certificate));
    const cancel = (devicesWith: number) =>
      cancelServerCa(ctx, actorOf("admin"), { devicesWith, count: async () => 3 });
    await expectRefusal(cancel(2), "authority.count_changed");
    expect(await cancel(3)).toMatchObject({ current: { id: inForce.id }, next: null });
    expect(await certificates()).toBe(1);
    expect(parseCertificate(await loadDoorRootPem(ctx)).der).toEqual(Buffer.from(inForce.certificate));
    const left = await ctx.db.serverCertificate.findMany({ where: { kind: { startsWith: "server_ca_" } } });
    expect(left).toEqual([]);
    expect(await auditStory(ctx)).toContain("server_ca.cancel done");
    await prepareServerCa(ctx, actorOf("admin"));
    expect(await certificates()).toBe(2);
  });

  it("is in force once switched to, even if it was made while the clock was behind", async () => {
    const next = { kind: "server_ca_next" };
    await ctx.db.serverCertificate.updateMany({ where: next, data: { createdAt: new Date(0) } });
    const { id } = await ctx.db.serverCertificate.findFirstOrThrow({ where: next });
    const switched = await switchServerCa(ctx, actorOf("admin"), { devicesWithout: 0, count: async () => 0 });
    expect(switched).toMatchObject({ current: { id }, next: null });
    await ensureAuthorities(second);
    expect(await rowCounts()).toMatchObject({ serverCas: 2 });
  });
});
