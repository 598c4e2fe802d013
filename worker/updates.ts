import type { BackendCtx } from "#lib/backends/backends.ts";
import { resumeUpdates } from "#services/rollouts/service.ts";
import { type Loop, startLoop } from "./loop.ts";

const EVERY_MS = 2_000;

/** Carries updates on: what a crash, a dead back end or a large launch left. */
export function startUpdateLoop(ctx: BackendCtx): Loop {
  return startLoop({ name: "updates", everyMs: EVERY_MS, log: ctx.log, turn: () => resumeUpdates(ctx) });
}
