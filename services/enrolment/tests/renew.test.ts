import { afterAll, beforeAll, expect, it } from "vitest";
import { closeAuthority, ensureAuthorities, revokeAuthority } from "#services/authorities/service.ts";
import { renewCertificate } from "#services/enrolment/service.ts";
import { approveCertificate, countCertificates, recordPending } from "#services/identity/service.ts";
import { visitOf } from "#tests/harness/admission.ts";
import { P256 } from "#tests/harness/est.ts";
import { actorOf, type IdentityWorld, type IdentityWorlds, openIdentityWorlds } from "#tests/harness/identity.ts";
import { addAuthority } from "#tests/pki/authority.ts";
import { type OpensslFolder, openssl } from "#tests/pki/openssl.ts";
import { createSoftwareCa } from "#tests/pki/software-ca.ts";

const admin = actorOf("admin");
let worlds: IdentityWorlds;
let world: IdentityWorld;
let folder: OpensslFolder;

beforeAll(async () => {
  worlds = await openIdentityWorlds();
  world = worlds.next();
  await ensureAuthorities(world.ctx);
  folder = openssl();
});
afterAll(async () => {
  folder.remove();
  await worlds.close();
});

it("ends with the authority of the present certificate, also for a request that was let in a moment before", async () => {
  const { ctx } = world;
  const ca = await createSoftwareCa();
  const id = await addAuthority(ctx, ca.certificate);
  const { certificate } = await ca.issue();
  await recordPending(ctx, visitOf(certificate, id));
  const { fingerprint } = certificate;
  await approveCertificate(ctx, admin, { fingerprint });
  folder.run(`req -new -nodes ${P256} -keyout next.key -subj /CN=next -out next.pem`);
  const renew = () => renewCertificate(ctx, { fingerprint, body: Buffer.from(folder.read("next.pem")), label: null });

  await closeAuthority(ctx, admin, { id, count: countCertificates });
  expect(await renew()).toHaveProperty("certificateDer");
  const why = { reason: "keyCompromise", note: "stolen", allowedCertificates: 1 } as const;
  await revokeAuthority(ctx, admin, { id, count: countCertificates, ...why });
  expect(await renew()).toMatchObject({ refusal: { code: "renewal_not_in_place" } });
});
