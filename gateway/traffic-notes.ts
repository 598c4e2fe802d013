import type { Ctx } from "#lib/ctx.ts";
import { noteTraffic } from "#services/sync/service.ts";
import { createFlush } from "./door-log.ts";
import type { Destination } from "./path-map.ts";

const EVERY_MS = 250;
/** Beyond it a device is read when the worker comes to it by itself. */
const MAX_WAITING = 20_000;

/** Notes whose traffic has just passed to an external back end, so that the worker reads those devices there. */
export type TrafficNotes = {
  /** Call it when the back end has answered. */
  passed(request: { deviceUuid: string; method: string; destination: Destination }): void;
  close(): Promise<void>;
};

export function openTrafficNotes(ctx: Ctx): TrafficNotes {
  const { DEVICE_REGISTRY_URL, DIRECTOR_URL } = ctx.config;
  const isExternal = { registry: DEVICE_REGISTRY_URL !== undefined, director: DIRECTOR_URL !== undefined };
  const waiting = new Map<string, string>();
  const flush = createFlush(ctx, waiting, (uuids) => noteTraffic(ctx, uuids));
  const timer = isExternal.registry || isExternal.director ? setInterval(flush, EVERY_MS) : undefined;
  return {
    passed({ deviceUuid, method, destination }) {
      const { upstream, path } = destination;
      if (upstream !== "registry" && upstream !== "director") return;
      if (!isExternal[upstream] || !changesSomething(method, path) || waiting.size >= MAX_WAITING) return;
      waiting.set(deviceUuid, deviceUuid);
    },
    async close() {
      clearInterval(timer);
      await flush();
    },
  };
}

/** Fetching targets is what puts an assignment in flight; other metadata is only read. */
function changesSomething(method: string, path: string): boolean {
  return (method !== "GET" && method !== "HEAD") || path.endsWith("/targets.json");
}
