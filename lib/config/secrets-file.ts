import { randomBytes } from "node:crypto";
import { chmodSync, closeSync, fsyncSync, mkdirSync, openSync, renameSync, writeSync } from "node:fs";
import { dirname } from "node:path";
import { readStoredSecrets, secretsFile } from "#lib/config/load.ts";
import type { SecretName } from "#lib/config/settings.ts";

const MADE_AT_FIRST_START = ["NEXTAUTH_SECRET", "MASTER_KEY", "SERVICES_TOKEN", "DECISION_SECRET"] as const;

/**
 * Makes what is missing of this install's own secrets and keeps it in DATA_DIR, mode 0600. Idempotent: what exists stays,
 * because the master key opens every stored private key.
 *
 * @returns all of them
 * @throws AppError `config.invalid` when the file exists and can't be read
 */
export function ensureStoredSecrets(dataDir: string): Partial<Record<SecretName, string>> {
  const stored = readStoredSecrets(dataDir);
  const missing = MADE_AT_FIRST_START.filter((name) => stored[name] === undefined);
  if (missing.length === 0) return stored;
  const all = { ...stored, ...Object.fromEntries(missing.map((name) => [name, randomBytes(32).toString("hex")])) };
  writeDurably(secretsFile(dataDir), JSON.stringify(all, null, 2));
  return all;
}

function writeDurably(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const temporary = `${path}.new`;
  const file = openSync(temporary, "w", 0o600);
  try {
    writeSync(file, text);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  chmodSync(temporary, 0o600);
  renameSync(temporary, path);
}
