import type { Actor } from "#lib/authz/actor.ts";
import type { Ctx } from "#lib/ctx.ts";
import type { Tx } from "#lib/db/client.ts";
import { type AppError, isAppError } from "#lib/errors/app-error.ts";
import { type AuditFacts, type AuditRecord, recordRequested, settle } from "./service.ts";

/** Completes the entry in the transaction that records the outcome. */
type Finish = (tx: Tx, after: AuditFacts, outcome?: "done" | "refused" | "unknown") => Promise<void>;

/** After these nobody knows whether the back end acted. */
const UNCERTAIN: ReadonlySet<string> = new Set([
  "backend.unreachable",
  "backend.timeout",
  "backend.invalid_reply",
  "internal.error",
]);

/**
 * Runs a change that a back end owns between its *requested* entry and the one that completes it.
 *
 * When `work` throws, the entry is completed as refused, or as unknown where the back end may have acted, and the error goes on.
 */
export async function auditBackendChange<T>(
  ctx: Ctx,
  change: { actor: Actor; entry: AuditRecord },
  work: (finish: Finish) => Promise<T>,
): Promise<T> {
  const { actor, entry } = change;
  const requested = await recordRequested(ctx, actor, entry);
  const complete: Finish = (tx, after, outcome = "done") =>
    settle(tx, ctx, { actor, requested, outcome, entry: { ...entry, after: { ...entry.after, ...after } } });
  try {
    return await work(complete);
  } catch (error) {
    const certain = isAppError(error) && !UNCERTAIN.has(error.code) && !isFailure(error);
    const failure = isAppError(error) ? error.code : "internal.error";
    await ctx.db
      .$transaction((tx) => complete(tx, { failure }, certain ? "refused" : "unknown"))
      .catch((err) => ctx.log.error({ err, requested: requested.toString() }, "an audit entry could not be completed"));
    throw error;
  }
}

/** A back end that says 5xx has failed, perhaps half-way; a refusal is 4xx. */
function isFailure(error: AppError): boolean {
  return error.code === "backend.refused" && !(Number(error.context.status) < 500);
}
