import { once } from "node:events";
import type { TLSSocket } from "node:tls";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { AddAllowlistEntry } from "#lib/contracts/console/allowlist.ts";
import {
  addAllowlistEntry,
  approveCertificate,
  holdCertificate,
  releaseCertificate,
  supersedeReplaced,
} from "#services/identity/service.ts";
import type { Credentials, TestDoor } from "#tests/harness/door.ts";
import { type DoorSite, openDoorSite } from "#tests/harness/door-site.ts";
import { eventually } from "#tests/harness/eventually.ts";
import { actorOf, type IdentityWorld } from "#tests/harness/identity.ts";
import { addAuthority } from "#tests/pki/authority.ts";
import { createSoftwareCa, type SoftwareCa } from "#tests/pki/software-ca.ts";

const DAY_MS = 86_400_000;
const WITHIN_MS = 1_000;
const admin = actorOf("admin");
let site: DoorSite;
let ca: SoftwareCa;
let world: IdentityWorld;
let door: TestDoor;
let authorityId: string;

beforeAll(async () => {
  site = await openDoorSite();
  ({ world } = site);
  ca = await createSoftwareCa();
  authorityId = await addAuthority(world.ctx, ca.certificate, "allowlist");
  door = await site.openDoor();
});
afterAll(() => site.close());

type Leaf = Awaited<ReturnType<SoftwareCa["issue"]>>;

const KINDS: [string, (leaf: Leaf["certificate"]) => AddAllowlistEntry][] = [
  ["fingerprint", (it) => ({ kind: "fingerprint", value: it.fingerprint })],
  ["key", (it) => ({ kind: "spki", value: it.spkiSha256 })],
  ["subject", (it) => ({ kind: "subject", value: it.subjectDn, authorityId })],
  ["serial number", (it) => ({ kind: "serial", value: it.serialHex, authorityId })],
];

async function allowlisted(leaf: Leaf): Promise<Leaf> {
  await addAllowlistEntry(world.ctx, admin, { kind: "fingerprint", value: leaf.certificate.fingerprint });
  expect((await door.request(leaf)).status).toBe(200);
  return leaf;
}

/** A connection that has had a reply and stays open. */
async function keptOpen(leaf: Credentials): Promise<TLSSocket> {
  const socket = await door.connect(leaf);
  socket.on("error", () => undefined);
  socket.write("GET /director/targets.json HTTP/1.1\r\nHost: x\r\n\r\n");
  await once(socket, "data");
  socket.resume();
  return socket;
}

async function expectClosed(socket: TLSSocket): Promise<void> {
  if (!socket.closed) await once(socket, "close", { signal: AbortSignal.timeout(WITHIN_MS) });
}

it.each(KINDS)(
  "an authority that admits listed ones lets in at its first visit whose %s is listed, and nobody else",
  async (_kind, of) => {
    const [listed, stranger] = [await ca.issue(), await ca.issue()];
    await addAllowlistEntry(world.ctx, admin, of(listed.certificate));
    expect((await door.request(listed)).status).toBe(200);
    expect(await door.request(stranger)).toMatchObject({ status: 403, code: "not_on_allowlist" });
  },
);

it("a re-keyed device waits; once it replaces, the old certificate is cut when its grace is over", async () => {
  const commonNames = [crypto.randomUUID()];
  const old = await allowlisted(await ca.issue({ commonNames }));
  const fresh = await ca.issue({ commonNames });
  expect(await door.request(fresh)).toMatchObject({ status: 403, code: "another_certificate_allowed" });
  const { fingerprint } = fresh.certificate;
  await approveCertificate(world.ctx, admin, { fingerprint, replace: true, graceDays: 1 });
  await eventually(async () => expect((await door.request(fresh)).status).toBe(200), WITHIN_MS);
  expect((await door.request(old)).status).toBe(200);
  const open = await keptOpen(old);
  world.clock.advance(DAY_MS);
  await supersedeReplaced(world.ctx);
  await expectClosed(open);
  expect(await door.request(old)).toMatchObject({ status: 403, code: "superseded" });
  expect((await door.request(fresh)).status).toBe(200);
});

it("a hold cuts what is open and refuses within a second; a release lets in again", async () => {
  const leaf = await allowlisted(await ca.issue());
  const { fingerprint } = leaf.certificate;
  const open = await keptOpen(leaf);
  await holdCertificate(world.ctx, admin, { fingerprint });
  await expectClosed(open);
  await eventually(async () => expect((await door.request(leaf)).code).toBe("held"), WITHIN_MS);
  await releaseCertificate(world.ctx, admin, { fingerprint });
  await eventually(async () => expect((await door.request(leaf)).status).toBe(200), WITHIN_MS);
});
