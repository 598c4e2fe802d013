import { afterAll, beforeAll, expect, it } from "vitest";
import type { CertificateFacts } from "#lib/pki/certificates.ts";
import {
  admitNewcomer,
  approveCertificate,
  holdCertificate,
  recordPending,
  releaseCertificate,
  revokeCertificate,
} from "#services/identity/service.ts";
import * as store from "#services/identity/store.ts";
import { judgedAs, visitOf } from "#tests/harness/admission.ts";
import { createTestDatabase, type TestDatabase } from "#tests/harness/database.ts";
import { actorOf, auditStory, expectRefusal, type IdentityWorld, identityWorld } from "#tests/harness/identity.ts";
import { addAuthority } from "#tests/pki/authority.ts";
import { createSoftwareCa, type SoftwareCa } from "#tests/pki/software-ca.ts";

const admin = actorOf("admin");
let database: TestDatabase;
let world: IdentityWorld;
let ctx: IdentityWorld["ctx"];
let cas = 0;

beforeAll(async () => {
  database = await createTestDatabase();
  world = identityWorld(database.url);
  ctx = world.ctx;
});
afterAll(async () => {
  await ctx.db.$disconnect();
  await database.drop();
});

type Known = { ca: SoftwareCa; id: string };

async function newAuthority(policy: "ask" | "allow_all" = "ask"): Promise<Known> {
  const ca = await createSoftwareCa({ commonName: `CA ${cas++}` });
  return { ca, id: await addAuthority(ctx, ca.certificate, policy) };
}

async function waiting({ ca, id }: Known, uuid: string = crypto.randomUUID()): Promise<CertificateFacts> {
  const { certificate } = await ca.issue({ commonNames: [uuid] });
  await recordPending(ctx, visitOf(certificate, id));
  return certificate;
}

const setState = (id: string, state: "closed" | "revoked") =>
  ctx.db.authority.update({ where: { id }, data: { state, stateChangedAt: ctx.clock() } });
const rowOf = ({ fingerprint }: CertificateFacts) => store.findCertificate(ctx.db, ctx.namespaceId, fingerprint);

/** An allowed certificate, and a renewal that it asked for and nobody used. */
async function renewed(): Promise<{ old: CertificateFacts; renewal: CertificateFacts }> {
  const known = await newAuthority();
  const uuid = crypto.randomUUID();
  const old = await waiting(known, uuid);
  await approveCertificate(ctx, admin, { fingerprint: old.fingerprint });
  const { certificate: renewal } = await known.ca.issue({ commonNames: [uuid] });
  const row = { facts: renewal, fingerprint: renewal.fingerprint, deviceUuid: uuid, authorityId: known.id };
  const rest = { name: null, hardwareId: null, note: null, issuedHere: true, simulated: false, seen: null };
  await store.insertCertificate(ctx.db, ctx.namespaceId, {
    ...row,
    ...rest,
    state: "allowed",
    createdAt: ctx.clock(),
    decided: null,
    renewalOf: old.fingerprint,
  });
  return { old, renewal };
}

it("a certificate's unused renewals are revoked with it, so that every list says so at once", async () => {
  const { old, renewal } = await renewed();
  await revokeCertificate(ctx, admin, { fingerprint: old.fingerprint, reason: "keyCompromise" });
  expect(await rowOf(renewal)).toMatchObject({ state: "revoked", revocationReason: "keyCompromise" });
  expect((await auditStory(ctx)).filter((line) => line === "certificate.revoke done")).toHaveLength(2);
  const shown = await ctx.db.fleetDevice.findFirst({ where: { uuid: old.subjectCn ?? "" } });
  expect(shown).toMatchObject({ certificateFingerprint: old.fingerprint });
});

it("a certificate's unused renewals are on hold with it, and released with it", async () => {
  const { old, renewal } = await renewed();
  const { fingerprint } = old;
  await holdCertificate(ctx, admin, { fingerprint });
  expect(await rowOf(renewal)).toMatchObject({ state: "held", revocationReason: "certificateHold" });
  expect(await judgedAs(ctx, renewal)).toBe("held");
  await releaseCertificate(ctx, admin, { fingerprint });
  expect([await judgedAs(ctx, old), await judgedAs(ctx, renewal)]).toEqual(["admitted", "admitted"]);
  // One that was on hold by itself stays so.
  await holdCertificate(ctx, admin, { fingerprint: renewal.fingerprint });
  world.clock.advance(1_000);
  await holdCertificate(ctx, admin, { fingerprint });
  await releaseCertificate(ctx, admin, { fingerprint });
  expect([await judgedAs(ctx, old), await judgedAs(ctx, renewal)]).toEqual(["admitted", "held"]);
});

it("nobody is let in, or back in, of a revoked authority, and no other certificate loses its place for it", async () => {
  const good = await newAuthority();
  const bad = await newAuthority();
  const uuid = crypto.randomUUID();
  const own = await waiting(good, uuid);
  await approveCertificate(ctx, admin, { fingerprint: own.fingerprint });
  const rival = await waiting(bad, uuid);
  const held = await waiting(bad);
  await approveCertificate(ctx, admin, { fingerprint: held.fingerprint });
  await holdCertificate(ctx, admin, { fingerprint: held.fingerprint });
  await setState(bad.id, "revoked");
  const replace = approveCertificate(ctx, admin, { fingerprint: rival.fingerprint, replace: true, graceDays: 0 });
  await expectRefusal(replace, "certificate.wrong_state");
  await expectRefusal(releaseCertificate(ctx, admin, { fingerprint: held.fingerprint }), "certificate.wrong_state");
  expect(await rowOf(own)).toMatchObject({ state: "allowed", graceUntil: null });
  expect(await judgedAs(ctx, own)).toBe("admitted");
});

it("one that waited is approved although its authority takes no newcomers any more", async () => {
  const known = await newAuthority();
  const leaf = await waiting(known);
  await setState(known.id, "closed");
  await approveCertificate(ctx, admin, { fingerprint: leaf.fingerprint });
  expect(await judgedAs(ctx, leaf)).toBe("admitted");
});

it("a newcomer does not slip in while its authority is being closed", async () => {
  const known = await newAuthority("allow_all");
  const { certificate } = await known.ca.issue();
  const { registry } = ctx.backends;
  const slow = {
    ...registry,
    async createDevice(...given: Parameters<typeof registry.createDevice>) {
      await registry.createDevice(...given);
      await setState(known.id, "closed");
    },
  };
  const visit = visitOf(certificate, known.id);
  await admitNewcomer({ ...ctx, backends: { ...ctx.backends, registry: slow } }, visit);
  expect(await judgedAs(ctx, certificate)).toBe("authority_closed");
  expect((await rowOf(certificate))?.state ?? "none").not.toBe("allowed");
});
