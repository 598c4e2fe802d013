import { SYSTEM } from "#lib/authz/actor.ts";
import type { Ctx } from "#lib/ctx.ts";
import type { Tx } from "#lib/db/client.ts";
import { publishEvent } from "#lib/db/events.ts";
import { record } from "#services/audit/service.ts";
import { announceChanges, findGraceDays } from "#services/authorities/service.ts";
import { applyDecision, lockCertificate } from "./decisions.ts";
import * as store from "./store.ts";
import { supersedeRenewals } from "./store-enrolled.ts";

const DAY_MS = 86_400_000;

/**
 * The first use of a renewed certificate: it takes its device's place, and the others stay good for their authority's grace. A device
 * that lost the reply to its renewal still has the old one, for nothing happens to that before this.
 */
export async function admitRenewal(ctx: Ctx, seen: store.CertificateRow): Promise<void> {
  await ctx.db.$transaction(async (tx) => {
    const row = await lockCertificate(tx, ctx, seen.fingerprint);
    const { deviceUuid } = row;
    if (row.state !== "allowed" || row.admittedAt !== null || deviceUuid === null) return;
    const asker = row.renewalOf === null ? null : await store.findCertificate(tx, ctx.namespaceId, row.renewalOf);
    if (asker?.state === "held") return;
    if (asker?.state === "revoked") return revokeWithAsker(tx, ctx, { row, asker });
    // In its grace itself, since its device was given another key meanwhile: then it takes nobody's place.
    const isReplaced = row.graceUntil !== null;
    const replaced = isReplaced ? [] : await takePlace(tx, ctx, { deviceUuid, fingerprint: row.fingerprint });
    await applyDecision(tx, ctx, SYSTEM, {
      row,
      change: { state: "allowed", admittedAt: ctx.clock(), decidedAt: row.decidedAt, decidedBy: row.decidedBy },
      verb: "taken into use",
    });
    // Others that were asked for and never used: nothing depends on them, and one of them must not take the place back.
    const unused = await supersedeRenewals(tx, ctx.namespaceId, { deviceUuid, keep: 0, at: ctx.clock() });
    await announceChanges(
      tx,
      ctx,
      unused.map((fingerprint) => ({ fingerprint, verb: "superseded" })),
    );
    await record(tx, ctx, SYSTEM, {
      action: "certificate.renew",
      target: { kind: "certificate", id: row.fingerprint, name: row.name ?? deviceUuid },
      after: { state: "allowed", replaced },
    });
  });
}

/** What a certificate asked for before it was revoked may be in the hands for which it was revoked. */
async function revokeWithAsker(
  tx: Tx,
  ctx: Ctx,
  { row, asker }: { row: store.CertificateRow; asker: store.CertificateRow },
): Promise<void> {
  const reason = asker.revocationReason ?? "unspecified";
  const change = { state: "revoked" as const, revocationReason: reason, revokedAt: ctx.clock() };
  await applyDecision(tx, ctx, SYSTEM, { row, change, verb: "revoked" });
  await record(tx, ctx, SYSTEM, {
    action: "certificate.revoke",
    target: { kind: "certificate", id: row.fingerprint, name: row.name ?? row.deviceUuid },
    before: { state: row.state },
    after: { state: "revoked", reason, renewalOf: asker.fingerprint },
  });
}

/**
 * Gives a certificate its device's place. The ones that had it stay allowed until the grace of the authority of the new one is over;
 * `graceDays` 0 ends them now. Call it under the device's lock.
 *
 * @returns the fingerprints of those that had it
 */
export async function takePlace(
  tx: Tx,
  ctx: Ctx,
  taken: { deviceUuid: string; fingerprint: string; graceDays?: number },
): Promise<string[]> {
  const row = await store.findCertificate(tx, ctx.namespaceId, taken.fingerprint);
  const graceDays = taken.graceDays ?? (await findGraceDays(tx, ctx, row?.authorityId ?? null));
  const graceUntil = new Date(ctx.clock().getTime() + graceDays * DAY_MS);
  const replaced = await store.endOthers(tx, ctx.namespaceId, { ...taken, graceUntil });
  await announceChanges(
    tx,
    ctx,
    replaced.map((fingerprint) => ({ fingerprint, verb: "replaced" })),
  );
  for (const fingerprint of replaced) {
    await publishEvent(tx, ctx.namespaceId, { topic: "certificate", subjectId: fingerprint });
  }
  return replaced;
}
