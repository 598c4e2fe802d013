import type { Actor } from "#lib/authz/actor.ts";
import type { Ctx } from "#lib/ctx.ts";
import type { Tx } from "#lib/db/client.ts";
import { isAppError } from "#lib/errors/app-error.ts";
import { record } from "#services/audit/service.ts";
import { assertAuthorityIs } from "#services/authorities/service.ts";
import {
  countRenewals,
  type EnrolledRow,
  findEnrolled,
  listOfKey,
  lockDevice,
  recordRenewal,
} from "#services/identity/service.ts";
import { askedBy, because, ofKey, shortened } from "./refusal-detail.ts";
import { type EnrolmentAnswer, refuse } from "./refusals.ts";
import { isLive, isTurnedAway, type Order, openNextIssuer, readOrder, sign } from "./request.ts";

/** Renewals a device may hold without using one. */
const UNUSED_KEPT = 5;
const RENEWALS_PER_DAY = 20;
const DAY_MS = 86_400_000;

/**
 * A device's next certificate, for one that the door lets in. Device, subject and name stay; the key may be new. The present certificate
 * stays as it is until the new one is used.
 *
 * Asking again with the key of a renewal that was not used yet, after a lost reply, gives that one.
 *
 * @param asked.fingerprint of the certificate that proved itself in this connection and was admitted
 * @throws AppError `keys.unsealable`
 * @see RFC 7030 section 4.2.2
 */
export async function renewCertificate(ctx: Ctx, asked: Asked): Promise<EnrolmentAnswer> {
  const present = await findEnrolled(ctx.db, ctx.namespaceId, asked.fingerprint);
  const who = present?.name ?? present?.deviceUuid ?? "a device";
  const answer = await renew(ctx, asked, present).catch((error: unknown) => {
    if (isAppError(error, "authority.wrong_state")) return refuse("renewal_not_in_place");
    throw error;
  });
  return askedBy(answer, `Asked by ${who}, which came with ${shortened(asked.fingerprint)}.`);
}

type Asked = { fingerprint: string; body: Uint8Array; label: string | null };

async function renew(ctx: Ctx, asked: Asked, present: EnrolledRow | null): Promise<EnrolmentAnswer> {
  if (!isInPlace(present)) return refuse("renewal_not_in_place");
  const order = readOrder({ ...asked, issuer: await openNextIssuer(ctx, present.authorityId) });
  if ("refusal" in order) return order;
  const signed = await sign(ctx, order, { uuid: present.deviceUuid, days: order.issuer.certificateDays });
  const actor: Actor = { kind: "system", name: `device ${present.name ?? present.deviceUuid}` };
  return ctx.db.$transaction(async (tx) => {
    await lockDevice(tx, ctx, present.deviceUuid);
    const now = await findEnrolled(tx, ctx.namespaceId, asked.fingerprint);
    if (!isInPlace(now)) return refuse("renewal_not_in_place");
    await assertNotRevoked(tx, ctx, [now.authorityId, order.issuer.authorityId]);
    const known = await findOfKey(tx, ctx, { order, present: now });
    if (known !== null) return known;
    const { deviceUuid } = now;
    const since = new Date(ctx.clock().getTime() - DAY_MS);
    if ((await countRenewals(tx, ctx.namespaceId, { deviceUuid, since })) >= RENEWALS_PER_DAY) {
      return refuse("too_many_renewals");
    }
    const { certificate } = signed;
    const superseded = await recordRenewal(tx, ctx, actor, {
      certificate,
      authorityId: order.issuer.authorityId,
      deviceUuid,
      deviceId: now.name ?? deviceUuid,
      hardwareId: now.hardwareId,
      simulated: now.simulated,
      note: "Renewed by the device",
      renewalOf: now.fingerprint,
      keep: UNUSED_KEPT,
    });
    await record(tx, ctx, actor, {
      action: "certificate.issue",
      target: { kind: "certificate", id: certificate.fingerprint, name: now.name ?? deviceUuid },
      after: { serial: certificate.serialHex, renewalOf: now.fingerprint, superseded },
    });
    return { certificateDer: certificate.der };
  });
}

/** To the end of the transaction: whoever revokes one of them meanwhile finds the new certificate among those that it concerns. */
async function assertNotRevoked(tx: Tx, ctx: Ctx, authorityIds: readonly (string | null)[]): Promise<void> {
  for (const id of new Set(authorityIds)) {
    if (id !== null) await assertAuthorityIs(tx, ctx, { id, states: ["open", "closed"] });
  }
}

type InPlace = EnrolledRow & { readonly deviceUuid: string };

/** One that a newer replaced is good for coming in, and for nothing new. */
function isInPlace(row: EnrolledRow | null): row is InPlace {
  return row !== null && row.state === "allowed" && row.graceUntil === null && row.deviceUuid !== null;
}

/** What is known of the request's key: a renewal that waits for its first use again, or why there is none; null to issue. */
async function findOfKey(
  tx: Tx,
  ctx: Ctx,
  { order, present }: { order: Order; present: InPlace },
): Promise<EnrolmentAnswer | null> {
  const rows = await listOfKey(tx, ctx.namespaceId, order.request.spkiSha256);
  const turnedAway = rows.find(isTurnedAway);
  if (turnedAway !== undefined) return because(refuse("key_refused"), ofKey(turnedAway));
  const foreign = rows.find((row) => row.deviceUuid !== present.deviceUuid);
  if (foreign !== undefined) return because(refuse("key_known"), ofKey(foreign));
  const halfLife = new Date(ctx.clock().getTime() + (order.issuer.certificateDays * DAY_MS) / 2);
  const waiting = rows.find(
    (row) =>
      row.renewalOf !== null &&
      row.admittedAt === null &&
      row.state === "allowed" &&
      row.authorityId === order.issuer.authorityId &&
      isLive(row, halfLife),
  );
  return waiting?.certificate ? { certificateDer: Buffer.from(waiting.certificate) } : null;
}
