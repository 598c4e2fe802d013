import { SYSTEM } from "#lib/authz/actor.ts";
import type { Ctx } from "#lib/ctx.ts";
import type { Tx } from "#lib/db/client.ts";
import { publishEvent } from "#lib/db/events.ts";
import { record } from "#services/audit/service.ts";
import { announceChanges, findGraceDays } from "#services/authorities/service.ts";
import { applyDecision, lockCertificate } from "./decisions.ts";
import * as store from "./store.ts";

const DAY_MS = 86_400_000;

/**
 * The first use of a renewed certificate: it takes its device's place, and the others stay good for their authority's grace. A device
 * that lost the reply to its renewal still has the old one, for nothing happens to that before this.
 */
export async function admitRenewal(ctx: Ctx, seen: store.CertificateRow): Promise<void> {
  await ctx.db.$transaction(async (tx) => {
    const row = await lockCertificate(tx, ctx, seen.fingerprint);
    if (row.state !== "allowed" || row.admittedAt !== null || row.deviceUuid === null) return;
    const replaced = await takePlace(tx, ctx, { deviceUuid: row.deviceUuid, fingerprint: row.fingerprint });
    await applyDecision(tx, ctx, SYSTEM, {
      row,
      change: { state: "allowed", admittedAt: ctx.clock(), decidedAt: row.decidedAt, decidedBy: row.decidedBy },
      verb: "taken into use",
    });
    await record(tx, ctx, SYSTEM, {
      action: "certificate.renew",
      target: { kind: "certificate", id: row.fingerprint, name: row.name ?? row.deviceUuid },
      after: { state: "allowed", replaced },
    });
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
