import { randomUUID } from "node:crypto";
import type { Ctx } from "#lib/ctx.ts";
import { ADMISSION_CHANNEL } from "#lib/db/events.ts";
import { listen } from "#lib/db/listen.ts";
import { publishCrls } from "#services/revocation/service.ts";
import { startLoop } from "./loop.ts";

/** Changes of these seconds share one signature. */
const EVERY_MS = 2_000;
/** Beyond so many changed certificates, all authorities are looked at. */
const MOST_REMEMBERED = 1_000;
const FINGERPRINT = /^[0-9a-f]{64}(?=#|$)/;

/** Publishes revocation lists within seconds after a decision. What it misses, the hourly job makes good. */
export async function startPublishing(ctx: Ctx, databaseUrl: string): Promise<{ stop(): Promise<void> }> {
  let changed: Set<string> | null = new Set();

  async function turn(): Promise<void> {
    if (changed?.size === 0) return;
    const fingerprints = changed === null ? null : [...changed];
    changed = new Set();
    try {
      await publishCrls({ ...ctx, requestId: randomUUID() }, fingerprints);
    } catch (error) {
      changed = null;
      throw error;
    }
  }

  const listener = await listen({
    databaseUrl,
    channels: [ADMISSION_CHANNEL],
    log: ctx.log,
    onNotify(_channel, payload) {
      if (payload.startsWith("ping:")) return;
      const [fingerprint] = FINGERPRINT.exec(payload) ?? [];
      if (fingerprint === undefined || (changed?.size ?? 0) >= MOST_REMEMBERED) changed = null;
      else changed?.add(fingerprint);
    },
    onReconnect() {
      changed = null;
    },
  });
  const loop = startLoop({ name: "revocation lists", everyMs: EVERY_MS, log: ctx.log, turn });
  return {
    async stop() {
      await listener.close();
      await loop.stop();
    },
  };
}
