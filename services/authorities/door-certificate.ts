import { createPrivateKey, randomUUID, X509Certificate } from "node:crypto";
import { readFile } from "node:fs/promises";
import { SYSTEM } from "#lib/authz/actor.ts";
import type { Ctx } from "#lib/ctx.ts";
import { lockInTransaction, type Tx } from "#lib/db/client.ts";
import { AppError } from "#lib/errors/app-error.ts";
import { certificatePem, parseCertificate } from "#lib/pki/certificates.ts";
import { createServerCa, type IssuingCa, issueServerCertificate, openIssuingCa } from "#lib/pki/issue.ts";
import { isSignedBy } from "#lib/pki/issuer.ts";
import { record } from "#services/audit/service.ts";
import { serverPurposeOf } from "./sealing.ts";
import { findCross, isCrossInOrder, newestHandedOut, renewCross } from "./server-ca-chain.ts";
import * as store from "./store.ts";

export type DoorCertificate = {
  /** The leaf first. */
  readonly chainPem: string;
  readonly privateKeyPem: string;
  readonly notAfter: Date;
  /** Tells one chain from the next, so that a running door knows when to change. */
  readonly fingerprint: string;
};

/** Both doors stand under the same names, so they share our certificate; each may have its own files instead. */
export type DoorName = "DEVICE_DOOR" | "TOOLS_DOOR";

/**
 * A door's certificate and key: the files of `<door>_CERT` and `<door>_KEY` when they are set, ours otherwise.
 *
 * @throws AppError `config.invalid` when own files can't be read, do not belong together or have expired |
 *   `keys.unsealable` | `internal.unavailable` (before `ensureAuthorities`)
 */
export async function loadDoorCertificate(ctx: Ctx, door: DoorName = "DEVICE_DOOR"): Promise<DoorCertificate> {
  const own = await readOwnCertificate(ctx, door);
  if (own !== null) return own;
  const row = await store.findServerCertificate(ctx.db, "device_door");
  if (row === null) throw new AppError("internal.unavailable", "The doors have no certificate yet.");
  const certificate = parseCertificate(row.certificate);
  const cross = await findCross(ctx.db, ctx);
  const chain = [certificate, ...(cross === null ? [] : [parseCertificate(cross.certificate)])];
  return {
    chainPem: chain.map(certificatePem).join(""),
    privateKeyPem: ctx.keys.open(row.sealedKey, serverPurposeOf(row.id)).toString("utf8"),
    notAfter: certificate.notAfter,
    fingerprint: chain.map(({ fingerprint }) => fingerprint).join("+"),
  };
}

/**
 * What devices get as `root.crt`: our server CA, the next one once one is prepared; with an own door certificate the CA at the end of its chain. A chain that
 * ends before its root is taken for one of a public CA, which devices trust by themselves.
 */
export async function loadDoorRootPem(ctx: Ctx): Promise<string> {
  const own = await readOwnCertificate(ctx, "DEVICE_DOOR");
  const last = own === null ? undefined : own.chainPem.match(PEM_CERTIFICATE)?.at(-1);
  if (last !== undefined && parseCertificate(last).isCa) return certificatePem(parseCertificate(last));
  await ensureDoorCertificate(ctx);
  const row = await newestHandedOut(ctx.db, ctx);
  if (row === null) throw new AppError("internal.unavailable", "This install has no server CA yet.");
  return certificatePem(parseCertificate(row.certificate));
}

/**
 * Makes the server CA, and the door's certificate when there is none, its names changed or a third of its life is left; likewise what
 * makes devices believe it that have only the next server CA.
 */
export async function ensureDoorCertificate(ctx: Ctx): Promise<void> {
  if (await isInOrder(ctx, ctx.db)) return;
  await ctx.db.$transaction(async (tx) => {
    await lockInTransaction(tx, "server-certificates");
    await renewInTransaction(tx, ctx);
  });
}

/** As `ensureDoorCertificate`, under the lock of the server certificates, which the caller holds. @throws AppError `keys.unsealable` */
export async function renewInTransaction(tx: Tx, ctx: Ctx): Promise<void> {
  if (!(await isCrossInOrder(tx, ctx))) await renewCross(tx, ctx);
  if (await isDoorInOrder(ctx, tx)) return;
  const ca = await openServerCa(tx, ctx);
  const names = ctx.config.GATEWAY_HOST;
  const issued = await issueServerCertificate({ ca, names, now: ctx.clock() });
  const id = randomUUID();
  await store.insertServerCertificate(tx, {
    id,
    kind: "device_door",
    names,
    certificate: issued.certificate,
    sealedKey: ctx.keys.seal(Buffer.from(issued.privateKeyPem), serverPurposeOf(id)),
    createdAt: ctx.clock(),
  });
}

