import { randomUUID } from "node:crypto";
import type { BackendCtx } from "#lib/backends/backends.ts";
import { isAppError } from "#lib/errors/app-error.ts";
import { crawl, isSyncNeeded, refreshDirty } from "#services/sync/service.ts";
import { type Loop, startLoop } from "./loop.ts";

const REFRESH_EVERY_MS = 500;
const CRAWL_EVERY_MS = 5_000;
/** A turn is then done long before its lease ends. */
const PAGES_PER_TURN = 5;

/** Keeps the fleet index true to external back ends; none when all that own devices are embedded, and write it themselves. */
export function startSyncLoops(ctx: BackendCtx): Loop[] {
  if (!isSyncNeeded(ctx.config)) return [];
  const { log } = ctx;
  const refreshing: Loop = startLoop({
    name: "reading devices",
    everyMs: REFRESH_EVERY_MS,
    log,
    turn: async () => {
      if ((await refreshDirty(ctx)) > 0) refreshing.wake();
    },
  });
  const crawling: Loop = startLoop({
    name: "reading the fleet",
    everyMs: CRAWL_EVERY_MS,
    log,
    turn: async () => {
      if (!(await crawlOn(ctx))) crawling.wake();
    },
  });
  return [refreshing, crawling];
}

/** @returns false when there is more to read at once. While back ends are away, the next turn finds the same. */
async function crawlOn(ctx: BackendCtx): Promise<boolean> {
  try {
    return await crawl({ ...ctx, requestId: randomUUID() }, { pages: PAGES_PER_TURN });
  } catch (err) {
    if (!isAppError(err, "backend.unreachable") && !isAppError(err, "backend.timeout")) throw err;
    ctx.log.debug({ err }, "the fleet waits for its back ends to be read");
    return true;
  }
}
