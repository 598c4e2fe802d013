import { spawn } from "node:child_process";
import { once } from "node:events";
import net from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { listRefusals } from "#services/identity/service.ts";
import type { TestDoor } from "#tests/harness/door.ts";
import { type DoorSite, openDoorSite } from "#tests/harness/door-site.ts";
import { eventually } from "#tests/harness/eventually.ts";
import { actorOf, type IdentityWorld } from "#tests/harness/identity.ts";
import { createSoftwareCa } from "#tests/pki/software-ca.ts";

const support = actorOf("support");
let site: DoorSite;
let world: IdentityWorld;
let door: TestDoor;

beforeAll(async () => {
  site = await openDoorSite();
  ({ world } = site);
  door = await site.openDoor();
});
afterAll(() => site.close());

async function openssl(...args: string[]): Promise<void> {
  const client = spawn("openssl", ["s_client", "-connect", `127.0.0.1:${door.door.port}`, ...args], {
    stdio: ["pipe", "ignore", "ignore"],
  });
  client.stdin.on("error", () => undefined);
  client.stdin.end();
  await once(client, "exit");
}

async function raw(bytes: string): Promise<void> {
  const socket = net.connect(door.door.port, "127.0.0.1");
  socket.on("error", () => undefined);
  socket.write(bytes);
  socket.resume();
  await once(socket, "close");
}

/** A certificate that TLS 1.2 takes no proof for: its curve is not one of TLS. */
async function unusualKey(): Promise<void> {
  const { pem, privateKeyPem } = await (await createSoftwareCa()).issue({ key: "secp256k1" });
  const socket = await door.connect({ pem, privateKeyPem }, { maxVersion: "TLSv1.2" }).catch(() => null);
  socket?.destroy();
}

describe("what fails before there is a request is listed with its reason and address", () => {
  it.each<[string, () => Promise<void>]>([
    ["tls_too_old", () => openssl("-tls1_1", "-cipher", "ALL:@SECLEVEL=0")],
    ["tls_no_shared_cipher", () => openssl("-tls1_2", "-cipher", "AES256-SHA256:@SECLEVEL=0")],
    ["door_not_trusted", () => openssl("-verify_return_error")],
    ["plain_http", () => raw("GET /director/targets.json HTTP/1.1\r\nHost: x\r\n\r\n")],
    ["not_tls", () => raw("SSH-2.0-OpenSSH_9.9\r\n")],
    ["key_unusable", unusualKey],
  ])("%s", async (code, act) => {
    await act();
    await eventually(async () => {
      const { data } = await listRefusals(world.ctx, support, { limit: 5, code });
      expect(data).toMatchObject([{ code, address: "127.0.0.1", fingerprint: null, remedy: "none" }]);
    });
    expect(door.metrics.render()).toContain(`gatehouse_door_handshake_failures_total{code="${code}"}`);
  });

  it("and a connection that says nothing is not", async () => {
    const before = (await listRefusals(world.ctx, support, { limit: 1 })).total;
    const socket = net.connect(door.door.port, "127.0.0.1");
    await once(socket, "connect");
    socket.end();
    await eventually(() => expect(door.metrics.render()).toContain('{code="broken_off"}'));
    expect((await listRefusals(world.ctx, support, { limit: 1 })).total).toBe(before);
  });
});
