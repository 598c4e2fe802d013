import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { Selection } from "#lib/contracts/console/certificate-batches.ts";
import type { CertificateFacts } from "#lib/pki/certificates.ts";
import { lockCertificate } from "#services/identity/decisions.ts";
import {
  addAllowlistEntry,
  admitNewcomer,
  approveCertificate,
  approveCertificates,
  getCertificate,
  holdCertificate,
  issueDevice,
  lapseWaiting,
  listCertificates,
  matchCertificates,
  noteKeys,
  recordPending,
  recordVisits,
  rejectCertificates,
  releaseCertificate,
  revokeCertificate,
  revokeCertificates,
  revokeFallen,
  supersedeReplaced,
} from "#services/identity/service.ts";
import { judgedAs, visitOf } from "#tests/harness/admission.ts";
import {
  actorOf,
  auditStory,
  expectRefusal,
  type IdentityWorld,
  type IdentityWorlds,
  openIdentityWorlds,
} from "#tests/harness/identity.ts";
import { addAuthority } from "#tests/pki/authority.ts";
import { createSoftwareCa, type SoftwareCa } from "#tests/pki/software-ca.ts";

const DAY_MS = 86_400_000;
const admin = actorOf("admin");
let worlds: IdentityWorlds;
let ca: SoftwareCa;
let world: IdentityWorld;
let authorityId: string;

beforeAll(async () => {
  worlds = await openIdentityWorlds();
  ca = await createSoftwareCa();
});
beforeEach(async () => {
  world = worlds.next();
  authorityId = await addAuthority(world.ctx, ca.certificate);
});
afterAll(() => worlds.close());

async function waiting(commonName: string = crypto.randomUUID()): Promise<CertificateFacts> {
  const { certificate } = await ca.issue({ commonNames: [commonName] });
  await recordPending(world.ctx, visitOf(certificate, authorityId));
  return certificate;
}
async function approved(commonName?: string): Promise<CertificateFacts> {
  const leaf = await waiting(commonName);
  await approveCertificate(world.ctx, admin, { fingerprint: leaf.fingerprint });
  return leaf;
}
const codeOf = (leaf: CertificateFacts) => judgedAs(world.ctx, leaf);
const get = ({ fingerprint }: CertificateFacts) => getCertificate(world.ctx, admin, fingerprint);

describe("a re-keyed device", () => {
  it("takes its place when a person says so; the old one stays good for the grace, then is superseded and announced", async () => {
    const old = await approved();
    const fresh = await waiting(old.subjectCn ?? "");
    const { fingerprint } = fresh;
    expect(await get(fresh)).toMatchObject({ wouldReplace: old.fingerprint, keyType: "P-256" });
    await expectRefusal(approveCertificate(world.ctx, admin, { fingerprint }), "certificate.conflict");
    await approveCertificate(world.ctx, admin, { fingerprint, replace: true, graceDays: 2 });
    expect([await codeOf(old), await codeOf(fresh)]).toEqual(["admitted", "admitted"]);
    world.clock.advance(2 * DAY_MS);
    expect([await codeOf(old), await codeOf(fresh)]).toEqual(["superseded", "admitted"]);
    const announced = () => world.ctx.db.admissionChange.count({ where: { fingerprint: old.fingerprint } });
    const before = await announced();
    await supersedeReplaced(world.ctx);
    await supersedeReplaced(world.ctx);
    expect(await announced()).toBe(before + 1);
    expect(await get(old)).toMatchObject({
      state: "superseded",
      decisions: [{ action: "certificate.supersede" }, { action: "certificate.approve" }],
    });
    expect((await get(fresh)).decisions[0]?.why).toContain(old.fingerprint);
    const shown = await world.ctx.db.fleetDevice.findFirst({ where: { uuid: fresh.subjectCn ?? "" } });
    expect(shown).toMatchObject({ certificateFingerprint: fingerprint, certificateState: "allowed" });
    expect((await auditStory(world.ctx)).filter((line) => line.startsWith("certificate.supersede"))).toHaveLength(1);
  });

  it("has one certificate with its place, however many are approved at once", async () => {
    const old = await approved();
    const others = [await waiting(old.subjectCn ?? ""), await waiting(old.subjectCn ?? "")];
    const twice = [...others, ...others].map(({ fingerprint }) =>
      approveCertificate(world.ctx, admin, { fingerprint, replace: true, graceDays: 0 }),
    );
    const outcomes = await Promise.allSettled(twice);
    expect(outcomes.filter(({ status }) => status === "fulfilled")).toHaveLength(2);
    expect((await Promise.all([old, ...others].map(codeOf))).sort()).toEqual(["admitted", "superseded", "superseded"]);
  });
});

