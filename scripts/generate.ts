/** `npm run generate`: makes the typed database client in lib/db/generated, unless it is already that of this schema. */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const schemaDir = path.join(root, "prisma", "schema");
const stampFile = path.join(root, "lib", "db", "generated", ".made-from");
const prismaCli = createRequire(import.meta.url).resolve("prisma/build/index.js");

const stamp = fingerprint();
if (!existsSync(stampFile) || readFileSync(stampFile, "utf8") !== stamp) {
  execFileSync(process.execPath, [prismaCli, "generate", "--schema", schemaDir], {
    cwd: root,
    stdio: ["ignore", process.argv.includes("--quiet") ? "ignore" : "inherit", "inherit"],
    env: {
      ...process.env,
      // Generating needs no engine, but looks for one and would download it: any existing file satisfies it.
      PRISMA_SCHEMA_ENGINE_BINARY: process.execPath,
      CHECKPOINT_DISABLE: "1",
      PRISMA_HIDE_UPDATE_MESSAGE: "1",
    },
  });
  writeFileSync(stampFile, stamp);
}

function fingerprint(): string {
  const hash = createHash("sha256").update(readFileSync(path.join(path.dirname(prismaCli), "..", "package.json")));
  for (const name of readdirSync(schemaDir).sort()) hash.update(name).update(readFileSync(path.join(schemaDir, name)));
  return hash.digest("hex");
}
