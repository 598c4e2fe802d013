import { afterAll, beforeAll, beforeEach, expect, it } from "vitest";
import type { CertificateFacts } from "#lib/pki/certificates.ts";
import {
  admitNewcomer,
  approveCertificate,
  recordPending,
  revokeCertificate,
  revokeFallen,
} from "#services/identity/service.ts";
import * as store from "#services/identity/store.ts";
import { judge, judgedAs, visitOf } from "#tests/harness/admission.ts";
import {
  actorOf,
  auditStory,
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

/** An allowed certificate, and a renewal of it that was handed out. */
async function renewed(
  by: { ca: SoftwareCa; authorityId: string } = { ca, authorityId },
): Promise<{ old: CertificateFacts; fresh: CertificateFacts }> {
  const commonNames = [crypto.randomUUID()];
  const { certificate: old } = await ca.issue({ commonNames });
  const { certificate: fresh } = await by.ca.issue({ commonNames });
  await recordPending(world.ctx, visitOf(old, authorityId));
  await approveCertificate(world.ctx, admin, { fingerprint: old.fingerprint });
  await store.insertCertificate(world.ctx.db, world.ctx.namespaceId, {
    facts: fresh,
    fingerprint: fresh.fingerprint,
    deviceUuid: fresh.subjectCn,
    authorityId: by.authorityId,
    state: "allowed",
    name: null,
    hardwareId: null,
    note: null,
    issuedHere: true,
    simulated: false,
    createdAt: world.clock.now,
    seen: null,
    decided: null,
    renewalOf: old.fingerprint,
  });
  return { old, fresh };
}

const codeOf = (leaf: CertificateFacts) => judgedAs(world.ctx, leaf);

it("a renewal that was handed out leaves the old certificate alone, however long it is not used", async () => {
  const { old, fresh } = await renewed();
  world.clock.advance(30 * DAY_MS);
  expect(await codeOf(old)).toBe("admitted");
  expect(await judge(world.ctx, fresh)).toMatchObject({ admitted: true, newcomer: true });
});

it("its first use takes the place of the old one, which stays good for the grace of its authority and no longer", async () => {
  const { old, fresh } = await renewed();
  await Promise.all([0, 1].map(() => admitNewcomer(world.ctx, visitOf(fresh, authorityId))));
  expect(await judge(world.ctx, fresh)).toMatchObject({ admitted: true, newcomer: false });
  expect(await codeOf(old)).toBe("admitted");
  const shown = await world.ctx.db.fleetDevice.findFirst({ where: { uuid: fresh.subjectCn ?? "" } });
  expect(shown?.certificateFingerprint).toBe(fresh.fingerprint);
  expect((await auditStory(world.ctx)).filter((line) => line.startsWith("certificate.renew"))).toHaveLength(1);
  world.clock.advance(7 * DAY_MS);
  expect(await codeOf(old)).toBe("superseded");
  expect(await codeOf(fresh)).toBe("admitted");
});

it("one that its asker had got before it was revoked is revoked with it, at its first use", async () => {
  const { old, fresh } = await renewed();
  await revokeCertificate(world.ctx, admin, { fingerprint: old.fingerprint, reason: "keyCompromise" });
  await admitNewcomer(world.ctx, visitOf(fresh, authorityId));
  expect(await codeOf(fresh)).toBe("revoked");
});

it("one by another authority still lets its device in after the asker's authority was revoked, and only then the asker is", async () => {
  const next = await createSoftwareCa({ commonName: "Next CA" });
  const nextId = await addAuthority(world.ctx, next.certificate);
  const { old, fresh } = await renewed({ ca: next, authorityId: nextId });
  const stateOf = async ({ fingerprint }: CertificateFacts) =>
    (await store.findCertificate(world.ctx.db, world.ctx.namespaceId, fingerprint))?.state;
  await world.ctx.db.authority.updateMany({ where: { id: authorityId }, data: { state: "revoked" } });
  await revokeFallen(world.ctx);
  expect([await codeOf(old), await stateOf(old)]).toEqual(["authority_revoked", "allowed"]);
  await admitNewcomer(world.ctx, visitOf(fresh, nextId));
  expect(await judge(world.ctx, fresh)).toMatchObject({ admitted: true, newcomer: false });
  await revokeFallen(world.ctx);
  expect([await stateOf(old), await codeOf(fresh)]).toEqual(["revoked", "admitted"]);
});
