import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { z } from "zod";
import { SECRETS, SETTINGS, type SecretName, type SecretValues, type Settings } from "#lib/config/settings.ts";
import { AppError } from "#lib/errors/app-error.ts";
import { decisionProblems } from "./decision-problems.ts";
import { menderProblems } from "./mender-problems.ts";

export type Part = "console" | "gateway" | "services" | "worker" | "cli" | "supervisor";

/** The secrets a part cannot run without. `npm start` makes them; a part started alone refuses when one is missing. */
export const REQUIRED_SECRETS: Record<Part, readonly SecretName[]> = {
  console: ["DATABASE_URL", "NEXTAUTH_SECRET", "MASTER_KEY", "SERVICES_TOKEN"],
  gateway: ["DATABASE_URL", "MASTER_KEY", "SERVICES_TOKEN", "DECISION_SECRET"],
  services: ["DATABASE_URL", "MASTER_KEY", "SERVICES_TOKEN"],
  worker: ["DATABASE_URL", "MASTER_KEY", "SERVICES_TOKEN"],
  cli: ["DATABASE_URL", "MASTER_KEY", "SERVICES_TOKEN"],
  supervisor: [],
};

export type Config = Settings & {
  readonly publicUrl: string;
  /** Base of what authorities publish: revocation lists, their certificates, OCSP. */
  readonly pkiUrl: string;
  readonly gatewayUrl: string;
  readonly deviceRegistryUrl: string;
  readonly directorUrl: string;
  readonly reposerverUrl: string;
  readonly keyserverUrl: string;
  readonly treehubUrl: string;
  readonly toolsUrl: string;
  /** Where the management API of the Mender server is; null without one. */
  readonly menderApiUrl: string | null;
};

export type Secrets = SecretValues;

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Reads and checks every setting at once.
 *
 * @throws AppError `config.invalid`, its message naming every problem with its mend, one a line
 */
export function loadConfig(part: Part, env: Environment = process.env): { config: Config; secrets: Secrets } {
  const present = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== undefined && value !== ""));
  const problems: string[] = [];
  const settings = collect(SETTINGS.safeParse(present), present, problems);
  const secrets = collect(SECRETS.safeParse(present), {}, problems);
  if (settings !== undefined) problems.push(...conflicts(settings, secrets));
  if (part === "services" || part === "supervisor") problems.push(...storageProblems(settings, secrets));
  if (settings !== undefined) problems.push(...decisionProblems(settings));
  if (settings !== undefined && secrets !== undefined) problems.push(...menderProblems(part, settings, secrets));
  for (const name of secrets === undefined ? [] : REQUIRED_SECRETS[part]) {
    if (secrets?.[name] === undefined) {
      problems.push(
        `${name} is not set. \`npm start\` makes it and keeps it in DATA_DIR; a part started alone must be given it.`,
      );
    }
  }
  if (problems.length > 0 || settings === undefined || secrets === undefined) {
    throw new AppError("config.invalid", problems.join("\n"));
  }
  return { config: withDefaults(settings), secrets };
}

/** The secret `name`, which `loadConfig` has already required. @throws AppError `config.invalid` */
export function requireSecret(secrets: Secrets, name: SecretName): string {
  const value = secrets[name];
  if (value === undefined) throw new AppError("config.invalid", `${name} is not set.`);
  return value;
}

/** The file in DATA_DIR that holds the secrets made at first start. */
export function secretsFile(dataDir: string): string {
  return join(dataDir, "secrets.json");
}

