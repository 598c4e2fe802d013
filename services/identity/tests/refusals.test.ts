import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { decideAdmission } from "#lib/pki/admission.ts";
import { type CertificateFacts, certificatePem } from "#lib/pki/certificates.ts";
import { listKnownAuthorities } from "#services/authorities/service.ts";
import {
  admitRefused,
  getRefusal,
  holdCertificate,
  issueDevice,
  listRefusalRates,
  listRefusals,
  readAdmissionFacts,
  recordPending,
  recordRefusals,
  rejectCertificate,
  revokeCertificate,
} from "#services/identity/service.ts";
import { visitOf } from "#tests/harness/admission.ts";
import { createTestDatabase, type TestDatabase } from "#tests/harness/database.ts";
import { actorOf, auditStory, expectRefusal, type IdentityWorld, identityWorld } from "#tests/harness/identity.ts";
import { addAuthority } from "#tests/pki/authority.ts";
import { createSoftwareCa, type LeafOptions, type SoftwareCa } from "#tests/pki/software-ca.ts";

const admin = actorOf("admin");
const support = actorOf("support");
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
let database: TestDatabase;
let world: IdentityWorld;
let ca: SoftwareCa;
let authorityId: string;

beforeAll(async () => {
  database = await createTestDatabase();
  world = identityWorld(database.url);
  world.clock.now = new Date();
  ca = await createSoftwareCa({ commonName: "Plant CA" });
  authorityId = await addAuthority(world.ctx, ca.certificate);
});
afterAll(async () => {
  await world.ctx.db.$disconnect();
  await database.drop();
});

/** Judges the leaf as the door does, and records the refusal as the door does. */
async function refuse(leaf: CertificateFacts, address = "192.0.2.7"): Promise<string> {
  const { ctx, clock } = world;
  clock.now = new Date(clock.now.getTime() + 1);
  const question = { leaf, address, authorities: await listKnownAuthorities(ctx), now: clock.now };
  const nothing = { known: null, allowlisted: false, otherAllowedCount: 0, newcomersLastHour: 0 };
  const stranger = decideAdmission({ ...question, ...nothing });
  const { authorityId: signer } = stranger;
  const device = stranger.admitted ? null : stranger.device;
  const facts =
    signer === null
      ? nothing
      : await readAdmissionFacts(ctx.db, ctx.namespaceId, { leaf, device, authorityId: signer }, clock.now);
  const decision = decideAdmission({ ...question, ...facts });
  if (decision.admitted) throw new Error("it would be let in");
  const { code, sentence } = decision;
  await recordRefusals(ctx, [{ leaf, code, sentence, authorityId: signer, address, count: 1, at: clock.now }]);
  return code;
}

async function latest() {
  const { data } = await listRefusals(world.ctx, support, { limit: 1 });
  const [first] = data;
  if (first === undefined) throw new Error("nothing was refused");
  return first;
}

/** Rules of the authority for one test. */
async function withRules<T>(rules: object, run: () => Promise<T>): Promise<T> {
  const before = { state: "open", policy: "ask", subjectPattern: null, keyTypes: [], maxValidityDays: null };
  const where = { id: authorityId };
  await world.ctx.db.authority.update({ where, data: rules });
  try {
    return await run();
  } finally {
    const none = { newcomersPerHour: null, sourceNetworks: [], deviceIdField: "cn", stateChangedBy: null };
    await world.ctx.db.authority.update({ where, data: { ...before, ...none, stateChangedAt: null } });
  }
}

async function decided(act: (fingerprint: string) => Promise<unknown>): Promise<CertificateFacts> {
  const { certificate } = await ca.issue();
  await recordPending(world.ctx, visitOf(certificate, authorityId));
  await act(certificate.fingerprint);
  return certificate;
}

async function allowed(fingerprint: string): Promise<void> {
  await world.ctx.db.deviceCertificate.updateMany({ where: { fingerprint }, data: { state: "allowed" } });
}

