import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ADMISSION_CHANNEL, notify } from "#lib/db/events.ts";
import { createFleetCa } from "#lib/pki/issue.ts";
import { prepareServerCa } from "#services/authorities/service.ts";
import { createEnrolmentToken } from "#services/enrolment/service.ts";
import { listRefusals, listServerCaDevices, revokeCertificate } from "#services/identity/service.ts";
import type { RecordingUpstream, TestDoor } from "#tests/harness/door.ts";
import { type DoorSite, openDoorSite } from "#tests/harness/door-site.ts";
import { type EstClient, estClient, P256 } from "#tests/harness/est.ts";
import { eventually } from "#tests/harness/eventually.ts";
import { actorOf, type IdentityWorld } from "#tests/harness/identity.ts";
import { type OpensslFolder, openssl } from "#tests/pki/openssl.ts";

const admin = actorOf("admin");
const DAY_MS = 86_400_000;
let site: DoorSite;
let world: IdentityWorld;
let upstream: RecordingUpstream;
let door: TestDoor;
let folder: OpensslFolder;
let est: EstClient;

beforeAll(async () => {
  site = await openDoorSite();
  ({ world, upstream } = site);
  door = await site.openDoor();
  folder = openssl();
  est = estClient(door, folder);
});
afterAll(async () => {
  folder.remove();
  await site.close();
});

describe("simplereenroll", () => {
  let secret: string;
  beforeAll(async () => {
    const input = { description: "Line 4", uses: 100, expiresInDays: 30, policy: "allowed" as const };
    secret = (await createEnrolmentToken(world.ctx, admin, input)).handout.secret;
  });

  it("gives the same device a certificate for a new key, which ends the old one after its grace", async () => {
    const old = await est.enrolled("renews", secret);
    expect((await est.visit("renews")).status).toBe(200);
    est.request("renewed");
    const fresh = est.save("renewed", await est.curl("simplereenroll", ...est.as("renews"), ...est.post("renewed")));
    expect(fresh.subjectCn).toBe(old.subjectCn);
    expect((await est.visit("renews")).status).toBe(200);
    expect((await est.visit("renewed")).status).toBe(200);
    expect(upstream.requests.at(-1)?.url).toBe(`/api/v1/device/${old.subjectCn}/targets.json`);
    est.request("too-late");
    const replaced = await est.curl("simplereenroll", ...est.as("renews"), ...est.post("too-late"));
    expect(replaced).toMatchObject({ status: 403, code: "renewal_not_in_place" });
    const { now } = world.clock;
    world.clock.advance(8 * DAY_MS);
    expect(await est.visit("renews")).toMatchObject({ status: 403, code: "superseded" });
    expect((await est.visit("renewed")).status).toBe(200);
    world.clock.now = now;
  });

  it("gives the renewal again whose reply was lost, and takes the present key once more", async () => {
    const old = await est.enrolled("same-key", secret);
    const ask = async () => {
      const reply = await est.curl("simplereenroll", ...est.as("same-key"), ...est.post("same-key"));
      return est.save("lost-reply", reply);
    };
    const first = await ask();
    expect(first.fingerprint).not.toBe(old.fingerprint);
    expect(first.spkiSha256).toBe(old.spkiSha256);
    expect((await ask()).fingerprint).toBe(first.fingerprint);
  });

  it("works as simpleenroll with the device's certificate, too", async () => {
    const old = await est.enrolled("by-certificate", secret);
    est.request("by-certificate-2");
    const reply = await est.curl("simpleenroll", ...est.as("by-certificate"), ...est.post("by-certificate-2"));
    expect(est.save("by-certificate-2", reply).subjectCn).toBe(old.subjectCn);
  });

  it("keeps the newest five that are not used, and none of them once one is", async () => {
    await est.enrolled("many", secret);
    for (let at = 0; at < 6; at++) {
      est.request(`many-${at}`);
      est.save(`many-${at}`, await est.curl("simplereenroll", ...est.as("many"), ...est.post(`many-${at}`)));
      world.clock.advance(1_000);
    }
    expect(await est.visit("many-0")).toMatchObject({ status: 403, code: "superseded" });
    expect((await est.visit("many-3")).status).toBe(200);
    expect(await est.visit("many-5")).toMatchObject({ status: 403, code: "superseded" });
    expect((await est.visit("many-3")).status).toBe(200);
  });

  it("refuses a key that another device has", async () => {
    await est.enrolled("has-key", secret);
    await est.enrolled("wants-key", secret);
    const reply = await est.curl("simplereenroll", ...est.as("wants-key"), ...est.post("has-key"));
    expect(reply).toMatchObject({ status: 403, code: "key_known" });
    await eventually(async () => {
      const { data } = await listRefusals(world.ctx, admin, { limit: 10, code: "key_known" });
      expect(data[0]?.detail).toMatch(
        /of has-key has this key; it is allowed here\. Asked by wants-key, which came with/,
      );
    });
  });

  it("refuses whoever is not let in: revoked, of a revoked authority, or a stranger", async () => {
    const leaf = await est.enrolled("cut-off", secret);
    est.request("next");
    const ask = (name: string) => est.curl("simplereenroll", ...est.as(name), ...est.post("next"));
    await revokeCertificate(world.ctx, admin, { fingerprint: leaf.fingerprint });
    expect(await ask("cut-off")).toMatchObject({ status: 403, code: "revoked" });
    folder.run(`req -x509 -nodes ${P256} -keyout stranger.key -subj /CN=${randomUUID()} -out stranger.pem`);
    expect(await ask("stranger")).toMatchObject({ status: 403, code: "unknown_authority" });
  });

  it("comes from the newest open authority once the one before is closed, and survives its revocation", async () => {
    await est.enrolled("rollover", secret);
    const change = async (state: string) => {
      await world.ctx.db.authority.updateMany({ where: { name: "Gatehouse fleet CA" }, data: { state } });
      await notify(world.ctx.db, ADMISSION_CHANNEL, "*");
    };
    await change("closed");
    est.request("next-authority");
    const ask = () => est.curl("simplereenroll", ...est.as("rollover"), ...est.post("next-authority"));
    expect(await ask()).toMatchObject({ status: 503, code: "no_issuing_authority" });
    const next = await addIssuing();
    const fresh = est.save("next-authority", await ask());
    expect(fresh.issuerDn).toBe(next.subjectDn);
    expect((await est.visit("next-authority")).status).toBe(200);
    await change("revoked");
    await eventually(async () => expect(await est.visit("rollover")).toMatchObject({ code: "authority_revoked" }));
    expect(await ask()).toMatchObject({ status: 403, code: "authority_revoked" });
    expect((await est.visit("next-authority")).status).toBe(200);
  });
});

