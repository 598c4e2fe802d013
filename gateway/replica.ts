import { randomUUID } from "node:crypto";
import { hostname } from "node:os";
import type { Ctx } from "#lib/ctx.ts";
import { VERSION } from "#lib/version.ts";
import { readRefusalRates } from "#services/identity/service.ts";
import {
  type Applied,
  acknowledgeChanges,
  endGateway,
  findCanaryRecord,
  hearFromGateway,
} from "#services/revocation/service.ts";
import { renderCanary } from "./canary-metrics.ts";
import type { DoorMetrics } from "./door-metrics.ts";
import { renderRefusalRates } from "./refusal-metrics.ts";

/** This process as the others see it: that it is there, and which changes it has in force. */
export type GatewayReplica = {
  /** @param change the number of a change that is in force here now; null: all there are, for some may have been missed */
  applied(change: string | null, cut: number): void;
  close(): Promise<void>;
};

const HEARD_EVERY_MS = 5_000;
const RATES_EVERY_MS = 60_000;
/** Acknowledgements of this long go in one statement. */
const GATHER_MS = 50;
const RETRY_MS = 1_000;
/** Beyond so many that could not be written, all are acknowledged at once when it works again. */
const MOST_WAITING = 10_000;

/** Opens this process' entry among the gateways. While the database is away, nothing is lost but the times get later. */
export function openReplica(
  ctx: Ctx,
  at: { doorUrl: string; connections: () => number; metrics: Pick<DoorMetrics, "revocation" | "refusals"> },
): GatewayReplica {
  const replica = { id: randomUUID(), host: hostname(), doorUrl: at.doorUrl, version: VERSION };
  let waiting: Waiting = [];
  let timer: NodeJS.Timeout | undefined;
  let writing: Promise<void> = Promise.resolve();
  let closed = false;

  const hear = async () => {
    await hearFromGateway(ctx, { ...replica, connections: at.connections() });
    at.metrics.revocation(renderCanary(await findCanaryRecord(ctx)));
  };
  const hearing = hear().catch((err) => ctx.log.warn({ err }, "this gateway can't say that it is there"));
  const heartbeat = setInterval(() => {
    if (!closed) hear().catch((err) => ctx.log.debug({ err }, "this gateway can't say that it is there"));
  }, HEARD_EVERY_MS);
  const readRates = () => {
    readRefusalRates(ctx).then(
      (rates) => at.metrics.refusals(renderRefusalRates(rates)),
      (err) => ctx.log.debug({ err }, "the rates of refusals can't be read"),
    );
  };
  readRates();
  const rateReading = setInterval(readRates, RATES_EVERY_MS);

  async function write(): Promise<void> {
    const batch = waiting;
    waiting = [];
    try {
      await hearing;
      await acknowledgeChanges(ctx, replica.id, batch);
    } catch (err) {
      ctx.log.debug({ err }, "changes can't be acknowledged yet");
      waiting = both(batch, waiting);
      schedule(RETRY_MS);
    }
  }

  function schedule(delayMs: number): void {
    if (closed || timer !== undefined) return;
    timer = setTimeout(() => {
      timer = undefined;
      writing = writing.then(write);
    }, delayMs);
  }

  return {
    applied(change, cut) {
      if (change === null || (waiting !== "all" && waiting.length >= MOST_WAITING)) waiting = "all";
      else if (waiting !== "all") waiting.push({ changeId: change, cut });
      schedule(GATHER_MS);
    },
    async close() {
      closed = true;
      clearInterval(heartbeat);
      clearInterval(rateReading);
      clearTimeout(timer);
      await writing;
      await endGateway(ctx, replica.id).catch((err) => ctx.log.debug({ err }, "this gateway can't say goodbye"));
    },
  };
}

type Waiting = Applied[] | "all";

function both(earlier: Waiting, later: Waiting): Waiting {
  return earlier === "all" || later === "all" ? "all" : [...earlier, ...later];
}
