import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { type SimulatedDeviceHandle, startSimulatedDevice } from "#device/simulator.ts";
import type { BackendCtx } from "#lib/backends/backends.ts";
import { SIMULATION_CHANNEL } from "#lib/db/events.ts";
import { listen } from "#lib/db/listen.ts";
import type { Log } from "#lib/log/log.ts";
import { claimSimulations, type RunnableDevice, releaseSimulations } from "#services/simulations/service.ts";
import { startLoop } from "./loop.ts";

const EVERY_MS = 5_000;
const LEASE_SECONDS = 20;

/** Runs the simulated devices that this worker holds the lease of, and stops those it lost or that were stopped. */
export async function startSimulations(
  ctx: BackendCtx,
  options: { databaseUrl: string; log: Log },
): Promise<{ stop(): Promise<void> }> {
  const runner = randomUUID();
  const running = new Map<string, SimulatedDeviceHandle>();

  async function turn(): Promise<void> {
    const claimed = await claimSimulations(ctx, { runner, seconds: LEASE_SECONDS });
    const wanted = new Set(claimed.map((device) => device.deviceUuid));
    for (const [uuid, handle] of running) {
      if (wanted.has(uuid)) continue;
      running.delete(uuid);
      await handle.stop();
    }
    for (const device of claimed) {
      if (!running.has(device.deviceUuid)) running.set(device.deviceUuid, run(device));
    }
  }

  function run(device: RunnableDevice): SimulatedDeviceHandle {
    return startSimulatedDevice({
      files: device.files,
      stateDir: join(ctx.config.DATA_DIR, "simulated", device.deviceUuid),
      hardwareId: device.hardwareId,
      secondaries: device.secondaries,
      intervalSeconds: device.intervalSeconds,
      log: options.log.child({ simulatedDevice: device.deviceUuid }),
    });
  }

  const loop = startLoop({ name: "simulated devices", everyMs: EVERY_MS, log: options.log, turn });
  const listener = await listen({
    databaseUrl: options.databaseUrl,
    channels: [SIMULATION_CHANNEL],
    log: options.log,
    onNotify: () => loop.wake(),
    onReconnect: () => loop.wake(),
  });
  return {
    async stop() {
      await listener.close();
      await loop.stop();
      await Promise.all([...running.values()].map((handle) => handle.stop()));
      await releaseSimulations(ctx, runner);
    },
  };
}
