import { createBackends } from "#lib/backends/backends.ts";
import { requireSecret } from "#lib/config/load.ts";
import { runProcess } from "#lib/process.ts";
import { ensureAuthorities } from "#services/authorities/service.ts";
import { createDevicesAuthority } from "./authorize-devices.ts";
import { openDecisionPort } from "./decision-port.ts";
import { createDecoys } from "./decoys.ts";
import { openDeviceDoor } from "./device-door.ts";
import { createDoorMetrics } from "./door-metrics.ts";
import { openHeaderMode } from "./header-mode.ts";
import { createMenderUpstream } from "./mender-upstream.ts";
import { openToolsAccess } from "./tools-access.ts";
import { openToolsDoor } from "./tools-door.ts";
import { createUpstreams } from "./upstreams.ts";

await runProcess("gateway", async ({ config, secrets, databaseUrl, ctx: base, onStop }) => {
  const backends = createBackends(config, secrets);
  const upstreams = createUpstreams(config, secrets, (path) => backends.registryPath(base, path));
  onStop("back ends", () => {
    backends.close();
    upstreams.close();
  });
  const ctx = { ...base, backends };
  await ensureAuthorities(ctx);
  const metrics = createDoorMetrics();
  const menderUpstream = createMenderUpstream(config);
  const mender = menderUpstream === null ? null : { upstream: menderUpstream, ctx };
  const door = await openDeviceDoor({ ctx, databaseUrl, upstreams, metrics, mender });
  onStop("device door", async () => {
    await door.close();
    menderUpstream?.close();
  });
  const toolsAccess = await openToolsAccess(ctx, databaseUrl);
  onStop("machine clients", toolsAccess.close);
  const toolsDoor = await openToolsDoor({ ctx, access: toolsAccess, upstreams, metrics });
  onStop("tools door", toolsDoor.close);
  const decisionSecret = requireSecret(secrets, "DECISION_SECRET");
  const decoys = await createDecoys(ctx);
  const mode = await openHeaderMode(ctx, { databaseUrl, decoys, metrics });
  onStop("header mode", mode.close);
  const decisionPort = await openDecisionPort({
    ways: config,
    metrics,
    access: toolsAccess,
    devices: createDevicesAuthority({ admission: door.admission, decoys, mode, decisionSecret }),
    decisionSecret,
    log: ctx.log,
    isHealthy: () => door.isHealthy() && toolsDoor.isHealthy(),
  });
  onStop("decision port", decisionPort.close);
  void mode.start();
});
