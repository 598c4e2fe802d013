import type { Actor } from "#lib/authz/actor.ts";
import type { BackendCtx } from "#lib/backends/backends.ts";
import { auditBackendChange } from "#services/audit/service.ts";
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
  await auditBackendChange(ctx, { actor, entry }, async (finish) => {
    await ctx.backends.registry.renameDevice(ctx, { uuid: rename.uuid, name: rename.name });
    await ctx.db.$transaction(async (tx) => {
      await updateName(tx, ctx.namespaceId, rename);
      await finish(tx, {});
    });
  });
}
