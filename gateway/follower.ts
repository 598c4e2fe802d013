import { randomUUID } from "node:crypto";
import type { Ctx } from "#lib/ctx.ts";
import { notify } from "#lib/db/events.ts";
import { listen } from "#lib/db/listen.ts";

/** Follows one of the database's channels, and knows whether it really does. */
export type Follower = {
  /** False while the connection is lost: changes may be missed. */
  isFollowing(): boolean;
  /** False once the database has not been heard from for ADMISSION_STALE_SECONDS. */
  isFresh(): boolean;
  close(): Promise<void>;
};

const PING = "ping:";
const PING_EVERY_MS = 2_000;

/**
 * Opens a connection that hears of changes. A ping that travels through the database and back proves that it is heard, even
 * when a connection hangs without breaking.
 *
 * @param options.onChange with what was announced; null after a (re)connection, when anything may have changed
 */
export async function openFollower(
  ctx: Ctx,
  options: { databaseUrl: string; channel: string; onChange: (announced: string | null) => void },
): Promise<Follower> {
  const { databaseUrl, channel, onChange } = options;
  const staleMs = ctx.config.ADMISSION_STALE_SECONDS * 1_000;
  const ping = `${PING}${randomUUID()}`;
  let heardAt = Number.NEGATIVE_INFINITY;
  const listener = await listen({
    databaseUrl,
    channels: [channel],
    log: ctx.log,
    onNotify(_channel, payload) {
      if (payload === ping) heardAt = performance.now();
      else if (!payload.startsWith(PING)) onChange(payload);
    },
    onReconnect() {
      heardAt = performance.now();
      onChange(null);
    },
  });
  const pinging = setInterval(
    () => notify(ctx.db, channel, ping).catch((err) => ctx.log.warn({ err }, "the database does not answer")),
    Math.min(PING_EVERY_MS, staleMs / 4),
  );
  return {
    isFollowing: listener.connected,
    isFresh: () => performance.now() - heardAt <= staleMs,
    async close() {
      clearInterval(pinging);
      await listener.close();
    },
  };
}
