import { setTimeout as sleep } from "node:timers/promises";
import { type EmbeddedPostgres, startEmbeddedPostgres } from "#lib/db/embedded.ts";
import type { Log } from "#lib/log/log.ts";

const FIRST_DELAY_MS = 200;
const LONGEST_DELAY_MS = 10_000;

export interface Database {
  readonly url: string;
  stop(): Promise<void>;
}

/**
 * Our own PostgreSQL, started again on the same port when it ends, so that every open pool finds it.
 *
 * @throws AppError `start.failed`
 */
export async function superviseEmbedded(dataDir: string, log: Log): Promise<Database> {
  const stopping = new AbortController();
  const notice = (sentence: string) => log.warn(sentence);
  let server = await startEmbeddedPostgres({ dataDir, notice });
  const { url, port } = server;

  async function keepRunning(): Promise<void> {
    let delayMs = FIRST_DELAY_MS;
    while (!stopping.signal.aborted) {
      const how = await server.exited;
      if (stopping.signal.aborted) return;
      log.error({ crashed: "postgres", ...how, againInMs: delayMs }, "postgres ended; starting it again");
      await sleep(delayMs, undefined, { signal: stopping.signal }).catch(() => undefined);
      if (stopping.signal.aborted) return;
      const again = await startAgain();
      if (again !== null) server = again;
      delayMs = again === null ? Math.min(delayMs * 2, LONGEST_DELAY_MS) : FIRST_DELAY_MS;
      if (again !== null && stopping.signal.aborted) await again.stop();
    }
  }

  async function startAgain(): Promise<EmbeddedPostgres | null> {
    try {
      return await startEmbeddedPostgres({ dataDir, notice, port });
    } catch (err) {
      log.error({ err }, "postgres does not start");
      return null;
    }
  }

  const kept = keepRunning();
  return {
    url,
    async stop() {
      stopping.abort();
      await server.stop();
      await kept;
    },
  };
}
