import { lockInTransaction } from "#lib/db/client.ts";
import { AppError } from "#lib/errors/app-error.ts";
import { parseCommit } from "#lib/ostree/objects.ts";
import { readCommit, type TreehubCtx } from "./objects.ts";
import * as store from "./store.ts";

/**
 * Points a name to a commit: forwards to a child of the commit it points to, anywhere by force.
 *
 * @returns false when it would go elsewhere and there is no force
 * @throws AppError `ota.commit_missing` | `ostree.malformed` (the commit can't be read)
 * @see contracts/treehub.md section 4; the parent is the one that the commit object names
 */
export async function moveRef(
  ctx: TreehubCtx,
  ref: { name: string; commit: string; force: boolean },
): Promise<boolean> {
  const bytes = await readCommit(ctx, ref.commit);
  if (bytes === null) throw new AppError("ota.commit_missing", "Push the commit before you point to it.");
  const { parent } = parseCommit(bytes);
  return ctx.db.$transaction(async (tx) => {
    await lockInTransaction(tx, `treehub-ref:${ctx.namespaceId}:${ref.name}`);
    const before = await store.findRef(tx, ctx.namespaceId, ref.name);
    const isForward = before === null || before === ref.commit || before === parent;
    if (!isForward && !ref.force) return false;
    await store.putRef(tx, ctx.namespaceId, { name: ref.name, commit: ref.commit, updatedAt: ctx.clock() });
    return true;
  });
}
