import { randomUUID } from "node:crypto";
import { type Actor, requirePermission } from "#lib/authz/actor.ts";
import type { ServerCa } from "#lib/contracts/console/server-ca.ts";
import type { Ctx } from "#lib/ctx.ts";
import { type DbOrTx, lockInTransaction, type Tx } from "#lib/db/client.ts";
import { publishEvent } from "#lib/db/events.ts";
import { AppError } from "#lib/errors/app-error.ts";
import { parseCertificate } from "#lib/pki/certificates.ts";
import { createServerCa } from "#lib/pki/issue.ts";
import { record } from "#services/audit/service.ts";
import { ensureDoorCertificate, renewInTransaction } from "./door-certificate.ts";
import { serverPurposeOf } from "./sealing.ts";
import { findNext, HANDED_OUT_AFTER_MS, newestHandedOut } from "./server-ca-chain.ts";
import {
  dropNext,
  findServerCa,
  insertServerCa,
  putInForce,
  type ServerCaRow,
  upsertGiven,
} from "./store-server-ca.ts";

/** How many devices were given this server CA, or were not; asked of who knows the devices, which this area does not. */
export type CountServerCaDevices = (
  db: DbOrTx,
  ctx: Pick<Ctx, "namespaceId" | "clock">,
  serverCaId: string,
) => Promise<number>;

/** @throws AppError `auth.forbidden` | `keys.unsealable` */
export async function getServerCa(ctx: Ctx, actor: Actor): Promise<ServerCa> {
  requirePermission(actor, "authority.read");
  return readServerCa(ctx);
}

/**
 * Makes the server CA that takes the place of the one in force. From now on the doors are believed by devices that have either, and
 * new credentials carry the new one.
 *
 * @throws AppError `auth.forbidden` | `authority.wrong_state` (there is one, or the doors show your own certificate)
 */
export async function prepareServerCa(ctx: Ctx, actor: Actor): Promise<ServerCa> {
  requirePermission(actor, "authority.manage");
  if (ctx.config.DEVICE_DOOR_CERT !== undefined) {
    throw new AppError(
      "authority.wrong_state",
      "The device door shows your own certificate (DEVICE_DOOR_CERT), so devices know it by your authority, not by ours.",
    );
  }
  await ensureDoorCertificate(ctx);
  await ctx.db.$transaction(async (tx) => {
    await lockInTransaction(tx, "server-certificates");
    if ((await findNext(tx)) !== null) {
      throw new AppError("authority.wrong_state", "A next server CA is prepared already. Switch to it first.");
    }
    const id = randomUUID();
    const name = `Gatehouse server CA ${id.slice(0, 8)}`;
    const made = await createServerCa({ commonName: name, now: ctx.clock() });
    await insertServerCa(tx, {
      id,
      kind: "server_ca_next",
      certificate: made.certificate,
      sealedKey: ctx.keys.seal(Buffer.from(made.privateKeyPem), serverPurposeOf(id)),
      createdAt: ctx.clock(),
    });
    await renewInTransaction(tx, ctx);
    await publishEvent(tx, ctx.namespaceId, { topic: "certificate", subjectId: "" });
    await record(tx, ctx, actor, {
      action: "server_ca.prepare",
      target: { kind: "authority", id, name },
      after: { fingerprint: made.certificate.fingerprint, notAfter: made.certificate.notAfter.toISOString() },
    });
  });
  return readServerCa(ctx);
}

/**
 * Ends the time of two: the doors' certificate comes from the next server CA alone, and the key of the old one is deleted. Devices
 * that have only the old one can't connect any more.
 *
 * @throws AppError `auth.forbidden` | `authority.wrong_state` (none is prepared) | `authority.count_changed` (another number of
 *   devices lacks it than the person saw)
 */
