import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { inheritedEnvironment } from "#lib/config/environment.ts";
import { AppError } from "#lib/errors/app-error.ts";

const SCHEMA = fileURLToPath(new URL("./schema", import.meta.url));
const STAMP = fileURLToPath(new URL("../lib/db/generated/.made-from", import.meta.url));

/**
 * Makes the typed database client in lib/db/generated, unless it is already that of this schema.
 *
 * @returns whether it was made
 * @throws AppError `start.failed`
 */
export async function ensureClient(): Promise<boolean> {
  const prisma = createRequire(import.meta.url).resolve("prisma/build/index.js");
  const fingerprint = await fingerprintOf(prisma);
  if ((await readFile(STAMP, "utf8").catch(() => null)) === fingerprint) return false;
  await generate(prisma);
  await writeFile(STAMP, fingerprint);
  return true;
}

function generate(prisma: string): Promise<void> {
  const child = spawn(process.execPath, [prisma, "generate", "--schema", SCHEMA], {
    cwd: path.dirname(path.dirname(SCHEMA)),
    stdio: ["ignore", "pipe", "pipe"],
    env: inheritedEnvironment({
      // Generating needs no engine, but looks for one and would download it: any existing file satisfies it.
      PRISMA_SCHEMA_ENGINE_BINARY: process.execPath,
      CHECKPOINT_DISABLE: "1",
      PRISMA_HIDE_UPDATE_MESSAGE: "1",
    }),
  });
  const said: Buffer[] = [];
  child.stdout.on("data", (chunk: Buffer) => said.push(chunk));
  child.stderr.on("data", (chunk: Buffer) => said.push(chunk));
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) => {
      const failure = `The database client could not be made from prisma/schema:\n${Buffer.concat(said)}`;
      return code === 0 ? resolve() : reject(new AppError("start.failed", failure));
    });
  });
}

async function fingerprintOf(prisma: string): Promise<string> {
  const hash = createHash("sha256").update(await readFile(path.join(path.dirname(prisma), "..", "package.json")));
  for (const name of (await readdir(SCHEMA)).sort()) hash.update(name).update(await readFile(path.join(SCHEMA, name)));
  return hash.digest("hex");
}
