import { afterAll, beforeAll, expect, it } from "vitest";
import { readCrl } from "#lib/pki/crl.ts";
import { issueDeviceCertificate } from "#lib/pki/issue.ts";
import { generateCertificateKey } from "#lib/pki/keys.ts";
import { listAuthorityNames, openCanaryCa, openFleetCa } from "#services/authorities/service.ts";
import { listCertificates, listRefusals } from "#services/identity/service.ts";
import {
  findCanaryRecord,
  getCrl,
  getInForce,
  listGateways,
  measureRevocation,
  publishCrls,
} from "#services/revocation/service.ts";
import type { RecordingUpstream, TestDoor } from "#tests/harness/door.ts";
import { type DoorSite, openDoorSite } from "#tests/harness/door-site.ts";
import { eventually } from "#tests/harness/eventually.ts";
import { actorOf, auditStory, type IdentityWorld } from "#tests/harness/identity.ts";

const admin = actorOf("admin");

let site: DoorSite;
let world: IdentityWorld;
let upstream: RecordingUpstream;
const doors: TestDoor[] = [];

beforeAll(async () => {
  site = await openDoorSite();
  ({ world, upstream } = site);
  const ctx = { ...world.ctx, clock: () => new Date() };
  doors.push(await site.openDoor({ ctx }), await site.openDoor({ ctx }));
  // A gateway is there as soon as its door is open; a moment later it has said so, and is measured.
  await eventually(async () => expect((await listGateways(world.ctx, admin)).data).toHaveLength(doors.length));
}, 30_000);
afterAll(() => site.close());

it("measures a revocation at every gateway, and leaves one row behind that says so", async () => {
  const before = await auditStory(world.ctx);
  const results = await measureRevocation(world.ctx);
  expect(results).toEqual(doors.map(() => ({ delayMs: expect.any(Number) })));
  for (const result of results)
    expect(result).toMatchObject({ delayMs: expect.toSatisfy((it: number) => it <= 1_000) });
  await measureRevocation(world.ctx);
  const record = await findCanaryRecord(world.ctx);
  expect(record).toMatchObject({ tries: 4, failures: 0, lastProblem: null, lateSince: null });
  // Gateways show it with their own numbers, a heartbeat later.
  await eventually(
    async () => expect(doors[0]?.metrics.render()).toContain("gatehouse_revocation_delay_ms_count 4"),
    10_000,
  );
  expect(doors[0]?.metrics.render()).toContain("gatehouse_revocation_late 0");
  expect(Object.values(record?.buckets ?? {}).reduce((sum, count) => sum + count, 0)).toBe(4);

  const canary = await world.ctx.db.deviceCertificate.findFirstOrThrow({ where: { canary: true } });
  expect(await auditStory(world.ctx)).toEqual(before);
  expect((await listCertificates(world.ctx, admin, { limit: 50, sort: "-createdAt" })).data).toEqual([]);
  expect((await listRefusals(world.ctx, admin, { limit: 50 })).data).toEqual([]);
  expect(await listAuthorityNames(world.ctx)).toHaveLength(1);
  await expect(getInForce(world.ctx, admin, canary.fingerprint)).rejects.toMatchObject({
    code: "certificate.not_found",
  });
  const { authorityId } = await openFleetCa(world.ctx);
  await publishCrls(world.ctx, null);
  expect(readCrl((await getCrl(world.ctx, authorityId, "full")).der).entries.size).toBe(0);
  await expect(getCrl(world.ctx, canary.authorityId ?? "", "full")).rejects.toMatchObject({
    code: "authority.not_found",
  });

  await world.ctx.db.deviceCertificate.updateMany({ data: { notAfter: new Date(world.clock.now.getTime() - 1_000) } });
  await measureRevocation(world.ctx);
  expect(await world.ctx.db.deviceCertificate.count({ where: { fingerprint: canary.fingerprint } })).toBe(0);
}, 30_000);

it("lets a canary learn that it counts, and do nothing else; nobody else learns that there is such a thing", async () => {
  const [door] = doors;
  if (door === undefined) throw new Error("the doors are open");
  const [canary, device] = await Promise.all(
    [openCanaryCa(world.ctx), openFleetCa(world.ctx)].map(async (opening) => {
      const ca = await opening;
      const key = generateCertificateKey();
      const deviceUuid = crypto.randomUUID();
      const now = new Date();
      const { certificate, certificatePem } = await issueDeviceCertificate({
        ca,
        deviceUuid,
        publicKey: key.publicKey,
        now,
      });
      await world.ctx.db.deviceCertificate.create({
        data: {
          namespaceId: world.ctx.namespaceId,
          fingerprint: certificate.fingerprint,
          tbsSha256: certificate.tbsSha256,
          deviceUuid,
          authorityId: ca.authorityId,
          certificate: Uint8Array.from(certificate.der),
          state: "allowed",
          canary: ca.authorityId !== (await openFleetCa(world.ctx)).authorityId,
        },
      });
      return { pem: certificatePem, privateKeyPem: key.privateKeyPem };
    }),
  );
  if (canary === undefined || device === undefined) throw new Error("both were issued");
  await eventually(async () => expect((await door.request(canary, { path: "/canary" })).status).toBe(204));
  for (const path of ["/director/targets.json", "/canary/", "/.well-known/est/simplereenroll", "/devices"]) {
    const method = path.startsWith("/director") || path.startsWith("/canary") ? "GET" : "POST";
    const reply = await door.request(canary, { path, method });
    expect([path, reply.status]).toEqual([path, expect.toSatisfy((status: number) => status >= 400 && status < 500)]);
  }
  expect(upstream.requests).toEqual([]);
  expect(await door.request(device, { path: "/canary" })).toMatchObject({ status: 404 });
  expect((await door.request(device)).status).toBe(200);
});

it("says what is wrong when a gateway can't be measured", async () => {
  await world.ctx.db.gatewayReplica.updateMany({ data: { doorUrl: "https://127.0.0.1:1" } });
  const results = await measureRevocation(world.ctx);
  expect(results).toEqual([{ problem: expect.any(String) }]);
  const record = await findCanaryRecord(world.ctx);
  expect(record).toMatchObject({ failures: 1, lastProblem: expect.any(String), lateSince: expect.any(Date) });
}, 20_000);
