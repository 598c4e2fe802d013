import { createPrivateKey, createPublicKey, sign } from "node:crypto";
import { createMenderUpstream } from "#gateway/mender-upstream.ts";
import { createMenderBackend } from "#lib/backends/mender.ts";
import type { Config } from "#lib/config/load.ts";
import { issueDevice } from "#services/identity/service.ts";
import { type Credentials, openTestDoor, type TestDoor } from "#tests/harness/door.ts";
import { openDoorSite } from "#tests/harness/door-site.ts";
import { actorOf, type IdentityWorld } from "#tests/harness/identity.ts";
import { type MenderDouble, startMenderDouble } from "./server.ts";
import { USER } from "./state.ts";

export const MENDER_NAME = "mender.test";
export const AUTH = "/api/devices/v1/authentication/auth_requests";

type At = Parameters<typeof openMenderTestDoor>[0];

/** A Mender server's double with a door before it. */
export type MenderSite = {
  readonly world: IdentityWorld;
  readonly double: MenderDouble;
  readonly door: TestDoor;
  /** What another door is opened with. */
  readonly at: Omit<At, "double"> & { readonly double: MenderDouble };
  close(): Promise<void>;
};

export async function openMenderSite(): Promise<MenderSite> {
  const site = await openDoorSite();
  const { world, upstream } = site;
  const double = await startMenderDouble();
  const at = { world, databaseUrl: site.at.databaseUrl, upstreamUrl: upstream.url, double };
  const door = await openMenderTestDoor(at);
  return {
    world,
    double,
    door,
    at,
    async close() {
      await door.close();
      await double.close();
      await site.close();
    },
  };
}

/** @returns what the double answers an authentication request of the device with: its token, where it is let in */
export function authenticate(door: TestDoor, device: MenderDevice): ReturnType<TestDoor["request"]> {
  return door.request(device, { method: "POST", path: AUTH, ...signedRequest(device) });
}

/** The real device door, which is Mender's under MENDER_NAME and on a port of its own. */
export async function openMenderTestDoor(options: {
  world: IdentityWorld;
  databaseUrl: string;
  upstreamUrl: string;
  double: Pick<MenderDouble, "url">;
  settings?: Partial<Config>;
}): Promise<TestDoor> {
  const { world, databaseUrl, upstreamUrl, double } = options;
  const settings: Partial<Config> = {
    MENDER_URL: double.url,
    menderApiUrl: double.url,
    MENDER_HOST: MENDER_NAME,
    MENDER_DOOR_PORT: 0,
    MENDER_USER: USER.email,
    ...options.settings,
  };
  const config = { ...world.ctx.config, ...settings };
  const upstream = createMenderUpstream(config);
  const backend = createMenderBackend(config, { MENDER_PASSWORD: USER.password });
  if (upstream === null) throw new Error("there is no Mender server");
  const ctx = { ...world.ctx, config, backends: { ...world.ctx.backends, mender: backend } };
  const door = await openTestDoor({ ctx, databaseUrl, upstreamUrl, settings, mender: { upstream, ctx } });
  return {
    ...door,
    request: (credentials, request = {}) =>
      door.request(credentials, { ...request, headers: { host: MENDER_NAME, ...request.headers } }),
    async close() {
      await door.close();
      upstream.close();
      backend?.close();
    },
  };
}

export type MenderDevice = Credentials & {
  readonly uuid: string;
  readonly fingerprint: string;
  readonly identity: Record<string, unknown>;
};

let count = 0;

/** A device that the door lets in, with an identity for Mender. */
export async function newMenderDevice(world: IdentityWorld): Promise<MenderDevice> {
  const bundle = await issueDevice(world.ctx, actorOf("admin"), { name: `Lorry ${++count}`, hardwareId: "rpi4" });
  const { uuid, fingerprint, files } = bundle;
  return { uuid, fingerprint, pem: files["client.pem"], privateKeyPem: files["pkey.pem"], identity: { mac: uuid } };
}

export type SignedRequest = { readonly body: Buffer; readonly headers: Record<string, string> };

/** An authentication request as a client makes it. @param keyPem another private key than the certificate's */
export function signedRequest(
  device: Pick<MenderDevice, "identity" | "privateKeyPem">,
  keyPem = device.privateKeyPem,
): SignedRequest {
  const key = createPrivateKey(keyPem);
  const pubkey = createPublicKey(key).export({ type: "spki", format: "pem" });
  // Blanks that nobody would print again.
  return signedBody(
    Buffer.from(JSON.stringify({ id_data: JSON.stringify(device.identity), pubkey, tenant_token: "t" }, null, 3)),
    keyPem,
  );
}

export function signedBody(body: Buffer, keyPem: string): SignedRequest {
  const key = createPrivateKey(keyPem);
  const signature = sign(key.asymmetricKeyType === "ed25519" ? null : "sha256", body, key).toString("base64");
  return {
    body,
    headers: { "content-type": "application/json", "x-men-signature": signature, authorization: "Bearer t" },
  };
}
