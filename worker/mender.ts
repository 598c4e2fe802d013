import { randomUUID } from "node:crypto";
import type { BackendCtx } from "#lib/backends/backends.ts";
import { isAppError } from "#lib/errors/app-error.ts";
import { rejectRevoked, syncMender } from "#services/mender/service.ts";
import { type Loop, startLoop } from "./loop.ts";

const REJECT_EVERY_MS = 2_000;
const REJECT_ALL_EVERY_MS = 60_000;
const SYNC_EVERY_MS = 10_000;

/** Carries revocations to the Mender server and its devices into the fleet index; none without MENDER_URL. */
export function startMenderLoops(ctx: BackendCtx): Loop[] {
  if (ctx.backends.mender === null) return [];
  const { log } = ctx;
  let allSince = Number.NEGATIVE_INFINITY;
  const rejecting: Loop = startLoop({
    name: "revocations to Mender",
    everyMs: REJECT_EVERY_MS,
    log,
    turn: async () => {
      const now = ctx.clock().getTime();
      const isAllDue = now < allSince || now - allSince >= REJECT_ALL_EVERY_MS;
      const looked = await rejectRevoked({ ...ctx, requestId: randomUUID() }, isAllDue ? "all" : "recent");
      if (looked > 0) rejecting.wake();
      else if (isAllDue) allSince = now;
    },
  });
  const reading = startLoop({ name: "reading Mender's devices", everyMs: SYNC_EVERY_MS, log, turn: () => read(ctx) });
  return [rejecting, reading];
}

/** While the server is away the next turn finds the same. */
async function read(ctx: BackendCtx): Promise<void> {
  try {
    await syncMender({ ...ctx, requestId: randomUUID() });
  } catch (err) {
    if (!isAppError(err)) throw err;
    ctx.log.warn({ err }, "the Mender server's devices can't be read now");
  }
}
