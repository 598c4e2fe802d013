import { randomUUID } from "node:crypto";
import type { Ctx } from "#lib/ctx.ts";
import type { DbOrTx, Tx } from "#lib/db/client.ts";
import { parseCertificate } from "#lib/pki/certificates.ts";
import { crossSign, openIssuingCa } from "#lib/pki/issue.ts";
import { isSignedBy } from "#lib/pki/issuer.ts";
import { serverPurposeOf } from "./sealing.ts";
import { deleteCross, findServerCa, insertServerCa, type ServerCaRow } from "./store-server-ca.ts";

/**
 * While a next server CA is prepared, the doors show one more certificate: the name and key of the old CA, signed by the next one.
 * Devices that have the old CA ignore it; devices that have only the next one build their path through it. The other way round
 * (the next CA signed by the old one) would not do: the server CAs of earlier versions may have no CA below them.
 *
 * Whoever stole the old key can use it too, for as long as it is valid, so it is short-lived and renewed only until the switch.
 */
const CROSS_DAYS = 30;

/** Every gateway looks for a new chain once a minute: nobody may have only the next CA before all of them show it. */
export const HANDED_OUT_AFTER_MS = 150_000;

export function findNext(db: DbOrTx): Promise<ServerCaRow | null> {
  return findServerCa(db, "server_ca_next");
}

/** What new credentials carry: the next server CA as soon as every door is believed by it, the one in force otherwise. */
export async function newestHandedOut(db: DbOrTx, ctx: Pick<Ctx, "clock">): Promise<ServerCaRow | null> {
  const next = await findNext(db);
  if (next !== null && next.createdAt.getTime() + HANDED_OUT_AFTER_MS <= ctx.clock().getTime()) return next;
  return findServerCa(db, "server_ca");
}

/** The certificate that the doors show beside their own; null when none is needed. */
export async function findCross(db: DbOrTx, ctx: Pick<Ctx, "clock">): Promise<ServerCaRow | null> {
  const cross = await findServerCa(db, "server_ca_cross");
  return cross !== null && cross.notAfter > ctx.clock() ? cross : null;
}

export async function isCrossInOrder(db: DbOrTx, ctx: Pick<Ctx, "clock">): Promise<boolean> {
  const next = await findNext(db);
  if (next === null) return true;
  const cross = await findServerCa(db, "server_ca_cross");
  if (cross === null) return false;
  const life = cross.notAfter.getTime() - cross.notBefore.getTime();
  const isYoung = cross.notAfter.getTime() - ctx.clock().getTime() > life / 3;
  return isYoung && isSignedBy(parseCertificate(cross.certificate), parseCertificate(next.certificate));
}

/** Makes the cross-certificate anew. Call it under the lock of the server certificates. @throws AppError `keys.unsealable` */
export async function renewCross(tx: Tx, ctx: Ctx): Promise<void> {
  const [next, current] = [await findNext(tx), await findServerCa(tx, "server_ca")];
  if (next === null || next.sealedKey === null || current === null) return;
  const privateKeyPem = ctx.keys.open(next.sealedKey, serverPurposeOf(next.id)).toString("utf8");
  const { certificate } = await crossSign({
    ca: openIssuingCa(parseCertificate(next.certificate), privateKeyPem),
    other: parseCertificate(current.certificate),
    now: ctx.clock(),
    validForDays: CROSS_DAYS,
  });
  await deleteCross(tx);
  await insertServerCa(tx, {
    id: randomUUID(),
    kind: "server_ca_cross",
    certificate,
    sealedKey: null,
    createdAt: ctx.clock(),
  });
}
