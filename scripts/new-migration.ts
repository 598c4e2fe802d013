/** `npm run migration -- <name>`: writes the SQL that leads from the migrations to prisma/schema as the next migration. */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { startEmbeddedPostgres } from "#lib/db/embedded.ts";
import { diff } from "#prisma/migrate.ts";

const prismaDir = fileURLToPath(new URL("../prisma", import.meta.url));
const name = process.argv[2];
if (name === undefined || !/^[a-z][a-z0-9_]*$/.test(name)) {
  console.error("Usage: npm run migration -- <name>    (lower-case letters, digits and _)");
  process.exit(2);
}

const migrationsDir = path.join(prismaDir, "migrations");
mkdirSync(migrationsDir, { recursive: true });
const scratch = mkdtempSync(path.join(tmpdir(), "gatehouse-migration-"));
const postgres = await startEmbeddedPostgres({ dataDir: scratch, notice: console.error, durable: false });
try {
  const sql = await diff(postgres.url, readSchema());
  if (sql === "") {
    console.log("The migrations already lead to this schema.");
  } else {
    const number = String(readdirSync(migrationsDir).length + 1).padStart(3, "0");
    const file = path.join(migrationsDir, `${number}_${name}`, "migration.sql");
    mkdirSync(path.dirname(file));
    writeFileSync(file, `${sql}\n`);
    console.log(`Wrote ${path.relative(process.cwd(), file)}. Read it before you commit it.`);
  }
} finally {
  await postgres.stop();
  rmSync(scratch, { recursive: true, force: true });
}

function readSchema(): { path: string; content: string }[] {
  const files = readdirSync(path.join(prismaDir, "schema")).map((file) => path.join(prismaDir, "schema", file));
  return files.map((file) => ({ path: file, content: readFileSync(file, "utf8") }));
}
