import { startSimulatedDevice } from "#device/simulator.ts";
import { NOW } from "#device/tests/bench.ts";

/* One device in a process of its own, for tests that kill it. The options come as JSON. */

await startSimulatedDevice({
  ...JSON.parse(process.argv[2] ?? "{}"),
  intervalSeconds: 0.05,
  retryDelayMs: 1,
  clock: () => NOW,
  log: { info: () => undefined, warn: () => undefined },
}).finished;
