import { createDevicesAuthority } from "#gateway/authorize-devices.ts";
import type { DecisionWays } from "#gateway/decision-listeners.ts";
import { openDecisionPort } from "#gateway/decision-port.ts";
import { createDecoys } from "#gateway/decoys.ts";
import type { DeviceDoor } from "#gateway/device-door.ts";
import { createDoorMetrics, type DoorMetrics } from "#gateway/door-metrics.ts";
import { type HeaderMode, openHeaderMode } from "#gateway/header-mode.ts";
import { openToolsAccess } from "#gateway/tools-access.ts";
import type { Ctx } from "#lib/ctx.ts";

export const DECISION_SECRET = "decision-secret-0123456789abcdef0123";

export type TestDecisions = {
  readonly port: number;
  readonly mode: HeaderMode;
  readonly metrics: DoorMetrics;
  refreshTls(): void;
  close(): Promise<void>;
};

/** The real decision port of a gateway, beside its device door. */
export async function openTestDecisions(options: {
  ctx: Ctx;
  databaseUrl: string;
  door: DeviceDoor;
  ways?: Partial<DecisionWays>;
}): Promise<TestDecisions> {
  const { ctx, databaseUrl, door } = options;
  const metrics = createDoorMetrics();
  const decoys = await createDecoys(ctx);
  const mode = await openHeaderMode(ctx, { databaseUrl, decoys, metrics });
  const access = await openToolsAccess(ctx, databaseUrl);
  const port = await openDecisionPort({
    ways: { DECISION_HOST: "127.0.0.1", DECISION_PORT: 0, ...options.ways },
    metrics,
    access,
    devices: createDevicesAuthority({ admission: door.admission, decoys, mode, decisionSecret: DECISION_SECRET }),
    decisionSecret: DECISION_SECRET,
    log: ctx.log,
    isHealthy: door.isHealthy,
  });
  return {
    port: port.port,
    mode,
    metrics,
    refreshTls: port.refreshTls,
    async close() {
      await port.close();
      await mode.close();
      await access.close();
    },
  };
}
