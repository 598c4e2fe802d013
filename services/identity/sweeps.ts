import { SYSTEM } from "#lib/authz/actor.ts";
import type { Ctx } from "#lib/ctx.ts";
import { publishEvent } from "#lib/db/events.ts";
import { parseCertificate } from "#lib/pki/certificates.ts";
import { record } from "#services/audit/service.ts";
import { announceChanges, listRevokedAuthorities, listWaitingDays } from "#services/authorities/service.ts";
import { recordActivities, setCertificateStates } from "#services/fleet/service.ts";
import * as store from "./store-sweeps.ts";

const AT_ONCE = 500;
const NAMED_IN_AUDIT = 50;
const DAY_MS = 86_400_000;

/**
 * For the worker: what a newer certificate replaced is superseded once its grace is over. The door refuses it from that moment on by
 * itself; this cuts its live connections and says so everywhere.
 */
export async function supersedeReplaced(ctx: Ctx): Promise<void> {
  while ((await supersedeBatch(ctx)) === AT_ONCE);
}

async function supersedeBatch(ctx: Ctx): Promise<number> {
  return ctx.db.$transaction(async (tx) => {
    const now = ctx.clock();
    const ended = await store.supersedeEnded(tx, ctx.namespaceId, { now, by: SYSTEM.name, take: AT_ONCE });
    if (ended.length === 0) return 0;
    const text = "A certificate of it that a newer one replaced came to the end of its grace.";
    const lines = ended.flatMap(({ deviceUuid, fingerprint }) =>
      deviceUuid === null ? [] : [{ deviceUuid, at: now, kind: "certificate" as const, text, detail: { fingerprint } }],
    );
    await recordActivities(tx, ctx.namespaceId, lines);
    const changes = ended.map(({ fingerprint }) => ({ fingerprint, verb: "superseded" }));
    await announceChanges(tx, ctx, changes);
    await publishEvent(tx, ctx.namespaceId, { topic: "certificate", subjectId: "" });
    await record(tx, ctx, SYSTEM, { action: "certificate.supersede", ...summary(ended, "replaced") });
    return ended.length;
  });
}

/**
 * For the worker: what a revoked authority signed is revoked too, for its reason. The doors refuse it since the authority was revoked; this
 * says so on every list and device, and to whoever else has to know. A device that can still come in with a renewal by another authority is
 * left that way in.
 */
export async function revokeFallen(ctx: Ctx): Promise<void> {
  const authorities = await listRevokedAuthorities(ctx);
  if (authorities.length === 0) return;
  while ((await revokeFallenBatch(ctx, authorities)) === AT_ONCE);
}

async function revokeFallenBatch(ctx: Ctx, authorities: readonly { id: string; reason: string }[]): Promise<number> {
  return ctx.db.$transaction(async (tx) => {
    const now = ctx.clock();
    const swept = await store.revokeSignedBy(tx, ctx.namespaceId, { authorities, now, by: SYSTEM.name, take: AT_ONCE });
    if (swept.length === 0) return 0;
    const text = "Its certificate was revoked, because the authority that signed it was.";
    const lines = swept.flatMap(({ deviceUuid, fingerprint }) =>
      deviceUuid === null ? [] : [{ deviceUuid, at: now, kind: "certificate" as const, text, detail: { fingerprint } }],
    );
    await recordActivities(tx, ctx.namespaceId, lines);
    const fingerprints = swept.map(({ fingerprint }) => fingerprint);
    const uuids = swept.flatMap(({ deviceUuid }) => deviceUuid ?? []);
    await setCertificateStates(tx, ctx.namespaceId, { fingerprints, uuids, state: "revoked" });
    await publishEvent(tx, ctx.namespaceId, { topic: "certificate", subjectId: "" });
    await record(tx, ctx, SYSTEM, {
      action: "certificate.revoke_with_authority",
      ...summary(swept),
    });
    return swept.length;
  });
}

/**
 * For the worker: a request that nobody decided about within its authority's waiting days is forgotten. Nothing was decided, so the device
 * may ask again.
 */
export async function lapseWaiting(ctx: Ctx): Promise<void> {
  const now = ctx.clock().getTime();
  const limits = (await listWaitingDays(ctx)).map(({ id: authorityId, waitingDays }) => ({
    authorityId,
    before: new Date(now - waitingDays * DAY_MS),
  }));
  while ((await lapseBatch(ctx, limits)) === AT_ONCE);
}

async function lapseBatch(ctx: Ctx, limits: readonly { authorityId: string; before: Date }[]): Promise<number> {
  return ctx.db.$transaction(async (tx) => {
    const lapsed = await store.deleteStale(tx, ctx.namespaceId, { limits, take: AT_ONCE });
    if (lapsed.length === 0) return 0;
    await publishEvent(tx, ctx.namespaceId, { topic: "certificate", subjectId: "" });
    await record(tx, ctx, SYSTEM, { action: "certificate.lapse", ...summary(lapsed, "waiting") });
    return lapsed.length;
  });
}

/** For the worker: notes the keys of certificates that were recorded before keys were. Once all have theirs it finds nothing. */
export async function noteKeys(ctx: Ctx): Promise<void> {
  const rows = await store.listWithoutKey(ctx.db, ctx.namespaceId, AT_ONCE);
  const keys = rows.flatMap(({ fingerprint, certificate }) => {
    if (certificate === null) return [];
    const { spkiSha256, key } = parseCertificate(certificate);
    return [{ fingerprint, spkiSha256, keyType: key.type }];
  });
  if (keys.length > 0) await store.setKeys(ctx.db, ctx.namespaceId, keys);
}

/** One entry a batch: how many, and the first of them. */
function summary(swept: readonly store.Swept[], which = "") {
  const fingerprints = swept.map(({ fingerprint }) => fingerprint);
  const [first = ""] = fingerprints;
  const noun = swept.length === 1 ? "certificate" : "certificates";
  const what = [swept.length, which, noun].filter((part) => part !== "").join(" ");
  return {
    target: { kind: "certificate" as const, id: first, name: what },
    after: { count: swept.length, fingerprints: fingerprints.slice(0, NAMED_IN_AUDIT) },
  };
}
