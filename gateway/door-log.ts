import type { Ctx } from "#lib/ctx.ts";
import { MOST_REFUSAL_ADDRESSES } from "#lib/domain/refusals.ts";
import { type RefusedVisit, recordRefusals, recordVisits } from "#services/identity/service.ts";
import type { Peer } from "./peer.ts";

/** Collects what the door sees and stores it in batches, so that a busy or attacked door costs the database two statements a second. */
export type DoorLog = {
  /** `deviceUuid` is null for a certificate that waits. */
  visited(visit: { fingerprint: string; deviceUuid: string | null; address: string }): void;
  /** `code` comes from a closed list. */
  refused(peer: Peer, refusal: Refusal): void;
  close(): Promise<void>;
};

type Refusal = {
  readonly code: string;
  readonly sentence: string;
  /** The authority of ours that signed the peer's certificate. */
  readonly authorityId?: string | null;
  /** For people, where the one who refused knows best. */
  readonly detail?: string;
};

const REFUSALS_EVERY_MS = 500;
const VISITS_EVERY_MS = 1_000;
/** Distinct attempts kept between two flushes; what comes beyond them in half a second is a flood of strangers. */
const MAX_WAITING = 2_000;

export function openDoorLog(ctx: Ctx): DoorLog {
  const refusals = new Map<string, RefusedVisit>();
  const visits = new Map<string, { fingerprint: string; deviceUuid: string | null; at: Date; address: string }>();

  const flushRefusals = createFlush(ctx, refusals, (batch) => recordRefusals(ctx, batch));
  const flushVisits = createFlush(ctx, visits, (batch) => recordVisits(ctx, batch));
  const timers = [setInterval(flushRefusals, REFUSALS_EVERY_MS), setInterval(flushVisits, VISITS_EVERY_MS)];

  return {
    visited(visit) {
      visits.set(visit.fingerprint, { ...visit, at: ctx.clock() });
    },
    refused(peer, refusal) {
      const leaf = typeof peer.leaf === "object" ? peer.leaf : null;
      const key = `${leaf?.fingerprint ?? ""}:${refusal.code}`;
      const known = refusals.get(key);
      if (known === undefined && refusals.size >= MAX_WAITING) return;
      const others = (known?.addresses ?? []).filter((address) => address !== peer.address);
      refusals.set(key, {
        leaf,
        code: refusal.code,
        sentence: refusal.sentence,
        authorityId: refusal.authorityId ?? null,
        detail: refusal.detail ?? null,
        address: peer.address,
        addresses: [peer.address, ...others].slice(0, MOST_REFUSAL_ADDRESSES),
        count: (known?.count ?? 0) + 1,
        at: ctx.clock(),
      });
    },
    async close() {
      for (const timer of timers) clearInterval(timer);
      await Promise.all([flushRefusals(), flushVisits()]);
    },
  };
}

/** Stores what has gathered, one batch at a time. What can't be stored is given up: it is a log, and the next attempt shows again. */
export function createFlush<T>(
  ctx: Ctx,
  waiting: Map<string, T>,
  store: (batch: T[]) => Promise<void>,
): () => Promise<void> {
  let running: Promise<void> = Promise.resolve();
  let isRunning = false;
  return async () => {
    if (waiting.size === 0 || isRunning) return running;
    const batch = [...waiting.values()];
    waiting.clear();
    isRunning = true;
    running = store(batch)
      .catch((err) => ctx.log.warn({ err, lost: batch.length }, "what the door saw could not be stored"))
      .finally(() => {
        isRunning = false;
      });
    return running;
  };
}
