/** `npm run generate`: makes the typed database client in lib/db/generated, unless it is already that of this schema. */
import { ensureClient } from "#prisma/generate.ts";

const made = await ensureClient();
if (!process.argv.includes("--quiet"))
  console.log(made ? "Made the database client." : "The database client is current.");
