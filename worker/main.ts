import { createBackends } from "#lib/backends/backends.ts";
import { runProcess } from "#lib/process.ts";
import { startDueLoop } from "./due.ts";
import { startJobs } from "./jobs.ts";
import { startMenderLoops } from "./mender.ts";
import { startPublishing } from "./revocation.ts";
import { startSimulations } from "./simulations.ts";
import { startSyncLoops } from "./sync.ts";
import { startUpdateLoop } from "./updates.ts";

await runProcess("worker", async ({ config, secrets, databaseUrl, ctx, log, onStop }) => {
  const worker = { ...ctx, backends: createBackends(config, secrets) };
  const jobs = await startJobs(worker, databaseUrl);
  onStop("jobs", () => jobs.stop());
  const updates = startUpdateLoop(worker);
  onStop("updates", () => updates.stop());
  const due = startDueLoop(worker);
  onStop("due updates", () => due.stop());
  for (const loop of startMenderLoops(worker)) onStop("the Mender server", () => loop.stop());
  const publishing = await startPublishing(worker, databaseUrl);
  onStop("revocation lists", () => publishing.stop());
  for (const loop of startSyncLoops(worker)) onStop("reading external back ends", () => loop.stop());
  if (config.SIMULATED_DEVICES === "on") {
    const simulations = await startSimulations(worker, { databaseUrl, log });
    onStop("simulated devices", () => simulations.stop());
  }
});