it("cacerts gives a device the next server CA of the door, and remembers that it has it", async () => {
  const { handout } = await createEnrolmentToken(world.ctx, admin, {
    description: "Line 5",
    uses: 1,
    expiresInDays: 30,
    policy: "allowed",
  });
  await est.enrolled("rolls", handout.secret);
  const { next } = await prepareServerCa(world.ctx, admin);
  world.clock.advance(200_000);
  await listServerCaDevices(world.ctx, admin, { limit: 50, has: "true" }).then(({ total }) => expect(total).toBe(0));
  await est.visit("rolls");
  const given = est.certificates(await est.curl("cacerts", ...est.as("rolls")));
  expect(given.map(({ fingerprint }) => fingerprint)).toContain(next?.fingerprint);
  const { data } = await listServerCaDevices(world.ctx, admin, { limit: 50, has: "true" });
  expect(data.map(({ name }) => name)).toEqual(["rolls"]);
});

/** A second authority that this install issues with. */
async function addIssuing() {
  const id = randomUUID();
  const made = await createFleetCa({ commonName: "Next CA", now: world.clock.now });
  const { certificate } = made;
  const sealed = world.ctx.keys.seal(Buffer.from(made.privateKeyPem), `authority:${id}`);
  await world.ctx.db.authority.create({
    data: {
      id,
      namespaceId: world.ctx.namespaceId,
      name: "Next CA",
      fingerprint: certificate.fingerprint,
      subjectDn: certificate.subjectDn,
      certificate: Uint8Array.from(certificate.der),
      sealedKey: Uint8Array.from(sealed),
      notBefore: certificate.notBefore,
      notAfter: certificate.notAfter,
      state: "open",
      policy: "ask",
    },
  });
  await notify(world.ctx.db, ADMISSION_CHANNEL, "*");
  return certificate;
}
