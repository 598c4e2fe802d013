import type { BackendCtx } from "#lib/backends/backends.ts";
import type { Ctx } from "#lib/ctx.ts";
import { isAppError } from "#lib/errors/app-error.ts";
import { httpSource, type RepositorySource } from "./source.ts";
import * as store from "./store.ts";
import { checkImage, openChain } from "./verify.ts";

const HOUR_MS = 3_600_000;

/** No image goes longer without a look than a week: begun a day early, since a run has bounds. */
const DUE_AFTER_MS = 6 * 24 * HOUR_MS;
/** What failed is looked at again sooner, since somebody may have mended it. */
const FAILED_DUE_AFTER_MS = HOUR_MS;

/** Bounds of one run: devices download from the same disk. Forty seconds a minute at this rate reach 16 TB a week. */
const PACE = { bytesPerSecond: 67_108_864 };
const RUN_MS = 40_000;

/**
 * Looks at the stored bytes of images again, those that were never or longest not looked at first. The worker's job: each run
 * takes up where the last one, finished or killed, left off, because the times of the results say where that was.
 *
 * @returns how many images were checked, and how many of them did not verify
 */
export async function scrubImages(ctx: BackendCtx): Promise<{ checked: number; failed: number }> {
  const until = performance.now() + RUN_MS;
  const total = { checked: 0, failed: 0 };
  for (const namespaceId of await namespacesOf(ctx)) {
    const scoped = { ...ctx, namespaceId };
    try {
      const { checked, failed } = await scrub(scoped, httpSource(scoped), until);
      total.checked += checked;
      total.failed += failed;
    } catch (error) {
      // One environment's repository that is down, or was never made, must not keep the others from being looked at.
      if (!isAppError(error) || !/^(backend|uptane)\./.test(error.code)) throw error;
      ctx.log.warn({ err: error, namespaceId }, "images could not be looked at again");
    }
  }
  return total;
}

/** Our own; an external repository is one of the worker's own environment. */
async function namespacesOf(ctx: BackendCtx): Promise<Set<string>> {
  if (ctx.config.REPOSERVER_URL !== undefined) return new Set([ctx.namespaceId]);
  return new Set([ctx.namespaceId, ...(await store.listNamespaces(ctx.db))]);
}

async function scrub(ctx: Ctx, source: RepositorySource, until: number): Promise<{ checked: number; failed: number }> {
  const startedAt = ctx.clock();
  const found = { checked: 0, failed: 0 };
  const chain = await openChain(ctx, source);
  const known = await store.listCheckedAt(ctx.db, ctx.namespaceId);
  const signed = chain.targets === null ? null : [...chain.targets.signed.targets.keys()];
  if (signed !== null) {
    const listed = new Set(signed);
    const filenames = known.filter(({ filename }) => !listed.has(filename)).map(({ filename }) => filename);
    if (filenames.length > 0) await store.dropVerifications(ctx.db, ctx.namespaceId, { filenames, before: startedAt });
  }
  // Without a list that can be trusted, every image that is known fails with it.
  for (const filename of dueImages(signed ?? known.map((one) => one.filename), known, startedAt)) {
    const { state } = await checkImage(ctx, source, { chain, filename, listed: null, pace: PACE });
    found.checked += 1;
    if (state === "mismatch") found.failed += 1;
    if (performance.now() > until) break;
  }
  return found;
}

/** Oldest look first; never looked at before all. */
function dueImages(filenames: readonly string[], known: readonly store.CheckedAt[], now: Date): string[] {
  const byName = new Map(known.map((one) => [one.filename, one]));
  const lookedAt = (filename: string) => byName.get(filename)?.checkedAt.getTime() ?? 0;
  return filenames
    .filter((filename) => {
      const after = byName.get(filename)?.state === "mismatch" ? FAILED_DUE_AFTER_MS : DUE_AFTER_MS;
      return now.getTime() - lookedAt(filename) >= after;
    })
    .toSorted((left, right) => lookedAt(left) - lookedAt(right));
}
