import { type Actor, requirePermission } from "#lib/authz/actor.ts";
import type { Certificate, Note } from "#lib/contracts/console/certificates.ts";
import type { Ctx } from "#lib/ctx.ts";
import { lockInTransaction, type Tx } from "#lib/db/client.ts";
import { publishEvent } from "#lib/db/events.ts";
import { AppError, isAppError } from "#lib/errors/app-error.ts";
import { record } from "#services/audit/service.ts";
import { announceChange, assertAuthorityIs } from "#services/authorities/service.ts";
import { recordActivity, setCertificate } from "#services/fleet/service.ts";
import { readCertificate } from "./certificates.ts";
import * as store from "./store.ts";

/** Refuses a waiting certificate for good. @throws AppError `auth.forbidden` | `certificate.not_found` | `certificate.wrong_state` */
export async function rejectCertificate(
  ctx: Ctx,
  actor: Actor,
  input: Note & { fingerprint: string },
): Promise<Certificate> {
  requirePermission(actor, "certificate.decide");
  await ctx.db.$transaction(async (tx) => {
    const row = await lockCertificate(tx, ctx, input.fingerprint);
    assertState(row, ["pending"], "rejected");
    await applyDecision(tx, ctx, actor, { row, change: { state: "rejected", ...noted(input.note) }, verb: "rejected" });
    await record(tx, ctx, actor, {
      action: "certificate.reject",
      target: { kind: "certificate", id: row.fingerprint, name: row.name ?? row.deviceUuid },
      before: { state: row.state },
      after: { state: "rejected", ...noted(input.note) },
    });
  });
  return readCertificate(ctx, input.fingerprint);
}

/** Takes the locks of a certificate and of its device, in this order, and reads its row. @throws AppError `certificate.not_found` */
export async function lockCertificate(tx: Tx, ctx: Ctx, fingerprint: string): Promise<store.CertificateRow> {
  await lockInTransaction(tx, `certificate:${ctx.namespaceId}:${fingerprint}`);
  await store.holdCertificate(tx, ctx.namespaceId, fingerprint);
  const read = () => store.findCertificate(tx, ctx.namespaceId, fingerprint);
  const first = await read();
  if (first?.deviceUuid) await lockInTransaction(tx, lockOf(ctx, first.deviceUuid));
  const row = first?.deviceUuid ? await read() : first;
  if (row === null) throw new AppError("certificate.not_found", "No certificate with this fingerprint is known here.");
  return row;
}

/** Guards "one allowed certificate of a common name": whoever allows one holds this. */
export function lockOf(ctx: Ctx, deviceUuid: string): string {
  return `device-certificates:${ctx.namespaceId}:${deviceUuid}`;
}

/** Stores a decision, shows it on the device, tells every gateway and the pages. The caller audits it. */
export async function applyDecision(
  tx: Tx,
  ctx: Ctx,
  actor: Actor,
  decision: { row: store.CertificateRow; change: store.CertificateChange & { state: store.StoredState }; verb: string },
): Promise<void> {
  const now = ctx.clock();
  const row = await store.changeCertificate(tx, ctx.namespaceId, {
    fingerprint: decision.row.fingerprint,
    change: { decidedAt: now, decidedBy: actor.name, ...decision.change },
  });
  if (row.deviceUuid !== null) {
    const { deviceUuid, fingerprint, notAfter, state, simulated } = row;
    const mark = simulated ? { simulated } : {};
    await setCertificate(tx, ctx.namespaceId, { deviceUuid, fingerprint, state, notAfter, ...mark });
    const text = `Its certificate was ${decision.verb} by ${actor.name}.`;
    await recordActivity(tx, ctx.namespaceId, {
      deviceUuid,
      at: now,
      kind: "certificate",
      text,
      detail: { fingerprint },
    });
  }
  await announceChange(tx, ctx, { fingerprint: row.fingerprint, verb: decision.verb });
  await publishEvent(tx, ctx.namespaceId, { topic: "certificate", subjectId: row.fingerprint });
}

/** @throws AppError `certificate.wrong_state` */
export function assertState(row: store.CertificateRow, allowed: readonly store.StoredState[], verb: string): void {
  if (allowed.includes(row.state)) return;
  throw new AppError("certificate.wrong_state", `This certificate is ${row.state}, so it can't be ${verb}.`, {
    context: { fingerprint: row.fingerprint, state: row.state },
  });
}

/**
 * What a revoked authority signed lets nobody in, so it must not take another certificate's place either.
 *
 * @throws AppError `certificate.wrong_state`
 */
export async function assertNotFallen(
  tx: Tx,
  ctx: Ctx,
  { authorityId, fingerprint }: store.CertificateRow,
): Promise<void> {
  if (authorityId === null) return;
  try {
    await assertAuthorityIs(tx, ctx, { id: authorityId, states: ["open", "closed"] });
  } catch (cause) {
    if (!isAppError(cause, "authority.wrong_state")) throw cause;
    throw new AppError("certificate.wrong_state", "Its authority was revoked, so it would let nobody in.", {
      cause,
      context: { fingerprint, authorityId },
    });
  }
}

/** A note, where one was given. */
export function noted(note: string | undefined): { note?: string } {
  return note === undefined ? {} : { note };
}
