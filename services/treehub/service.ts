import type { CommitCheckReply, TreehubUsage } from "#lib/contracts/ota/treehub.ts";
import type { Ctx } from "#lib/ctx.ts";
import { checkCommitTree } from "#lib/ostree/walk.ts";
import { BLOBS_BELOW, objectKey, removeUnlisted, type TreehubCtx } from "./objects.ts";
import * as store from "./store.ts";
import { dropDeleted } from "./store-deltas.ts";

export type { TreehubCtx } from "./objects.ts";

const SWEEP_BATCH = 500;

/**
 * Checks a commit and everything below it: each object is listed, its bytes are there, and they are what its name says. Nothing is
 * taken from an earlier check.
 *
 * @returns what was right, and the first object that is not
 */
export async function checkCommit(ctx: TreehubCtx, commit: string): Promise<CommitCheckReply> {
  const check = await checkCommitTree(commit, {
    findPresent: (names) => store.findObjectNames(ctx.db, ctx.namespaceId, names),
    open: async (name) => (await ctx.blobs.open(objectKey(ctx.namespaceId, name)))?.stream ?? null,
  });
  return { commit, ...check };
}

/** What a namespace keeps. */
export async function measureUsage(ctx: Ctx): Promise<TreehubUsage> {
  return store.sumUsage(ctx.db, ctx.namespaceId);
}

/**
 * Removes what was deleted, and bytes older than `olderThan` that nothing lists: what a crash left behind. Of all namespaces; the
 * worker's job.
 *
 * @returns how many blobs
 */
export async function sweepTreehub(ctx: TreehubCtx, olderThan: Date): Promise<number> {
  let removed = 0;
  const removeAll = async (keys: readonly string[]) => {
    for (const key of keys) if (await removeUnlisted(ctx, key)) removed += 1;
  };
  await removeAll(await ctx.db.$transaction((tx) => dropDeleted(tx, SWEEP_BATCH)));
  let batch: string[] = [];
  const sweepBatch = async () => {
    const inUse = await store.keysInUse(ctx.db, batch);
    await removeAll(batch.filter((key) => !inUse.has(key)));
    batch = [];
  };
  for await (const key of ctx.blobs.keysOlderThan(olderThan, BLOBS_BELOW)) {
    batch.push(key);
    if (batch.length >= SWEEP_BATCH) await sweepBatch();
  }
  await sweepBatch();
  return removed;
}
