import type { Config, Secrets } from "#lib/config/load.ts";
import { requireSecret } from "#lib/config/load.ts";
import { createDb } from "#lib/db/client.ts";
import { createMasterKey } from "#lib/keys/master-key.ts";
import type { Log } from "#lib/log/log.ts";
import { assertMasterKey, createProcessCtx } from "#lib/process.ts";
import { createSetupLink, ensureFirstAdmin } from "#services/accounts/service.ts";

/**
 * Sees to it that somebody can sign in: makes the admin that ADMIN_EMAIL and ADMIN_PASSWORD name while there is no user,
 * or else a one-time set-up link.
 *
 * @returns the link, a secret; null when nobody needs one
 * @throws AppError `config.master_key_mismatch`
 */
export async function prepareFirstUser(input: {
  config: Config;
  secrets: Secrets;
  databaseUrl: string;
  log: Log;
}): Promise<string | null> {
  const { config, secrets, log } = input;
  const db = createDb(input.databaseUrl, { poolSize: 1 });
  try {
    const keys = createMasterKey(requireSecret(secrets, "MASTER_KEY"));
    await assertMasterKey(db, keys);
    const ctx = createProcessCtx({ config, db, log, keys });
    if (config.ADMIN_EMAIL !== undefined && secrets.ADMIN_PASSWORD !== undefined) {
      await ensureFirstAdmin(ctx, { email: config.ADMIN_EMAIL, password: secrets.ADMIN_PASSWORD });
    }
    return (await createSetupLink(ctx))?.url ?? null;
  } finally {
    await db.$disconnect();
  }
}
