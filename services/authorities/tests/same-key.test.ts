import { afterAll, beforeAll, expect, it } from "vitest";
import { getAuthority, revokeAuthority } from "#services/authorities/service.ts";
import { approveCertificate, countCertificates, recordPending } from "#services/identity/service.ts";
import { judge, visitOf } from "#tests/harness/admission.ts";
import { actorOf, expectRefusal, type IdentityWorlds, openIdentityWorlds } from "#tests/harness/identity.ts";
import { addAuthority } from "#tests/pki/authority.ts";
import { createSoftwareCa } from "#tests/pki/software-ca.ts";

const admin = actorOf("admin");
const count = countCertificates;
let worlds: IdentityWorlds;

beforeAll(async () => {
  worlds = await openIdentityWorlds();
});
afterAll(() => worlds.close());

it("whoever revokes an authority sees and confirms what others of its key signed, which is cut off with it", async () => {
  const { ctx } = worlds.next();
  const old = await createSoftwareCa({ commonName: "Line CA" });
  const renewed = await createSoftwareCa({ commonName: "Line CA", privateKeyPem: old.privateKeyPem });
  const [id, next] = [await addAuthority(ctx, old.certificate), await addAuthority(ctx, renewed.certificate)];
  const { certificate } = await renewed.issue();
  await recordPending(ctx, visitOf(certificate, next));
  await approveCertificate(ctx, admin, { fingerprint: certificate.fingerprint });

  expect(await getAuthority(ctx, admin, { id, count })).toMatchObject({
    certificates: { allowed: 0 },
    sameKey: [{ id: next, name: "Outside CA" }],
    cutOff: { allowed: 1 },
  });
  const why = { reason: "superseded", note: "renewed" } as const;
  const revoke = (allowedCertificates: number) =>
    revokeAuthority(ctx, admin, { id, count, ...why, allowedCertificates });
  await expectRefusal(revoke(0), "authority.count_changed");
  expect(await judge(ctx, certificate)).toMatchObject({ admitted: true });
  expect(await revoke(1)).toMatchObject({ state: "revoked", sameKey: [], cutOff: { allowed: 0 } });
  expect(await judge(ctx, certificate)).toMatchObject({ admitted: false, code: "authority_revoked" });
  expect(await getAuthority(ctx, admin, { id: next, count })).toMatchObject({ sameKey: [] });
});
