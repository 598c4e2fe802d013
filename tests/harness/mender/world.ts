import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, randomUUID } from "node:crypto";
import { createMenderBackend } from "#lib/backends/mender.ts";
import { loadConfig } from "#lib/config/load.ts";
import type { Ctx } from "#lib/ctx.ts";
import { keyDigest, type MenderCtx, type Proven } from "#services/mender/service.ts";
import { createTestCtx, type TestClock } from "#tests/harness/ctx.ts";
import type { MenderDouble } from "./server.ts";
import { USER } from "./state.ts";

/** A context whose Mender server is the double, by login unless a token is given; `like` makes another replica of the same install. */
export function menderCtx(
  databaseUrl: string,
  double: MenderDouble,
  options: { clock?: TestClock; like?: Ctx; token?: string; settings?: Record<string, string> } = {},
): MenderCtx {
  const { clock, like, token } = options;
  const settings: Record<string, string> = {
    MENDER_URL: double.url,
    MENDER_HOST: "localhost",
    ...(token === undefined ? { MENDER_USER: USER.email, MENDER_PASSWORD: USER.password } : { MENDER_TOKEN: token }),
    ...options.settings,
  };
  const base = createTestCtx(databaseUrl, {
    settings,
    ...(clock === undefined ? {} : { clock }),
    ...(like === undefined ? {} : { like }),
  });
  const { config, secrets } = loadConfig("supervisor", { DATA_DIR: base.config.DATA_DIR, ...settings });
  return {
    ...base,
    config,
    namespaceId: like?.namespaceId ?? `ns-${randomUUID()}`,
    backends: { mender: createMenderBackend(config, secrets) },
  };
}

export type MenderKey = { readonly privateKey: KeyObject; readonly pem: string; readonly digest: string };

export function newMenderKey(): MenderKey {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "prime256v1" });
  return {
    privateKey,
    pem: publicKey.export({ type: "spki", format: "pem" }).toString(),
    digest: keyDigest(publicKey),
  };
}

/** The key that a PEM holds. */
export function keyOf(privateKeyPem: string): MenderKey {
  const privateKey = createPrivateKey(privateKeyPem);
  const publicKey = createPublicKey(privateKey);
  return {
    privateKey,
    pem: publicKey.export({ type: "spki", format: "pem" }).toString(),
    digest: keyDigest(publicKey),
  };
}

/** A proven request of a device with this identity. */
export function provenRequest(of: { mac: string; key: MenderKey; deviceUuid?: string; fingerprint?: string }): Proven {
  return {
    identity: { mac: of.mac },
    identityText: JSON.stringify({ mac: of.mac }),
    pubkeyPem: of.key.pem,
    keySha256: of.key.digest,
    deviceUuid: of.deviceUuid ?? randomUUID(),
    fingerprint: of.fingerprint ?? of.key.digest,
  };
}