describe("a hold", () => {
  it("keeps out until it is released, and leaves no trace in the certificate then", async () => {
    const leaf = await approved();
    const { fingerprint } = leaf;
    expect(await holdCertificate(world.ctx, admin, { fingerprint, note: "lost" })).toMatchObject({
      state: "held",
      revocationReason: "certificateHold",
    });
    expect(await codeOf(leaf)).toBe("held");
    await expectRefusal(holdCertificate(world.ctx, admin, { fingerprint }), "certificate.wrong_state");
    await releaseCertificate(world.ctx, admin, { fingerprint, note: "found" });
    expect(await codeOf(leaf)).toBe("admitted");
    const row = await world.ctx.db.deviceCertificate.findFirst({ where: { fingerprint } });
    expect(row).toMatchObject({ revocationReason: null, revokedAt: null });
    const { decisions } = await get(leaf);
    expect(decisions.map(({ action, why }) => [action, why])).toEqual([
      ["certificate.release", "found"],
      ["certificate.hold", "lost"],
      ["certificate.approve", null],
    ]);
  });

  it("is no way round the one place of a device, nor out of a revocation", async () => {
    const old = await approved();
    await holdCertificate(world.ctx, admin, { fingerprint: old.fingerprint });
    const fresh = await approved(old.subjectCn ?? "");
    const release = () => releaseCertificate(world.ctx, admin, { fingerprint: old.fingerprint });
    await expectRefusal(release(), "certificate.conflict");
    await revokeCertificate(world.ctx, admin, { fingerprint: old.fingerprint, reason: "keyCompromise" });
    await expectRefusal(release(), "certificate.wrong_state");
    const { fingerprint } = fresh;
    await Promise.allSettled([
      holdCertificate(world.ctx, admin, { fingerprint }),
      revokeCertificate(world.ctx, admin, { fingerprint }),
      releaseCertificate(world.ctx, admin, { fingerprint }),
    ]);
    expect(await codeOf(fresh)).toBe("revoked");
    expect((await world.ctx.db.deviceCertificate.findFirst({ where: { fingerprint } }))?.revokedAt).not.toBeNull();
  });
});

describe("several at once", () => {
  it("are each decided and audited; what fails keeps no other back", async () => {
    const leaves = [await waiting(), await waiting()];
    const fingerprints = [...leaves.map(({ fingerprint }) => fingerprint), "0".repeat(64)];
    const reply = await approveCertificates(world.ctx, admin, { selection: { fingerprints }, note: "batch 7" });
    expect(reply).toMatchObject({ done: 2, failed: [{ code: "certificate.not_found" }], nextCursor: null });
    expect(await Promise.all(leaves.map(codeOf))).toEqual(["admitted", "admitted"]);
    expect((await auditStory(world.ctx)).filter((line) => line === "certificate.approve done")).toHaveLength(2);
  });

  it("that match a filter are decided only when their number is the one that was seen", async () => {
    const other = await createSoftwareCa({ commonName: "Other CA" });
    const otherId = await addAuthority(world.ctx, other.certificate);
    const elsewhere = await ca.issue();
    await recordPending(world.ctx, visitOf(elsewhere.certificate, otherId));
    const leaves = [await waiting(), await waiting(), await approved()];
    const of = (expected: number): Selection => ({ matching: { authorityId }, expected });
    const refused = rejectCertificates(world.ctx, admin, { selection: of(3) });
    await expectRefusal(refused, "certificate.count_differs");
    expect(await rejectCertificates(world.ctx, admin, { selection: of(2) })).toMatchObject({
      done: 2,
      nextCursor: null,
    });
    const revocation = { selection: of(1), reason: "cACompromise" as const };
    expect(await revokeCertificates(world.ctx, admin, revocation)).toMatchObject({ done: 1, failed: [] });
    expect(await Promise.all(leaves.map(codeOf))).toEqual(["rejected", "rejected", "revoked"]);
    const left = await listCertificates(world.ctx, admin, { limit: 5, sort: "-createdAt", authorityId: otherId });
    expect(left.data).toMatchObject([{ state: "pending" }]);
    for (const role of ["support", "operator"] as const)
      for (const decide of [approveCertificates, rejectCertificates, revokeCertificates])
        await expectRefusal(decide(world.ctx, actorOf(role), { selection: of(1) }), "auth.forbidden");
  });

  it("are compared with a list in any notation", async () => {
    const pending = await waiting();
    const allowed = await approved();
    const unknown = "ab".repeat(32);
    const colons = pending.fingerprint.toUpperCase().match(/../g)?.join(":") ?? "";
    const fingerprints = [
      `SHA256 Fingerprint=${colons}`,
      allowed.fingerprint,
      unknown,
      "no fingerprint",
      ` ${unknown}`,
    ];
    expect(await matchCertificates(world.ctx, admin, { fingerprints })).toEqual({
      waiting: [pending.fingerprint],
      decided: [allowed.fingerprint],
      unknown: [unknown],
      invalid: 1,
    });
  });
});

it("a request that somebody decides about does not lapse meanwhile", async () => {
  const stale = await waiting();
  world.clock.advance(31 * DAY_MS);
  await world.ctx.db.$transaction(async (tx) => {
    await lockCertificate(tx, world.ctx, stale.fingerprint);
    await lapseWaiting(world.ctx);
  });
  expect(await get(stale)).toMatchObject({ state: "pending" });
});