describe("a refusal says to people what the device is not told", () => {
  const issued = (options: LeafOptions) => async () => (await ca.issue(options)).certificate;
  const inDays = (days: number) => new Date(Date.now() + days * DAY_MS);
  const day = (days: number) => inDays(days).toISOString().slice(0, 10);

  it.each<[string, () => Promise<CertificateFacts>, RegExp, object?]>([
    [
      "unknown_authority",
      async () => (await (await createSoftwareCa({ commonName: "Stranger" })).issue()).certificate,
      /^Issued by CN=Stranger, which is not known here\.$/,
    ],
    [
      "unknown_authority",
      async () => (await createSoftwareCa({ commonName: "Me" })).certificate,
      /signed by itself, CN=Me/,
    ],
    [
      "bad_signature",
      async () => (await (await createSoftwareCa({ commonName: "Plant CA" })).issue()).certificate,
      /CN=Plant CA, like Outside CA here, but with another key/,
    ],
    [
      "expired",
      issued({ notBefore: inDays(-30), notAfter: inDays(-12.5) }),
      new RegExp(`^Expired on ${day(-12.5)}, 12 days ago`),
    ],
    ["not_yet_valid", issued({ notBefore: inDays(2) }), new RegExp(`^Valid from ${day(2)}`)],
    ["wrong_usage", issued({ extendedKeyUsage: ["1.3.6.1.5.5.7.3.1"] }), /is serverAuth; clientAuth is missing/],
    ["wrong_usage", issued({ keyUsage: ["keyEncipherment"] }), /is keyEncipherment; digitalSignature is missing/],
    ["wrong_usage", issued({ isCa: true }), /certificate of an authority/],
    ["weak_key", issued({ key: "rsa1024" }), /RSA-1024/],
    ["weak_signature", issued({ hash: "SHA-1" }), /SHA-1/],
    ["unsupported_extension", issued({ criticalExtensions: ["1.2.3.4"] }), /1\.2\.3\.4/],
    ["subject_not_uuid", issued({ commonNames: ["press 7"] }), /CN=press 7/],
    ["device_id_missing", issued({}), /from the field serial_number/, { deviceIdField: "serial_number" }],
    [
      "authority_closed",
      issued({}),
      /^Outside CA was closed by Mara on 2026-01-02/,
      {
        state: "closed",
        stateChangedBy: "Mara",
        stateChangedAt: new Date("2026-01-02"),
      },
    ],
    ["authority_revoked", issued({}), /^Outside CA was revoked by Mara/, { state: "revoked", stateChangedBy: "Mara" }],
    [
      "address_not_allowed",
      issued({}),
      /came from 192\.0\.2\.7; Outside CA takes devices from 10\.0\.0\.0\/8/,
      {
        sourceNetworks: ["10.0.0.0/8"],
      },
    ],
    [
      "subject_not_allowed",
      issued({ commonNames: [randomUUID()] }),
      /admits CN=truck/,
      { subjectPattern: "CN=truck*" },
    ],
    ["key_type_not_allowed", issued({}), /is P-256; Outside CA admits Ed25519/, { keyTypes: ["Ed25519"] }],
    ["validity_too_long", issued({}), /valid for 366 days; Outside CA admits 90/, { maxValidityDays: 90 }],
    ["too_many_newcomers", issued({}), /Outside CA admits 0 newcomers/, { newcomersPerHour: 0, policy: "allow_all" }],
    ["not_on_allowlist", issued({}), /on its allowlist/, { policy: "allowlist" }],
    [
      "revoked",
      () =>
        decided(async (fingerprint) => {
          await allowed(fingerprint);
          await revokeCertificate(world.ctx, admin, { fingerprint, reason: "keyCompromise", note: "stolen van" });
        }),
      new RegExp(`^Revoked by admin on ${day(0)}: the key may be known to others\\. Note: stolen van\\.$`),
    ],
    [
      "rejected",
      () => decided((fingerprint) => rejectCertificate(world.ctx, admin, { fingerprint })),
      /^Rejected by admin on/,
    ],
    [
      "held",
      () =>
        decided(async (fingerprint) => {
          await allowed(fingerprint);
          await holdCertificate(world.ctx, admin, { fingerprint, note: "in repair" });
        }),
      /^Put on hold by admin .*: .*in repair\.$/,
    ],
    [
      "superseded",
      () =>
        decided((fingerprint) =>
          world.ctx.db.deviceCertificate.updateMany({
            where: { fingerprint },
            data: { state: "superseded", graceUntil: new Date("2026-01-02") },
          }),
        ),
      /good until 2026-01-02/,
    ],
  ])("%s", async (code, make, said, rules = {}) => {
    const leaf = await make();
    await withRules(rules, async () => expect(await refuse(leaf)).toBe(code));
    const row = await latest();
    expect(row).toMatchObject({ code, fingerprint: leaf.fingerprint, address: "192.0.2.7" });
    expect(row.detail).toMatch(said);
    expect(row.authority?.id ?? null).toBe(["unknown_authority", "bad_signature"].includes(code) ? null : authorityId);
    // What the device is told stays the same for everybody.
    expect(row.sentence).not.toMatch(/Mara|admin|Outside CA|192\.0\.2\.7/);
    expect(await getRefusal(world.ctx, support, row.id)).toMatchObject({
      certificate: { serial: leaf.serialHex, keyType: leaf.key.type, pem: certificatePem(leaf) },
    });
  });

  it("with no certificate there is nothing more to say", async () => {
    const at = world.clock.now;
    const none = { leaf: null, authorityId: null, address: "192.0.2.8", count: 3, at };
    await recordRefusals(world.ctx, [{ ...none, code: "tls_too_old", sentence: "Old." }]);
    const { data } = await listRefusals(world.ctx, support, { limit: 5, code: "tls_too_old" });
    expect(data).toMatchObject([{ code: "tls_too_old", detail: null, fingerprint: null, remedy: "none", count: 3 }]);
    expect((await getRefusal(world.ctx, support, data[0]?.id ?? "")).certificate).toBeNull();
  });

  it("is found by code and by authority, and never in another namespace", async () => {
    const total = async (query: object) => (await listRefusals(world.ctx, support, { limit: 200, ...query })).total;
    expect(await total({ code: "wrong_usage" })).toBe(3);
    expect(await total({ authorityId })).toBe((await total({})) - (await total({ code: "unknown_authority" })) - 2);
    expect(await total({ authorityId: randomUUID() })).toBe(0);
    const elsewhere = { ...world.ctx, namespaceId: "elsewhere" };
    await expectRefusal(getRefusal(elsewhere, support, (await latest()).id), "refusal.not_found");
  });
});

