import { cleanEnvironment } from "#cli/tests/running-install.ts";
import { type Backends, createBackends } from "#lib/backends/backends.ts";
import { loadConfig, readStoredSecrets, type Secrets } from "#lib/config/load.ts";
import type { Ctx } from "#lib/ctx.ts";
import { createDb } from "#lib/db/client.ts";
import { findEmbeddedUrl } from "#lib/db/embedded.ts";
import { createMasterKey } from "#lib/keys/master-key.ts";
import { createLog } from "#lib/log/log.ts";
import { createProcessCtx } from "#lib/process.ts";
import type { System } from "./system.ts";

export type InstallCtx = {
  readonly ctx: Ctx & { readonly backends: Backends };
  /** Of the install, for more processes of it. */
  readonly env: NodeJS.ProcessEnv;
  readonly secrets: Secrets;
  readonly databaseUrl: string;
  close(): Promise<void>;
};

/** Joins a running install as one of its processes would, for what none of them does when it is asked. */
export async function openInstallCtx(system: System): Promise<InstallCtx> {
  const databaseUrl = (await findEmbeddedUrl(system.dataDir)) ?? "";
  const stored = readStoredSecrets(system.dataDir);
  const env = { ...cleanEnvironment(), ...system.env, ...stored, DATABASE_URL: databaseUrl, LOG_LEVEL: "error" };
  const { config, secrets } = loadConfig("gateway", env);
  const db = createDb(databaseUrl, { poolSize: 4 });
  const backends = createBackends(config, secrets);
  const keys = createMasterKey(secrets.MASTER_KEY ?? "");
  return {
    ctx: { ...createProcessCtx({ config, db, keys, log: createLog("cli", "silent") }), backends },
    env,
    secrets,
    databaseUrl,
    async close() {
      backends.close();
      await db.$disconnect();
    },
  };
}
