/** `npm run build`: makes the console's build, unless it is already that of these sources. */
import { buildConsole } from "#cli/start/build.ts";
import { ensureClient } from "#prisma/generate.ts";

await ensureClient();
await buildConsole({ verbose: true });
