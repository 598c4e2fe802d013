import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "@playwright/test";
import { refreshNotices } from "#services/posture/service.ts";
import { openInstallCtx } from "#tests/harness/install-ctx.ts";
import { type System, startSystem } from "#tests/harness/system.ts";
import { ADMIN, adminApi, PASSWORD, SHARED, type SharedInstall } from "./install.ts";
import { populate } from "./sample.ts";

/** One install with a small fleet for all tests that only look at it; it outlives the workers, which end with each failure. */
export default async function setUp(): Promise<() => Promise<void>> {
  const folder = mkdtempSync(join(tmpdir(), "gatehouse-e2e-"));
  const system = await startSystem(ADMIN);
  const tearDown = async () => {
    await system.drop();
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    const { api, token } = await adminApi(system);
    for (const role of ["support", "operator"]) {
      const user = { email: `${role}@example.org`, name: `${role} person`, role, password: PASSWORD };
      expect((await api.post("/api/v1/users", user)).status).toBe(201);
    }
    mkdirSync(join(folder, "devices"));
    const sample = await populate(system, api, join(folder, "devices"));
    await tellNotices(system);
    const shared: SharedInstall = { consoleUrl: system.consoleUrl, token, sample };
    process.env[SHARED] = JSON.stringify(shared);
    return tearDown;
  } catch (error) {
    await tearDown();
    throw error;
  }
}

/** The worker does it every ten minutes, by the clock. */
async function tellNotices(system: System): Promise<void> {
  const { ctx, close } = await openInstallCtx(system);
  await refreshNotices(ctx).finally(close);
}
