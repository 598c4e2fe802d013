import type { Actor } from "#lib/authz/actor.ts";
import { requirePermission, SYSTEM } from "#lib/authz/actor.ts";
import { AuditAction, type AuditEntry, AuditTargetKind, type ListAudit } from "#lib/contracts/console/audit.ts";
import type { Page } from "#lib/contracts/console/common.ts";
import type { Ctx } from "#lib/ctx.ts";
import type { DbOrTx, Tx } from "#lib/db/client.ts";
import { CHAIN_START, entryHash } from "./chain.ts";
import * as store from "./store.ts";

export { auditBackendChange } from "./around.ts";

const SETTLE_AT_ONCE = 100;
const EVENTS_KEPT_MS = 60 * 60_000;

/** What is safe to keep for ever and to show to support: names, states, ids. Never a secret. */
export type AuditFacts = { readonly [key: string]: string | number | boolean | null | readonly string[] };

export type AuditRecord = {
  action: AuditAction;
  target: { kind: AuditTargetKind; id: string; name?: string | null };
  before?: AuditFacts;
  after?: AuditFacts;
};

/** Writes an entry for a change made in this same transaction. Call it last: it serialises the namespace's audited writes. */
export async function record(tx: Tx, ctx: Ctx, actor: Actor, entry: AuditRecord): Promise<void> {
  await store.append(tx, { ctx, actor, entry, outcome: "done", settles: null });
}

/**
 * As `record`, of a change that a build tool makes through a door. What the console changes here is recorded where its person is known, so
 * there is no second entry of it.
 */
export async function recordByMachine(tx: Tx, ctx: Ctx, entry: AuditRecord): Promise<void> {
  const { machine } = ctx;
  if (machine !== undefined) await store.append(tx, { ctx, actor: machine, entry, outcome: "done", settles: null });
}

/** Commits the intent to change what a back end owns. @returns the sequence that `settle` completes */
export async function recordRequested(ctx: Ctx, actor: Actor, entry: AuditRecord): Promise<bigint> {
  return ctx.db.$transaction((tx) => recordRequestedIn(tx, ctx, actor, entry));
}

/** As `recordRequested`, in a transaction that also stores what is to be done. */
export async function recordRequestedIn(tx: Tx, ctx: Ctx, actor: Actor, entry: AuditRecord): Promise<bigint> {
  return store.append(tx, { ctx, actor, entry, outcome: "requested", settles: null });
}

/** Completes a *requested* entry, in the transaction that records what became of it. */
export async function settle(
  tx: Tx,
  ctx: Ctx,
  settled: { actor: Actor; requested: bigint; outcome: "done" | "refused" | "unknown"; entry: AuditRecord },
): Promise<void> {
  await store.append(tx, {
    ctx,
    actor: settled.actor,
    entry: settled.entry,
    outcome: settled.outcome,
    settles: settled.requested,
  });
}

/** @throws AppError `auth.forbidden` | `request.invalid` (a cursor that is not ours) */
export async function listAudit(ctx: Ctx, actor: Actor, query: ListAudit): Promise<Page<AuditEntry>> {
  requirePermission(actor, "audit.read");
  return store.listEntries(ctx.db, ctx.namespaceId, query);
}

/** For the worker: says *unknown* of what a crash left requested, so that no entry stays open for ever. */
export async function settleUnknown(ctx: Ctx): Promise<void> {
  for (const open of await store.findAbandoned(ctx.db, ctx.clock(), SETTLE_AT_ONCE)) {
    const entry = {
      action: AuditAction.parse(open.action),
      target: { kind: AuditTargetKind.parse(open.targetKind), id: open.targetId, name: open.targetName },
    };
    const own = { ...ctx, namespaceId: open.namespaceId };
    await ctx.db.$transaction((tx) =>
      settle(tx, own, { actor: SYSTEM, requested: open.sequence, outcome: "unknown", entry }),
    );
  }
}

/** For the worker: forgets page events older than an hour. */
export async function pruneEvents(ctx: Ctx): Promise<void> {
  await store.deleteEventsBefore(ctx.db, new Date(ctx.clock().getTime() - EVENTS_KEPT_MS));
}

export type ChainVerdict =
  | { intact: true; entries: number }
  | { intact: false; entries: number; brokenAt: string; why: string };

/** Every namespace that has an audit log. Needs the database and nothing else. */
export function listChains(db: DbOrTx): Promise<string[]> {
  return store.listChains(db);
}

/** Recomputes the whole chain of a namespace, a batch at a time. Needs the database and nothing else. */
export async function verifyChain(db: DbOrTx, namespaceId: string): Promise<ChainVerdict> {
  let previous: Uint8Array = CHAIN_START;
  let expected = 1n;
  for (;;) {
    const batch = await store.readChain(db, namespaceId, expected);
    for (const row of batch) {
      const where = { entries: Number(expected - 1n), brokenAt: row.sequence.toString() };
      if (row.sequence !== expected) return { intact: false, ...where, why: `entry ${expected} is missing` };
      if (!Buffer.from(row.previousHash).equals(previous))
        return { intact: false, ...where, why: "it does not follow the entry before it" };
      const hash = entryHash(previous, row);
      if (!Buffer.from(row.hash).equals(hash)) return { intact: false, ...where, why: "its content was changed" };
      previous = hash;
      expected += 1n;
    }
    if (batch.length === 0) return { intact: true, entries: Number(expected - 1n) };
  }
}
