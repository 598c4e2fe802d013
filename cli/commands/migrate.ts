import { installEnvironment } from "#cli/install.ts";
import { loadConfig } from "#lib/config/load.ts";
import { AppError } from "#lib/errors/app-error.ts";
import { applyMigrations } from "#prisma/migrate.ts";

/** For installs whose parts are started one by one; `npm start` migrates by itself. */
export async function migrate(): Promise<number> {
  const { secrets } = loadConfig("supervisor", await installEnvironment());
  if (secrets.DATABASE_URL === undefined) throw new AppError("config.invalid", "DATABASE_URL is not set.");
  const applied = await applyMigrations(secrets.DATABASE_URL);
  console.log(applied.length === 0 ? "The database is up to date." : `Applied ${applied.join(", ")}.`);
  return 0;
}
