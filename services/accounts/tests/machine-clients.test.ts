import { createHash } from "node:crypto";
import { afterAll, beforeAll, expect, it } from "vitest";
import { SHELL, SYSTEM } from "#lib/authz/actor.ts";
import { CreateMachineClient } from "#lib/contracts/console/machine-clients.ts";
import type { Ctx } from "#lib/ctx.ts";
import { certificatePem } from "#lib/pki/certificates.ts";
import { createServerCa } from "#lib/pki/issue.ts";
import {
  createMachineClient,
  createMachineClientUntil,
  findMachineCredential,
  listMachineClients,
  recordMachineClientUse,
  revokeMachineClient,
} from "#services/accounts/service.ts";
import { createTestClock, createTestCtx, type TestClock } from "#tests/harness/ctx.ts";
import { createTestDatabase, type TestDatabase } from "#tests/harness/database.ts";
import { actorOf, auditStory, expectRefusal } from "#tests/harness/identity.ts";

let database: TestDatabase;
let clock: TestClock;
let ctx: Ctx;

beforeAll(async () => {
  database = await createTestDatabase();
  clock = createTestClock();
  ctx = createTestCtx(database.url, { clock });
});
afterAll(async () => {
  await ctx.db.$disconnect();
  await database.drop();
});

const ci = { name: "ci", scopes: ["repo:read", "treehub:push"] as const };
const input = () => ({ name: ci.name, scopes: [...ci.scopes] });

it("gives its secret once and keeps only the digest, in the audit log neither", async () => {
  const made = await createMachineClient(ctx, actorOf("admin"), { ...input(), expiresInDays: 30 });
  expect(made).toMatchObject({ name: "ci", scopes: ["treehub:push", "repo:read"], lastUsedAt: null, revokedAt: null });
  expect(Date.parse(made.expiresAt ?? "") - ctx.clock().getTime()).toBe(30 * 86_400_000);
  const kept = await findMachineCredential(ctx, { clientId: made.clientId });
  expect(Buffer.from(kept?.secretHash ?? [])).toEqual(createHash("sha256").update(made.clientSecret).digest());
  const everything = await ctx.db
    .$queryRaw`SELECT c::text, (SELECT string_agg(a::text, '') FROM audit_entry a) AS audit FROM machine_client c`;
  expect(JSON.stringify(everything)).toContain(made.clientId);
  expect(JSON.stringify(everything)).not.toContain(made.clientSecret);
  expect((await listMachineClients(ctx, SYSTEM, { limit: 50 })).data[0]).not.toHaveProperty("clientSecret");
});

it("is made, listed and revoked only by who manages tokens", async () => {
  const { id } = await createMachineClient(ctx, actorOf("admin"), input());
  const operator = actorOf("operator");
  await expectRefusal(createMachineClient(ctx, operator, input()), "auth.forbidden");
  await expectRefusal(listMachineClients(ctx, operator, { limit: 50 }), "auth.forbidden");
  await expectRefusal(revokeMachineClient(ctx, operator, id), "auth.forbidden");
});

it("is revoked once, in its own namespace only, and recorded", async () => {
  const own = { ...ctx, namespaceId: "machine-revoke" };
  const { id, clientId } = await createMachineClientUntil(own, SHELL, { ...input(), expiresAt: null });
  await expectRefusal(revokeMachineClient(ctx, SYSTEM, id), "machine_client.not_found");
  expect((await findMachineCredential(ctx, { clientId }))?.revokedAt).toBeNull();
  const first = await revokeMachineClient(own, SYSTEM, id);
  clock.advance(5_000);
  expect((await revokeMachineClient(own, SYSTEM, id)).revokedAt).toBe(first.revokedAt);
  expect(await auditStory(own)).toEqual(["machine_client.create done", "machine_client.revoke done"]);
});

it("has a certificate that no other client gets, not even after it is revoked", async () => {
  const { certificate } = await createServerCa({ commonName: "build machine", now: ctx.clock() });
  const made = await createMachineClient(ctx, SYSTEM, { ...input(), certificatePem: certificatePem(certificate) });
  const { fingerprint } = certificate;
  expect(await findMachineCredential(ctx, { certificateFingerprint: fingerprint })).toMatchObject({ id: made.id });
  await revokeMachineClient(ctx, SYSTEM, made.id);
  const again = createMachineClient(ctx, SYSTEM, { ...input(), certificatePem: certificatePem(certificate) });
  await expectRefusal(again, "machine_client.certificate_taken");
  await expectRefusal(createMachineClient(ctx, SYSTEM, { ...input(), certificatePem: "no" }), "pki.malformed");
});

it("keeps the networks that it may come from, an address alone as a range of one", async () => {
  const { sourceNetworks } = CreateMachineClient.parse({ ...input(), sourceNetworks: ["192.0.2.7", "2001:db8::/32"] });
  const made = await createMachineClient(ctx, SYSTEM, { ...input(), sourceNetworks });
  expect(made.sourceNetworks).toEqual(["192.0.2.7/32", "2001:db8::/32"]);
  expect(await findMachineCredential(ctx, { clientId: made.clientId })).toMatchObject({
    sourceNetworks: made.sourceNetworks,
  });
  for (const network of ["10.0.0.0/33", "example.com", "", "10.0.0.0/"]) {
    expect(CreateMachineClient.safeParse({ ...input(), sourceNetworks: [network] }).success).toBe(false);
  }
});

it("is listed newest first by keyset pages, with its last use", async () => {
  const own = { ...ctx, namespaceId: "machine-list" };
  for (const name of ["a", "b", "c"]) {
    clock.advance(1_000);
    const { id } = await createMachineClient(own, SYSTEM, { name, scopes: ["repo:read"] });
    if (name === "b") await recordMachineClientUse(own, [id]);
  }
  const first = await listMachineClients(own, SYSTEM, { limit: 2 });
  expect(first.data.map(({ name, lastUsedAt }) => [name, lastUsedAt !== null])).toEqual([
    ["c", false],
    ["b", true],
  ]);
  const second = await listMachineClients(own, SYSTEM, { limit: 2, cursor: first.nextCursor ?? "" });
  expect(second).toMatchObject({ data: [{ name: "a" }], nextCursor: null, total: 3 });
  await expectRefusal(listMachineClients(own, SYSTEM, { limit: 2, cursor: "x" }), "request.invalid");
});