export async function switchServerCa(
  ctx: Ctx,
  actor: Actor,
  { devicesWithout, count }: { devicesWithout: number; count: CountServerCaDevices },
): Promise<ServerCa> {
  requirePermission(actor, "authority.manage");
  await ctx.db.$transaction(async (tx) => {
    await lockInTransaction(tx, "server-certificates");
    const next = await requireNext(tx);
    const without = await count(tx, ctx, next.id);
    if (without !== devicesWithout) {
      throw new AppError(
        "authority.count_changed",
        `${without} devices do not have it now, not ${devicesWithout}. Look at them again, then decide.`,
      );
    }
    await putInForce(tx, next.id);
    await renewInTransaction(tx, ctx);
    await publishEvent(tx, ctx.namespaceId, { topic: "certificate", subjectId: "" });
    await record(tx, ctx, actor, {
      action: "server_ca.switch",
      target: { kind: "authority", id: next.id, name: parseCertificate(next.certificate).subjectCn },
      after: { devicesWithout },
    });
  });
  return readServerCa(ctx);
}

/**
 * Ends the time of two the other way: the next server CA and its key are deleted, and the doors are known by the one in force alone.
 * Devices that have only the next one can't connect any more.
 *
 * @throws AppError `auth.forbidden` | `authority.wrong_state` (none is prepared) | `authority.count_changed` (another number of
 *   devices was given it than the person saw)
 */
export async function cancelServerCa(
  ctx: Ctx,
  actor: Actor,
  { devicesWith, count }: { devicesWith: number; count: CountServerCaDevices },
): Promise<ServerCa> {
  requirePermission(actor, "authority.manage");
  await ctx.db.$transaction(async (tx) => {
    await lockInTransaction(tx, "server-certificates");
    const next = await requireNext(tx);
    const having = await count(tx, ctx, next.id);
    if (having !== devicesWith) {
      throw new AppError(
        "authority.count_changed",
        `${having} devices were given it by now, not ${devicesWith}. Look at them again, then decide.`,
      );
    }
    await dropNext(tx);
    await publishEvent(tx, ctx.namespaceId, { topic: "certificate", subjectId: "" });
    const { subjectCn, fingerprint } = parseCertificate(next.certificate);
    await record(tx, ctx, actor, {
      action: "server_ca.cancel",
      target: { kind: "authority", id: next.id, name: subjectCn },
      before: { fingerprint },
      after: { devicesWith },
    });
  });
  return readServerCa(ctx);
}

async function requireNext(tx: Tx): Promise<ServerCaRow> {
  const next = await findNext(tx);
  if (next === null) throw new AppError("authority.wrong_state", "No next server CA is prepared.");
  return next;
}

/** Remembers that a device was given what `loadDoorRootPem` returns now. */
export async function noteServerCaGiven(tx: Tx, ctx: Ctx, deviceUuid: string): Promise<void> {
  if (ctx.config.DEVICE_DOOR_CERT !== undefined) return;
  const row = await newestHandedOut(tx, ctx);
  if (row === null) return;
  await upsertGiven(tx, ctx.namespaceId, { deviceUuid, serverCaId: row.id, givenAt: ctx.clock() });
}

/** The id of the newest server CA: the next one while there is one. */
export async function findNewestServerCaId(db: DbOrTx): Promise<string | null> {
  return ((await findNext(db)) ?? (await findServerCa(db, "server_ca")))?.id ?? null;
}

async function readServerCa(ctx: Ctx): Promise<ServerCa> {
  await ensureDoorCertificate(ctx);
  const [current, next] = await Promise.all([findServerCa(ctx.db, "server_ca"), findNext(ctx.db)]);
  if (current === null) throw new AppError("internal.unavailable", "This install has no server CA yet.");
  const handedOutFrom = next === null ? null : new Date(next.createdAt.getTime() + HANDED_OUT_AFTER_MS);
  return {
    current: toDto(current),
    next:
      next === null || handedOutFrom === null ? null : { ...toDto(next), handedOutFrom: handedOutFrom.toISOString() },
    ownCertificate: ctx.config.DEVICE_DOOR_CERT !== undefined,
  };
}

function toDto(row: ServerCaRow): ServerCa["current"] {
  const { subjectDn, fingerprint, key } = parseCertificate(row.certificate);
  return {
    id: row.id,
    subject: subjectDn,
    fingerprint,
    keyType: key.type,
    notBefore: row.notBefore.toISOString(),
    notAfter: row.notAfter.toISOString(),
    createdAt: row.createdAt.toISOString(),
  };
}