/** What `npm start` once made, as environment variables; empty before the first start. @throws AppError `config.invalid` */
export function readStoredSecrets(dataDir: string): Partial<Record<SecretName, string>> {
  let text: string;
  try {
    text = readFileSync(secretsFile(dataDir), "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return {};
    throw new AppError(
      "config.invalid",
      `${secretsFile(dataDir)} can't be read. Give it back to the user that runs Gatehouse.`,
      {
        cause: error,
      },
    );
  }
  try {
    return SECRETS.partial().parse(JSON.parse(text)) as Partial<Record<SecretName, string>>;
  } catch (error) {
    throw new AppError(
      "config.invalid",
      `${secretsFile(dataDir)} is damaged. Restore it from a backup: it opens every stored key.`,
      {
        cause: error,
      },
    );
  }
}

function collect<T>(
  result: { success: true; data: T } | { success: false; error: z.ZodError },
  shown: Environment,
  problems: string[],
): T | undefined {
  if (result.success) return result.data;
  for (const issue of result.error.issues) {
    const name = String(issue.path[0] ?? "");
    const given = shown[name] === undefined ? "" : ` (is "${shown[name]}")`;
    problems.push(`${name}${given}: ${issue.message}`);
  }
  return undefined;
}

function conflicts(settings: Settings, secrets: Secrets | undefined): string[] {
  const problems: string[] = [];
  const ports = new Map<number, string>();
  for (const name of PORTS) {
    const port = settings[name];
    if (port === undefined) continue;
    const other = ports.get(port);
    if (other !== undefined) problems.push(`${name} and ${other} are both ${port}. Give each a port of its own.`);
    ports.set(port, name);
  }
  for (const door of ["DEVICE_DOOR", "TOOLS_DOOR"] as const) {
    if ((settings[`${door}_CERT`] === undefined) !== (settings[`${door}_KEY`] === undefined)) {
      problems.push(`${door}_CERT and ${door}_KEY belong together: set both or neither.`);
    }
  }
  if (secrets !== undefined && (settings.ADMIN_EMAIL === undefined) !== (secrets.ADMIN_PASSWORD === undefined)) {
    problems.push("ADMIN_EMAIL and ADMIN_PASSWORD belong together: set both or neither.");
  }
  if (settings.GATEWAY_HOST.length === 0) problems.push("GATEWAY_HOST names no host.");
  if (settings.KEYSERVER_URL !== undefined && !(settings.REPOSERVER_URL ?? settings.DIRECTOR_URL)) {
    problems.push(
      "KEYSERVER_URL is set without REPOSERVER_URL or DIRECTOR_URL: the embedded ones sign with the keys of this install only. Set the URL of a service that signs there, or remove KEYSERVER_URL.",
    );
  }
  return problems;
}

const PORTS = [
  "PORT",
  "DEVICE_DOOR_PORT",
  "TOOLS_DOOR_PORT",
  "DECISION_PORT",
  "SERVICES_PORT",
  "MENDER_DOOR_PORT",
] as const;

/** Only the services keep blobs, so only they, and who starts them, know the bucket's key. */
function storageProblems(settings: Settings | undefined, secrets: Secrets | undefined): string[] {
  if (settings?.S3_BUCKET === undefined || secrets === undefined) return [];
  const missing = [
    settings.S3_ACCESS_KEY_ID === undefined ? "S3_ACCESS_KEY_ID" : null,
    secrets.S3_SECRET_ACCESS_KEY === undefined ? "S3_SECRET_ACCESS_KEY" : null,
  ].filter((name) => name !== null);
  return missing.map((name) => `${name} is not set. S3_BUCKET can't be used without it.`);
}

function withDefaults(settings: Settings): Config {
  const embedded = `http://${urlHost(reachable(settings.SERVICES_HOST))}:${settings.SERVICES_PORT}`;
  const publicUrl = settings.PUBLIC_URL ?? `http://localhost:${settings.PORT}`;
  return {
    ...settings,
    publicUrl,
    pkiUrl: settings.PKI_URL ?? `${publicUrl}/pki`,
    gatewayUrl:
      settings.GATEWAY_URL ??
      `https://${urlHost(settings.GATEWAY_HOST[0] ?? "localhost")}:${settings.DEVICE_DOOR_PORT}`,
    deviceRegistryUrl: settings.DEVICE_REGISTRY_URL ?? embedded,
    directorUrl: settings.DIRECTOR_URL ?? embedded,
    reposerverUrl: settings.REPOSERVER_URL ?? embedded,
    keyserverUrl: settings.KEYSERVER_URL ?? embedded,
    treehubUrl: settings.TREEHUB_URL ?? embedded,
    menderApiUrl: settings.MENDER_API_URL ?? settings.MENDER_URL ?? null,
    toolsUrl:
      settings.TOOLS_URL ?? `https://${urlHost(settings.GATEWAY_HOST[0] ?? "localhost")}:${settings.TOOLS_DOOR_PORT}`,
  };
}

/** An address to call a server that binds `host`. */
function reachable(host: string): string {
  return host === "0.0.0.0" || host === "::" ? "127.0.0.1" : host;
}

function urlHost(host: string): string {
  return host.includes(":") ? `[${host}]` : host;
}