describe("admitting from the list", () => {
  it("puts a certificate of a known authority on the allowlist, and is audited; twice is fine", async () => {
    const leaf = (await ca.issue()).certificate;
    await withRules({ policy: "allowlist" }, async () => {
      expect(await refuse(leaf)).toBe("not_on_allowlist");
      const { id, remedy } = await latest();
      expect(remedy).toBe("admit");
      await expectRefusal(admitRefused(world.ctx, support, { id }), "auth.forbidden");
      expect(await admitRefused(world.ctx, admin, { id, name: "Press 9" })).toEqual({
        fingerprint: leaf.fingerprint,
        isIn: false,
      });
      expect(await admitRefused(world.ctx, admin, { id })).toMatchObject({ isIn: false });
      await expect(refuse(leaf)).rejects.toThrow("it would be let in");
    });
    expect((await auditStory(world.ctx)).filter((entry) => entry.startsWith("allowlist.add"))).toHaveLength(1);
  });

  it("lets the one in that comes when its authority had enough newcomers, at once when it waits meanwhile", async () => {
    const leaf = (await ca.issue()).certificate;
    await withRules({ newcomersPerHour: 0 }, async () => expect(await refuse(leaf)).toBe("too_many_newcomers"));
    await recordPending(world.ctx, visitOf(leaf, authorityId));
    expect(await admitRefused(world.ctx, admin, { id: (await latest()).id })).toMatchObject({ isIn: true });
    const row = await world.ctx.db.deviceCertificate.findFirst({ where: { fingerprint: leaf.fingerprint } });
    expect(row?.state).toBe("allowed");
  });

  it.each<[string, object]>([
    ["its authority was closed since", { state: "closed" }],
    ["its authority was revoked since", { state: "revoked" }],
    ["its authority admits other keys since", { keyTypes: ["Ed25519"] }],
  ])("refuses when %s", async (_what, rules) => {
    const leaf = (await ca.issue()).certificate;
    await withRules({ policy: "allowlist" }, () => refuse(leaf));
    const { id } = await latest();
    await withRules({ policy: "allowlist", ...rules }, () =>
      expectRefusal(admitRefused(world.ctx, admin, { id }), "refusal.not_admissible"),
    );
    expect(await world.ctx.db.allowlistEntry.count({ where: { value: leaf.fingerprint } })).toBe(0);
  });

  it("refuses what somebody decided about, strangers, and what is not on the list", async () => {
    const leaf = (await ca.issue()).certificate;
    await withRules({ policy: "allowlist" }, () => refuse(leaf));
    const { id } = await latest();
    await recordPending(world.ctx, visitOf(leaf, authorityId));
    await rejectCertificate(world.ctx, admin, { fingerprint: leaf.fingerprint });
    await expectRefusal(admitRefused(world.ctx, admin, { id }), "refusal.not_admissible");
    await refuse((await (await createSoftwareCa({ commonName: "Stranger" })).issue()).certificate);
    await expectRefusal(admitRefused(world.ctx, admin, { id: (await latest()).id }), "refusal.not_admissible");
    await expectRefusal(admitRefused(world.ctx, admin, { id: randomUUID() }), "refusal.not_found");
  });

  it("refuses a second certificate of a device that has one: that is a decision of its own", async () => {
    const { uuid } = await issueDevice(world.ctx, admin, { name: "Has one", hardwareId: "rpi4" });
    const leaf = (await ca.issue({ commonNames: [uuid] })).certificate;
    world.clock.now = new Date(world.clock.now.getTime() + 1);
    await recordRefusals(world.ctx, [
      { leaf, code: "not_on_allowlist", sentence: "x", authorityId, address: "x", count: 1, at: world.clock.now },
    ]);
    await expectRefusal(admitRefused(world.ctx, admin, { id: (await latest()).id }), "refusal.not_admissible");
  });
});

