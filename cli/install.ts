import { inheritedEnvironment } from "#lib/config/environment.ts";
import { loadConfig, readStoredSecrets, requireSecret, type Secrets } from "#lib/config/load.ts";
import type { Ctx } from "#lib/ctx.ts";
import { assertReachable, createDb } from "#lib/db/client.ts";
import { findEmbeddedUrl } from "#lib/db/embedded.ts";
import { AppError } from "#lib/errors/app-error.ts";
import { createMasterKey } from "#lib/keys/master-key.ts";
import { createLog } from "#lib/log/log.ts";
import { assertMasterKey, createProcessCtx } from "#lib/process.ts";

type Environment = Readonly<Record<string, string | undefined>>;

/** An install as a command of somebody with a shell on its server sees it. */
export interface Install {
  readonly ctx: Ctx;
  readonly secrets: Secrets;
}

/**
 * Gives `work` the install that the settings point to: its database and its keys.
 *
 * @throws AppError `config.invalid` | `start.failed` (it does not run) | `database.unreachable` | `config.master_key_mismatch`
 */
export async function withInstall<T>(work: (install: Install) => Promise<T>): Promise<T> {
  const { config, secrets } = loadConfig("cli", await installEnvironment());
  const databaseUrl = requireSecret(secrets, "DATABASE_URL");
  const db = createDb(databaseUrl, { poolSize: 2 });
  try {
    await assertReachable(db, databaseUrl);
    const keys = createMasterKey(requireSecret(secrets, "MASTER_KEY"));
    await assertMasterKey(db, keys);
    // Standard output belongs to the command's answer.
    const ctx = createProcessCtx({ config, db, keys, log: createLog("cli", "silent") });
    return await work({ ctx, secrets });
  } finally {
    await db.$disconnect();
  }
}

/** Our environment, completed by what `npm start` keeps in DATA_DIR. */
export async function installEnvironment(): Promise<Environment> {
  const given = inheritedEnvironment({});
  const { config, secrets } = loadConfig("supervisor", given);
  const stored = { ...readStoredSecrets(config.DATA_DIR), ...withoutEmpty(given) };
  return { ...stored, DATABASE_URL: secrets.DATABASE_URL ?? (await embeddedUrl(config.DATA_DIR)) };
}

async function embeddedUrl(dataDir: string): Promise<string> {
  const url = await findEmbeddedUrl(dataDir);
  if (url !== null) return url;
  throw new AppError(
    "start.failed",
    `Gatehouse is not running with the data in ${dataDir}: start it with "npm start".`,
  );
}

function withoutEmpty(environment: Environment): Environment {
  return Object.fromEntries(Object.entries(environment).filter(([, value]) => value !== undefined && value !== ""));
}
