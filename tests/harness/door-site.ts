import { randomUUID } from "node:crypto";
import type { Config } from "#lib/config/load.ts";
import { createDb } from "#lib/db/client.ts";
import { issueDevice } from "#services/identity/service.ts";
import { createTestDatabase } from "#tests/harness/database.ts";
import {
  type Credentials,
  openRecordingUpstream,
  openTestDoor,
  type RecordingUpstream,
  type TestDoor,
} from "#tests/harness/door.ts";
import { actorOf, type IdentityWorld, identityWorld } from "#tests/harness/identity.ts";
import { openTcpProxy, type TcpProxy } from "#tests/harness/tcp-proxy.ts";

/** A device that this install has issued. */
export type IssuedDevice = Credentials & { readonly uuid: string; readonly fingerprint: string };

type At = { readonly ctx: IdentityWorld["ctx"]; readonly databaseUrl: string; readonly upstreamUrl: string };

/** Where doors of the gateway stand: a database, a namespace and a recording back end of their own. */
export type DoorSite = {
  readonly world: IdentityWorld;
  readonly upstream: RecordingUpstream;
  /** What a door is opened with. */
  readonly at: At;
  /** Opens a device door, which is closed with the site. */
  openDoor(change?: Partial<Parameters<typeof openTestDoor>[0]>): Promise<TestDoor>;
  newDevice(): Promise<IssuedDevice>;
  /** A second way to the database, over a wire that can be cut. It is closed with the site, after the doors opened since. */
  openWire(): Promise<{ readonly proxy: TcpProxy; readonly at: At }>;
  close(): Promise<void>;
};

/** @param settings on top of the world's */
export async function openDoorSite(settings: Partial<Config> = {}): Promise<DoorSite> {
  const database = await createTestDatabase();
  const own = identityWorld(database.url);
  const ctx = { ...own.ctx, config: { ...own.ctx.config, ...settings } };
  const upstream = await openRecordingUpstream();
  const at: At = { ctx, databaseUrl: database.url, upstreamUrl: upstream.url };
  const closing = [() => database.drop(), () => ctx.db.$disconnect(), () => upstream.close()];
  return {
    world: { ...own, ctx },
    upstream,
    at,
    async openDoor(change = {}) {
      const door = await openTestDoor({ ...at, ...change });
      closing.push(() => door.close());
      return door;
    },
    async newDevice() {
      const wish = { name: `Truck ${randomUUID()}`, hardwareId: "rpi4" };
      const { uuid, fingerprint, files } = await issueDevice(ctx, actorOf("admin"), wish);
      return { uuid, fingerprint, pem: files["client.pem"], privateKeyPem: files["pkey.pem"] };
    },
    async openWire() {
      const url = new URL(database.url);
      const proxy = await openTcpProxy({ host: url.hostname, port: Number(url.port) });
      url.host = `127.0.0.1:${proxy.port}`;
      const db = createDb(url.href, { poolSize: 3 });
      closing.push(() => db.$disconnect().then(() => proxy.close()));
      return { proxy, at: { ...at, ctx: { ...ctx, db }, databaseUrl: url.href } };
    },
    async close() {
      for (const close of closing.reverse()) await close();
    },
  };
}
