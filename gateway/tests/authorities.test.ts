import { once } from "node:events";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  closeAuthority,
  getServerCa,
  loadDoorRootPem,
  orderAuthorityProof,
  prepareServerCa,
  proveAuthority,
  reopenAuthority,
  revokeAuthority,
  switchServerCa,
  uploadAuthority,
} from "#services/authorities/service.ts";
import {
  countCertificates,
  countDevicesWithout,
  issueDevice,
  listServerCaDevices,
} from "#services/identity/service.ts";
import type { Credentials, TestDoor } from "#tests/harness/door.ts";
import { type DoorSite, openDoorSite } from "#tests/harness/door-site.ts";
import { eventually } from "#tests/harness/eventually.ts";
import { actorOf, auditStory, expectRefusal, type IdentityWorld } from "#tests/harness/identity.ts";
import { type OpensslFolder, openssl } from "#tests/pki/openssl.ts";
import { createSoftwareCa, type SoftwareCa } from "#tests/pki/software-ca.ts";

const admin = actorOf("admin");
const count = countCertificates;
/** The promise of the product; measured from the end of the decision's call. */
const WITHIN_MS = 1_000;
let site: DoorSite;
let world: IdentityWorld;
let door: TestDoor;
let folder: OpensslFolder;

beforeAll(async () => {
  site = await openDoorSite();
  ({ world } = site);
  door = await site.openDoor();
  folder = openssl();
});
afterAll(async () => {
  folder.remove();
  await site.close();
});

describe("an uploaded authority at the door", () => {
  let ca: SoftwareCa;
  let id: string;
  const answerTo = async (device: Credentials) => (await door.request(device)).code ?? "let in";
  const expectSoon = (device: Credentials, expected: string) =>
    eventually(async () => expect(await answerTo(device)).toBe(expected), WITHIN_MS);

  it("admits nobody before its key is proved, whatever its policy", async () => {
    ca = await createSoftwareCa({ commonName: "Works CA" });
    const uploaded = await uploadAuthority(world.ctx, admin, { certificatePem: ca.pem, policy: "allow_all", count });
    id = uploaded.id;
    expect(await answerTo(await ca.issue())).toBe("unknown_authority");
    const { code } = await orderAuthorityProof(world.ctx, admin, id);
    const { pem } = await ca.issue({ commonNames: [code] });
    await proveAuthority(world.ctx, admin, { id, certificatePem: pem, count });
    await expectSoon(await ca.issue(), "let in");
  });

  it("closed takes no newcomers, while known devices pass; reopened it takes them again", async () => {
    const known = await ca.issue();
    expect(await answerTo(known)).toBe("let in");
    const newcomer = await ca.issue();
    await closeAuthority(world.ctx, admin, { id, count });
    await expectSoon(newcomer, "authority_closed");
    expect(await answerTo(known)).toBe("let in");
    await reopenAuthority(world.ctx, admin, { id, count });
    await expectSoon(newcomer, "let in");
  });

  it("revoked has its open connections cut within a second, and nobody of it comes in again", async () => {
    const known = await ca.issue();
    expect(await answerTo(known)).toBe("let in");
    const kept = [await door.connect(known), await door.connect(await site.newDevice())] as const;
    for (const socket of kept) {
      socket.on("error", () => undefined);
      socket.write("GET /director/targets.json HTTP/1.1\r\nHost: x\r\n\r\n");
      await once(socket, "data");
      socket.resume();
    }
    const closed = once(kept[0], "close");
    const allowed = (await countCertificates(world.ctx.db, world.ctx, [id])).get(id)?.allowed ?? 0;
    expect(allowed).toBeGreaterThan(2);
    await revokeAuthority(world.ctx, admin, {
      id,
      count,
      reason: "keyCompromise",
      note: "stolen",
      allowedCertificates: allowed,
    });
    const cutAfterMs = performance.now();
    await closed;
    expect(performance.now() - cutAfterMs).toBeLessThan(WITHIN_MS);
    expect(await answerTo(known)).toBe("authority_revoked");
    expect(await answerTo(await ca.issue())).toBe("authority_revoked");
    expect(kept[1].destroyed).toBe(false);
    kept[1].destroy();
  });
});

