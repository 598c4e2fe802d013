import type { Actor } from "#lib/authz/actor.ts";
import type { Ctx } from "#lib/ctx.ts";
import type { Tx } from "#lib/db/client.ts";
import { isAppError } from "#lib/errors/app-error.ts";
import { type AuditFacts, type AuditRecord, recordRequested, settle } from "#services/audit/service.ts";

/**
 * Runs a change that a back end owns a part of, between its *requested* and its settling audit entry.
 *
 * `work` gets `finish`, to be called inside the transaction that records the outcome: the settling entry commits with it. When
 * `work` throws, the entry is settled as refused, or as unknown where the back end may have acted, and the error goes on.
 */
export async function audited<T>(
  ctx: Ctx,
  change: { actor: Actor; entry: AuditRecord },
  work: (finish: (tx: Tx, after: AuditFacts) => Promise<void>) => Promise<T>,
): Promise<T> {
  const { actor, entry } = change;
  const requested = await recordRequested(ctx, actor, entry);
  try {
    return await work((tx, after) =>
      settle(tx, ctx, { actor, requested, outcome: "done", entry: { ...entry, after: { ...entry.after, ...after } } }),
    );
  } catch (error) {
    const outcome = isAppError(error) && !UNCERTAIN.has(error.code) ? "refused" : "unknown";
    const after = { ...entry.after, failure: isAppError(error) ? error.code : "internal.error" };
    await ctx.db
      .$transaction((tx) => settle(tx, ctx, { actor, requested, outcome, entry: { ...entry, after } }))
      .catch((err) => ctx.log.error({ err, requested: requested.toString() }, "an audit entry could not be settled"));
    throw error;
  }
}

/** After these nobody knows whether the back end acted. */
const UNCERTAIN: ReadonlySet<string> = new Set([
  "backend.unreachable",
  "backend.timeout",
  "backend.invalid_reply",
  "internal.error",
]);
