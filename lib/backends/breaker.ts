import { AppError } from "#lib/errors/app-error.ts";

const FAILURES = 3;
const FIRST_MS = 1_000;
const LONGEST_MS = 10_000;

export type BreakerState = "closed" | "open" | "half_open";

/** Keeps callers from waiting, one after the other, for a back end that does not answer. One a back end and process. */
export type Breaker = {
  state(): BreakerState;
  /**
   * Runs `call` unless the back end has failed to answer three times in a row. Then, for a second and each time twice as long, up to
   * ten, every call fails at once; after that one call finds out for all.
   *
   * @throws AppError `backend.unreachable` at once, naming the back end | what `call` throws
   */
  run<T>(call: () => Promise<T>, judge: { isFailure(error: unknown): boolean }): Promise<T>;
  /** What was learnt outside: by a probe, which always asks. */
  record(answered: boolean): void;
};

/** @param options.now milliseconds of a clock that never goes back; tests give their own */
export function createBreaker(options: { name: string; now?: () => number }): Breaker {
  const now = options.now ?? (() => performance.now());
  let failures = 0;
  let openForMs = FIRST_MS;
  let openUntil: number | null = null;
  let isTrialUnderWay = false;

  function record(answered: boolean): void {
    if (answered) {
      failures = 0;
      openForMs = FIRST_MS;
      openUntil = null;
      return;
    }
    failures += 1;
    if (failures < FAILURES) return;
    if (openUntil !== null && now() < openUntil) return; // begun before it opened: that is known
    openUntil = now() + openForMs;
    openForMs = Math.min(openForMs * 2, LONGEST_MS);
  }

  function state(): BreakerState {
    if (openUntil === null) return "closed";
    return now() < openUntil ? "open" : "half_open";
  }

  return {
    state,
    record,
    async run(call, { isFailure }) {
      const found = state();
      if (found === "open" || (found === "half_open" && isTrialUnderWay)) throw isOpen(options.name);
      const isTrial = found === "half_open";
      if (isTrial) isTrialUnderWay = true;
      try {
        const result = await call();
        record(true);
        return result;
      } catch (error) {
        if (isFailure(error)) record(false);
        throw error;
      } finally {
        if (isTrial) isTrialUnderWay = false;
      }
    },
  };
}

function isOpen(name: string): AppError {
  return new AppError("backend.unreachable", `The ${name} does not answer. It is asked again in a few seconds.`, {
    context: { service: name, reason: "breaker_open" },
  });
}
