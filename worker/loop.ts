import type { Log } from "#lib/log/log.ts";

export type Loop = {
  /** Runs once more as soon as possible. */
  wake(): void;
  /** Waits for the turn under way. */
  stop(): Promise<void>;
};

/** Runs `turn` again and again, `everyMs` after the end of the last one; a failure is logged and does not end it. */
export function startLoop(options: { name: string; everyMs: number; log: Log; turn: () => Promise<void> }): Loop {
  let stopped = false;
  let again = false;
  let timer: NodeJS.Timeout | undefined;
  let running: Promise<void> | null = null;

  async function run(): Promise<void> {
    again = false;
    try {
      await options.turn();
    } catch (err) {
      options.log.error({ err, loop: options.name }, "a turn failed; it is tried again");
    }
    running = null;
    if (!stopped) timer = setTimeout(begin, again ? 0 : options.everyMs);
  }

  function begin(): void {
    running = run();
  }

  begin();
  return {
    wake() {
      again = true;
      if (running !== null || stopped) return;
      clearTimeout(timer);
      begin();
    },
    async stop() {
      stopped = true;
      clearTimeout(timer);
      await running;
    },
  };
}
