import type { Actor } from "#lib/authz/actor.ts";
import type { BackendCtx } from "#lib/backends/backends.ts";
import { type AppError, isAppError } from "#lib/errors/app-error.ts";
import { recordRequested, settle } from "#services/audit/service.ts";
import { updateName } from "./store-write.ts";

/**
 * The registry owns the name. What it answered decides the outcome; no answer leaves it unknown, for the audit log to say so.
 *
 * @throws AppError `device.not_found` | `device.conflict` | backend errors
 */
export async function renameAtRegistry(
  ctx: BackendCtx,
  actor: Actor,
  rename: { uuid: string; name: string; before: string },
): Promise<void> {
  const entry = {
    action: "device.rename",
    target: { kind: "device", id: rename.uuid, name: rename.name },
    before: { name: rename.before },
    after: { name: rename.name },
  } as const;
  const requested = await recordRequested(ctx, actor, entry);
  try {
    await ctx.backends.registry.renameDevice(ctx, { uuid: rename.uuid, name: rename.name });
  } catch (error) {
    const refused = isAppError(error, "device.conflict") || isAppError(error, "device.not_found");
    const outcome = refused || isRefusal(error) ? "refused" : "unknown";
    await ctx.db.$transaction((tx) => settle(tx, ctx, { actor, requested, outcome, entry }));
    throw error;
  }
  await ctx.db.$transaction(async (tx) => {
    await updateName(tx, ctx.namespaceId, rename);
    await settle(tx, ctx, { actor, requested, outcome: "done", entry });
  });
}

function isRefusal(error: unknown): error is AppError {
  return isAppError(error, "backend.refused") && Number(error.context.status) < 500;
}