describe("a rollover of the server CA", () => {
  let oldOnly: string;
  let newOnly: string;
  let device: Credentials;

  /** What OpenSSL, as in the devices' client, says of the door when it trusts nothing but this. */
  const verdict = async (rootPem: string) => {
    folder.write("root.pem", rootPem);
    const said = await folder.talk(
      `s_client -connect 127.0.0.1:${door.door.port} -servername localhost -verify_hostname localhost -verify_return_error -CAfile root.pem`,
    );
    return /Verif(?:y return code|ication): (\d+ \([^)]*\)|OK)/.exec(said)?.[1] ?? said;
  };
  const isLetInWith = async (rootPem: string) =>
    (await door.request(device, { ca: rootPem, servername: "localhost" }).catch(() => null))?.status === 200;
  const without = async () => (await listServerCaDevices(world.ctx, admin, { has: "false", limit: 50 })).data;

  it("begins with every device on the CA in force", async () => {
    oldOnly = await loadDoorRootPem(world.ctx);
    const { files } = await issueDevice(world.ctx, admin, { name: "Old hand", hardwareId: "rpi4" });
    device = { pem: files["client.pem"], privateKeyPem: files["pkey.pem"] };
    expect(files["root.crt"]).toBe(oldOnly);
    expect(await isLetInWith(oldOnly)).toBe(true);
    await expectRefusal(
      switchServerCa(world.ctx, admin, { devicesWithout: 0, count: countDevicesWithout }),
      "authority.wrong_state",
    );
  });

  it("hands the next one out only when every gateway had the time to be believed by it", async () => {
    const { next } = await prepareServerCa(world.ctx, admin);
    expect(next).not.toBeNull();
    expect(await loadDoorRootPem(world.ctx)).toBe(oldOnly);
    await expectRefusal(prepareServerCa(world.ctx, admin), "authority.wrong_state");
    world.clock.advance(150_000);
    newOnly = await loadDoorRootPem(world.ctx);
    expect(newOnly).not.toBe(oldOnly);
    expect(newOnly.match(/BEGIN CERTIFICATE/g)).toHaveLength(1);
  });

  it("lets devices in that trust only the old one, and devices that trust only the next one", async () => {
    await door.door.refreshCertificate();
    for (const rootPem of [oldOnly, newOnly]) {
      expect(await isLetInWith(rootPem)).toBe(true);
      expect(await verdict(rootPem)).toMatch(/^(OK|0 \(ok\))$/);
    }
    expect(await isLetInWith((await createSoftwareCa()).pem)).toBe(false);
  });

  it("knows who was given the next one", async () => {
    const { uuid, files } = await issueDevice(world.ctx, admin, { name: "Newcomer", hardwareId: "rpi4" });
    expect(files["root.crt"]).toBe(newOnly);
    const has = await listServerCaDevices(world.ctx, admin, { has: "true", limit: 50 });
    expect(has.data.map(({ deviceUuid }) => deviceUuid)).toEqual([uuid]);
    expect((await without()).map(({ name }) => name)).toContain("Old hand");
    const first = await listServerCaDevices(world.ctx, admin, { has: "false", limit: 1 });
    const rest = await listServerCaDevices(world.ctx, admin, {
      has: "false",
      limit: 50,
      cursor: first.nextCursor ?? "",
    });
    expect([...first.data, ...rest.data]).toEqual(await without());
  });

  it("ends when a person says so who saw how many devices lose the doors", async () => {
    const devicesWithout = (await without()).length;
    const end = (devices: number) =>
      switchServerCa(world.ctx, admin, { devicesWithout: devices, count: countDevicesWithout });
    await expectRefusal(end(devicesWithout - 1), "authority.count_changed");
    expect(await end(devicesWithout)).toMatchObject({ next: null });
    expect(await loadDoorRootPem(world.ctx)).toBe(newOnly);
    await door.door.refreshCertificate();
    expect(await isLetInWith(newOnly)).toBe(true);
    expect(await isLetInWith(oldOnly)).toBe(false);
    expect(await verdict(oldOnly)).not.toMatch(/^(OK|0 \(ok\))$/);
    const keys = await world.ctx.db.serverCertificate.findMany({
      where: { kind: "server_ca", sealedKey: { not: null } },
    });
    expect(keys.map((row) => row.id)).toEqual([(await getServerCa(world.ctx, admin)).current.id]);
    expect((await auditStory(world.ctx)).slice(-1)).toEqual(["server_ca.switch done"]);
  });

  it("can be followed by another one", async () => {
    await prepareServerCa(world.ctx, admin);
    world.clock.advance(150_000);
    await door.door.refreshCertificate();
    expect(await isLetInWith(newOnly)).toBe(true);
    expect(await isLetInWith(await loadDoorRootPem(world.ctx))).toBe(true);
  });
});
