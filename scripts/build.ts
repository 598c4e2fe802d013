/** `npm run build`: makes the console's build, unless it is already that of these sources. */
import { buildConsole } from "#cli/start/build.ts";
import { isAppError } from "#lib/errors/app-error.ts";
import { ensureClient } from "#prisma/generate.ts";

try {
  await ensureClient();
  await buildConsole({ verbose: true });
} catch (error) {
  if (!isAppError(error)) throw error;
  console.error(error.message);
  process.exitCode = 1;
}
