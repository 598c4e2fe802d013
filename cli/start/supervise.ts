import { type ChildProcess, spawn } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import { relayOutput } from "#cli/start/output.ts";
import type { PartPlan } from "#cli/start/parts.ts";
import { AppError } from "#lib/errors/app-error.ts";
import type { Log } from "#lib/log/log.ts";

const FIRST_DELAY_MS = 500;
const LONGEST_DELAY_MS = 30_000;
/** A part that ran this long is well again: its next crash starts from the first delay. */
const WELL_AFTER_MS = 60_000;
const READY_WITHIN_MS = 120_000;
const SHORTEST_HEALTH_PAUSE_MS = 50;
const LONGEST_HEALTH_PAUSE_MS = 1_000;
/** Parts dispose within three seconds by themselves; what is left is killed, with time to stop the database within the five promised. */
const KILL_AFTER_MS = 3_150;

export interface RunningPart {
  readonly name: string;
  /** Ends it for good; resolves when the process is gone. */
  stop(): Promise<void>;
}

/**
 * Starts a part and keeps it running: when it ends it is named in the log and started again, after a pause that doubles
 * from half a second to half a minute. Resolves when it is ready.
 *
 * @throws AppError `start.failed` when it ends before it was ever ready; it said why on its error output
 */
export async function superviseParts(
  plans: readonly PartPlan[],
  options: { environmentOf: (plan: PartPlan) => NodeJS.ProcessEnv; log: Log; onStarted: (part: RunningPart) => void },
): Promise<void> {
  await Promise.all(
    plans.map(async (plan) => {
      const part = createSupervisor(plan, options.environmentOf(plan), options.log);
      options.onStarted(part);
      await part.ready;
    }),
  );
}

function createSupervisor(plan: PartPlan, env: NodeJS.ProcessEnv, log: Log): RunningPart & { ready: Promise<void> } {
  const stopping = new AbortController();
  let child: ChildProcess | null = null;

  async function run(onReady: () => void): Promise<void> {
    let delayMs = FIRST_DELAY_MS;
    for (let wasReady = false; !stopping.signal.aborted; ) {
      const startedAt = Date.now();
      const launched = launch(plan, env);
      child = launched.child;
      if (!wasReady) await becomesReady(plan, launched, stopping.signal);
      wasReady = true;
      onReady();
      await launched.ended;
      if (stopping.signal.aborted) return;
      if (Date.now() - startedAt > WELL_AFTER_MS) delayMs = FIRST_DELAY_MS;
      log.error({ crashed: plan.name, ...launched.how(), againInMs: delayMs }, `${plan.name} ended; starting it again`);
      await sleep(delayMs, undefined, { signal: stopping.signal }).catch(() => undefined);
      delayMs = Math.min(delayMs * 2, LONGEST_DELAY_MS);
    }
  }

  return {
    name: plan.name,
    ready: new Promise((resolve, reject) => void run(resolve).catch(reject)),
    async stop() {
      stopping.abort();
      if (child !== null) await end(child);
    },
  };
}

interface Launched {
  readonly child: ChildProcess;
  readonly ended: Promise<void>;
  readonly saidReady: Promise<void>;
  how(): { code: number | null; signal: string | null };
}

function launch(plan: PartPlan, env: NodeJS.ProcessEnv): Launched {
  const child = spawn(process.execPath, [...plan.args], {
    env,
    // Parts end when this channel closes: none outlives a supervisor that was killed.
    stdio: ["ignore", "pipe", "pipe", "ipc"],
    // Out of the terminal's process group: Ctrl-C reaches the supervisor alone, which ends the parts in order.
    detached: true,
  });
  relayOutput(plan.name, child);
  const ended = new Promise<void>((resolve) => {
    child.once("exit", () => resolve());
    child.once("error", () => resolve());
  });
  const saidReady = new Promise<void>((resolve) => {
    child.on("message", (message) => {
      if (typeof message === "object" && message !== null && "type" in message && message.type === "ready") resolve();
    });
  });
  return { child, ended, saidReady, how: () => ({ code: child.exitCode, signal: child.signalCode }) };
}

async function becomesReady(plan: PartPlan, part: Launched, stopping: AbortSignal): Promise<void> {
  const giveUp = AbortSignal.any([stopping, AbortSignal.timeout(READY_WITHIN_MS)]);
  const signs = plan.healthUrl === null ? part.saidReady : answers(plan.healthUrl, giveUp);
  const late = new Promise<"late">((resolve) =>
    giveUp.addEventListener("abort", () => resolve("late"), { once: true }),
  );
  const outcome = await Promise.race([
    signs.then(() => "ready" as const),
    part.ended.then(() => "ended" as const),
    late,
  ]);
  if (outcome === "ready" && !giveUp.aborted) return;
  const { code, signal } = part.how();
  const what = outcome === "ended" ? `ended at once (${signal ?? `exit code ${code}`})` : "did not become ready";
  throw new AppError("start.failed", `The ${plan.name} part ${what}.`);
}

async function answers(url: string, giveUp: AbortSignal): Promise<void> {
  for (
    let pauseMs = SHORTEST_HEALTH_PAUSE_MS;
    !giveUp.aborted;
    pauseMs = Math.min(pauseMs * 1.2, LONGEST_HEALTH_PAUSE_MS)
  ) {
    const answered = await fetch(url, { signal: AbortSignal.any([giveUp, AbortSignal.timeout(2_000)]) }).then(
      async (reply) => {
        await reply.body?.cancel();
        return reply.ok;
      },
      () => false,
    );
    if (answered) return;
    await sleep(pauseMs, undefined, { signal: giveUp }).catch(() => undefined);
  }
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
  const gone = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  child.kill("SIGTERM");
  const impatience = setTimeout(() => child.kill("SIGKILL"), KILL_AFTER_MS);
  await gone;
  clearTimeout(impatience);
}