it("a request lapses when its authority's waiting days are over, and may be made again", async () => {
  const stale = await waiting();
  const { lapsesAt } = await get(stale);
  expect(lapsesAt).toBe(new Date(world.clock.now.getTime() + 30 * DAY_MS).toISOString());
  world.clock.advance(29 * DAY_MS);
  const recent = await waiting();
  const kept = await approved();
  world.clock.advance(2 * DAY_MS);
  await lapseWaiting(world.ctx);
  await lapseWaiting(world.ctx);
  await expectRefusal(get(stale), "certificate.not_found");
  expect([await codeOf(recent), await codeOf(kept), await codeOf(stale)]).toEqual(["pending", "admitted", "pending"]);
  await recordPending(world.ctx, visitOf(stale, authorityId));
  expect(await get(stale)).toMatchObject({ state: "pending" });
  expect((await auditStory(world.ctx)).filter((line) => line.startsWith("certificate.lapse"))).toHaveLength(1);
});

it("what a revoked authority signed is shown as revoked, for its reason, and what others signed is not", async () => {
  const other = await createSoftwareCa({ commonName: "Another CA" });
  const otherId = await addAuthority(world.ctx, other.certificate);
  const { certificate: kept } = await other.issue();
  await recordPending(world.ctx, visitOf(kept, otherId));
  const leaves = [await approved(), await waiting(), await approved()];
  const [first, , last] = leaves;
  await revokeCertificate(world.ctx, admin, { fingerprint: last?.fingerprint ?? "", reason: "keyCompromise" });
  const revoked = { state: "revoked", revocationReason: "cACompromise" };
  await world.ctx.db.authority.updateMany({ where: { id: authorityId }, data: revoked });
  await revokeFallen(world.ctx);
  await revokeFallen(world.ctx);
  const shown = await Promise.all(leaves.map(get));
  expect(shown.map(({ state, revocationReason }) => `${state} ${revocationReason}`)).toEqual([
    "revoked cACompromise",
    "revoked cACompromise",
    "revoked keyCompromise",
  ]);
  expect(shown.map(({ decisions }) => decisions[0]?.action)).toEqual([
    "certificate.revoke_with_authority",
    "certificate.revoke_with_authority",
    "certificate.revoke",
  ]);
  expect(await get(kept)).toMatchObject({ state: "pending" });
  const device = await world.ctx.db.fleetDevice.findFirst({ where: { uuid: first?.subjectCn ?? "" } });
  expect(device?.certificateState).toBe("revoked");
  const told = (await auditStory(world.ctx)).filter((line) => line.startsWith("certificate.revoke_with_authority"));
  expect(told).toHaveLength(1);
});

it("visits are remembered with the first that was let in and the newest twenty addresses", async () => {
  const leaf = await approved();
  const { fingerprint } = leaf;
  const visit = (n: number, deviceUuid: string | null = leaf.subjectCn) =>
    recordVisits(world.ctx, [
      { fingerprint, deviceUuid, at: new Date(world.clock.now.getTime() + n * 1000), address: `192.0.2.${n}` },
      { fingerprint: "0".repeat(64), deviceUuid, at: world.clock.now, address: "192.0.2.250" },
    ]);
  await visit(0, null);
  expect(await get(leaf)).toMatchObject({ admittedAt: null });
  for (let n = 1; n <= 24; n += 1) await visit(n);
  await visit(24);
  const shown = await get(leaf);
  expect(shown.admittedAt).toBe(new Date(world.clock.now.getTime() + 1000).toISOString());
  expect(shown.addresses[0]?.address).toBe("192.0.2.24");
  expect(shown.addresses).toHaveLength(20);
  const { namespaceId } = world.ctx;
  expect(await world.ctx.db.certificateAddress.count({ where: { namespaceId } })).toBeLessThanOrEqual(21);
});

it("the first decision is explained, however a certificate came in", async () => {
  const first = async (fingerprint: string) => (await getCertificate(world.ctx, admin, fingerprint)).decisions.at(-1);
  const issued = await issueDevice(world.ctx, admin, { name: "Truck 1", hardwareId: "rpi4" });
  expect(await first(issued.fingerprint)).toMatchObject({ action: "certificate.issue", by: "admin", outcome: "done" });
  const { certificate: listed } = await ca.issue();
  await addAllowlistEntry(world.ctx, admin, { kind: "spki", value: listed.spkiSha256 });
  await admitNewcomer(world.ctx, visitOf(listed, authorityId));
  expect((await first(listed.fingerprint))?.why).toContain("spki");
  await world.ctx.db.authority.updateMany({ where: { id: authorityId }, data: { policy: "allow_all" } });
  const { certificate: any } = await ca.issue();
  await admitNewcomer(world.ctx, visitOf(any, authorityId));
  expect((await first(any.fingerprint))?.why).toContain("authority");
});

it("keys of older records are noted once", async () => {
  const leaf = await approved();
  const where = { fingerprint: leaf.fingerprint };
  await world.ctx.db.deviceCertificate.updateMany({ where, data: { spkiSha256: null, keyType: null } });
  await noteKeys(world.ctx);
  await noteKeys(world.ctx);
  expect(await get(leaf)).toMatchObject({ spkiSha256: leaf.spkiSha256, keyType: "P-256" });
});