describe("unusual rates", () => {
  async function rateOf(code: string) {
    return (await listRefusalRates(world.ctx, support)).data.find((rate) => rate.code === code);
  }
  async function attempts(code: string, count: number, address = "198.51.100.1") {
    const visit = { leaf: null, sentence: "x", authorityId: null, count, at: world.clock.now };
    await recordRefusals(world.ctx, [{ ...visit, code, address }]);
  }

  it("are more than fifty an hour, and more than five times the median of the hours of a week", async () => {
    world.clock.now = new Date(Math.ceil(Date.now() / HOUR_MS) * HOUR_MS);
    await attempts("malformed", 50);
    expect(await rateOf("malformed")).toMatchObject({ lastHour: 50, usualHour: 0, isUnusual: false });
    await attempts("malformed", 1, "198.51.100.2");
    expect(await rateOf("malformed")).toMatchObject({ lastHour: 51, isUnusual: true, topAddress: "198.51.100.2" });
    for (let hour = 0; hour < 3; hour++) {
      world.clock.now = new Date(world.clock.now.getTime() + HOUR_MS);
      await attempts("malformed", 51);
    }
    // An hour that has just begun is still mostly the one before.
    world.clock.now = new Date(world.clock.now.getTime() + HOUR_MS);
    expect(await rateOf("malformed")).toMatchObject({ lastHour: 51, usualHour: 51, isUnusual: false });
    world.clock.now = new Date(world.clock.now.getTime() + HOUR_MS - 1);
    await attempts("malformed", 256);
    expect(await rateOf("malformed")).toMatchObject({ lastHour: 256, isUnusual: true });
    // A code that was quiet for most of the week is quiet usually.
    world.clock.now = new Date(world.clock.now.getTime() + 5 * DAY_MS);
    await attempts("malformed", 51);
    expect(await rateOf("malformed")).toMatchObject({ lastHour: 51, usualHour: 0, isUnusual: true });
    world.clock.now = new Date(world.clock.now.getTime() + 9 * DAY_MS);
    await attempts("held", 1);
    expect(await world.ctx.db.refusalHour.count({ where: { namespaceId: world.ctx.namespaceId } })).toBe(1);
  });
});
