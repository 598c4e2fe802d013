import { randomUUID } from "node:crypto";
import type { BackendCtx } from "#lib/backends/backends.ts";
import { isAppError } from "#lib/errors/app-error.ts";
import { type Loop, startLoop } from "./loop.ts";

const EVERY_MS = 1_000;

/** Has the embedded services start what is due. While they restart there is nothing to say: the next turn finds the same. */
export function startDueLoop(ctx: BackendCtx): Loop {
  return startLoop({ name: "due", everyMs: EVERY_MS, log: ctx.log, turn: () => runDue(ctx) });
}

async function runDue(ctx: BackendCtx): Promise<void> {
  try {
    await ctx.backends.runDue({ ...ctx, requestId: randomUUID() });
  } catch (error) {
    if (!isAppError(error, "backend.unreachable") && !isAppError(error, "backend.timeout")) throw error;
    ctx.log.debug({ err: error }, "what is due waits for the services");
  }
}
