import pg from "pg";
import type { Log } from "#lib/log/log.ts";

export type Listener = {
  /** False while the connection is lost: what is known may be stale. */
  connected(): boolean;
  close(): Promise<void>;
};

/**
 * Follows NOTIFY on `channels` over one connection that is made anew with back-off when it breaks.
 * `onReconnect` runs after every (re)connection: whatever was announced meanwhile was missed, so re-read there.
 */
export async function listen(options: {
  databaseUrl: string;
  channels: readonly string[];
  log: Log;
  onNotify: (channel: string, payload: string) => void;
  onReconnect: () => void;
}): Promise<Listener> {
  let client: pg.Client | null = null;
  let closed = false;
  let timer: NodeJS.Timeout | undefined;
  let delayMs = 50;

  async function connect(): Promise<void> {
    const next = new pg.Client({
      connectionString: options.databaseUrl,
      keepAlive: true,
      connectionTimeoutMillis: 5_000,
    });
    next.on("error", (err) => lost(next, err));
    next.on("end", () => lost(next, undefined));
    next.on("notification", (message) => options.onNotify(message.channel, message.payload ?? ""));
    try {
      await next.connect();
      for (const channel of options.channels) await next.query(`LISTEN ${pg.escapeIdentifier(channel)}`);
    } catch (err) {
      lost(next, err);
      return;
    }
    if (closed) {
      await next.end();
      return;
    }
    client = next;
    delayMs = 50;
    options.onReconnect();
  }

  function lost(which: pg.Client, err: unknown): void {
    if (client === which) client = null;
    which.removeAllListeners("end");
    which.end().catch(() => undefined);
    if (closed || timer !== undefined) return;
    if (err !== undefined) options.log.warn({ err }, "lost the connection that follows database notifications");
    timer = setTimeout(() => {
      timer = undefined;
      void connect();
    }, delayMs);
    delayMs = Math.min(delayMs * 2, 2_000);
  }

  await connect();
  return {
    connected: () => client !== null,
    async close() {
      closed = true;
      clearTimeout(timer);
      await client?.end();
    },
  };
}