async function isInOrder(ctx: Ctx, db: Ctx["db"] | Tx): Promise<boolean> {
  return (await isDoorInOrder(ctx, db)) && (await isCrossInOrder(db, ctx));
}

async function isDoorInOrder(ctx: Ctx, db: Ctx["db"] | Tx): Promise<boolean> {
  const ca = await store.findServerCertificate(db, "server_ca");
  const door = await store.findServerCertificate(db, "device_door");
  if (ca === null || door === null) return false;
  const sameNames = [...door.names].sort().join() === [...ctx.config.GATEWAY_HOST].sort().join();
  return (
    sameNames && isYoung(ctx, door) && isSignedBy(parseCertificate(door.certificate), parseCertificate(ca.certificate))
  );
}

function isYoung(ctx: Ctx, row: { notBefore: Date; notAfter: Date }): boolean {
  const life = row.notAfter.getTime() - row.notBefore.getTime();
  return row.notAfter.getTime() - ctx.clock().getTime() > life / 3;
}

/**
 * The server CA in force. It is not replaced when it grows old: devices trust exactly this one, and a new one must reach
 * them first (`prepareServerCa`).
 */
async function openServerCa(tx: Tx, ctx: Ctx): Promise<IssuingCa> {
  const row = await store.findServerCertificate(tx, "server_ca");
  if (row !== null) {
    const privateKeyPem = ctx.keys.open(row.sealedKey, serverPurposeOf(row.id)).toString("utf8");
    return openIssuingCa(parseCertificate(row.certificate), privateKeyPem);
  }
  const id = randomUUID();
  const name = "Gatehouse server CA";
  const made = await createServerCa({ commonName: `${name} ${id.slice(0, 8)}`, now: ctx.clock() });
  await store.insertServerCertificate(tx, {
    id,
    kind: "server_ca",
    names: [],
    certificate: made.certificate,
    sealedKey: ctx.keys.seal(Buffer.from(made.privateKeyPem), serverPurposeOf(id)),
    createdAt: ctx.clock(),
  });
  await record(tx, ctx, SYSTEM, {
    action: "authority.create",
    target: { kind: "authority", id, name },
    after: { fingerprint: made.certificate.fingerprint, notAfter: made.certificate.notAfter.toISOString() },
  });
  return openIssuingCa(made.certificate, made.privateKeyPem);
}

const PEM_CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

async function readOwnCertificate(ctx: Ctx, door: DoorName): Promise<DoorCertificate | null> {
  const [certName, keyName] = [`${door}_CERT`, `${door}_KEY`] as const;
  const { [certName]: certPath, [keyName]: keyPath } = ctx.config;
  if (certPath === undefined || keyPath === undefined) return null;
  const chainPem = await readSettingFile(certName, certPath);
  const privateKeyPem = await readSettingFile(keyName, keyPath);
  const leaf = parseSetting(certName, "a PEM certificate", () =>
    parseCertificate(chainPem.match(PEM_CERTIFICATE)?.[0] ?? ""),
  );
  const key = parseSetting(keyName, "a PEM private key without a password", () => createPrivateKey(privateKeyPem));
  if (!new X509Certificate(leaf.der).checkPrivateKey(key)) {
    throw new AppError("config.invalid", `${keyName} is not the key of the certificate in ${certName}.`);
  }
  if (leaf.notAfter <= ctx.clock()) {
    throw new AppError(
      "config.invalid",
      `${certName}: the certificate expired on ${leaf.notAfter.toISOString()}. Put a valid one there.`,
    );
  }
  return { chainPem, privateKeyPem, notAfter: leaf.notAfter, fingerprint: leaf.fingerprint };
}

async function readSettingFile(name: string, path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (cause) {
    throw new AppError("config.invalid", `${name}: the file ${path} can't be read.`, { cause });
  }
}

function parseSetting<T>(name: string, what: string, parse: () => T): T {
  try {
    return parse();
  } catch (cause) {
    throw new AppError("config.invalid", `${name} does not hold ${what}.`, { cause });
  }
}
