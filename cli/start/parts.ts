import path from "node:path";
import { fileURLToPath } from "node:url";
import type { WantedPort } from "#cli/start/ports.ts";
import type { Config, Part, Secrets } from "#lib/config/load.ts";
import { REQUIRED_SECRETS } from "#lib/config/load.ts";
import { SECRETS, type SecretName } from "#lib/config/settings.ts";

export type Mode = "production" | "development";

/** One process of an install. */
export interface PartPlan {
  readonly name: string;
  /** Arguments to Node: the program, and what it needs before and after it. */
  readonly args: readonly string[];
  /** Answers with a 2xx status when the part works; null when only its own "ready" message tells. */
  readonly healthUrl: string | null;
  readonly secrets: readonly SecretName[];
}

const SECRET_NAMES = Object.keys(SECRETS.shape) as SecretName[];
const ROOT = fileURLToPath(new URL("../..", import.meta.url));
/** Compiled code is kept between starts, which halves the work of the next; Node does without when it cannot write there. */
const CODE_CACHE = path.join(ROOT, "node_modules", ".cache", "gatehouse-code");

/** The parts of this version, in the order in which they are named to people. */
export function planParts(config: Config, mode: Mode): PartPlan[] {
  const services = `http://${reachableHost(config.SERVICES_HOST)}:${config.SERVICES_PORT}`;
  const decision = `http://${reachableHost(config.DECISION_HOST)}:${config.DECISION_PORT}`;
  const console = `http://${reachableHost(config.HOST)}:${config.PORT}`;
  return [
    // Of other back ends, the services ask only the image repository: the director looks at what it assigns.
    part("services", {
      entry: "services/main.ts",
      healthUrl: `${services}/health`,
      mode,
      callsBackEnds: config.REPOSERVER_URL !== undefined,
    }),
    part("gateway", {
      entry: "gateway/main.ts",
      // With TLS of its own it answers only who shows a client certificate.
      healthUrl: config.DECISION_TLS_CERT === undefined ? `${decision}/health` : null,
      mode,
    }),
    part("worker", { entry: "worker/main.ts", healthUrl: null, mode }),
    part("console", { entry: "app/main.ts", healthUrl: `${console}/api/health/live`, mode }),
  ];
}

/** Every port that the parts will bind. */
export function planPorts(config: Config): WantedPort[] {
  return [
    { setting: "PORT", purpose: "the console", host: config.HOST, port: config.PORT },
    {
      setting: "DEVICE_DOOR_PORT",
      purpose: "the device door",
      host: config.DEVICE_DOOR_HOST,
      port: config.DEVICE_DOOR_PORT,
    },
    {
      setting: "TOOLS_DOOR_PORT",
      purpose: "the tools door",
      host: config.TOOLS_DOOR_HOST,
      port: config.TOOLS_DOOR_PORT,
    },
    {
      setting: "DECISION_PORT",
      purpose: "the gateway's decision port",
      host: config.DECISION_HOST,
      port: config.DECISION_PORT,
    },
    { setting: "SERVICES_PORT", purpose: "the services", host: config.SERVICES_HOST, port: config.SERVICES_PORT },
    ...(config.MENDER_DOOR_PORT === undefined
      ? []
      : [
          {
            setting: "MENDER_DOOR_PORT" as const,
            purpose: "the Mender door",
            host: config.DEVICE_DOOR_HOST,
            port: config.MENDER_DOOR_PORT,
          },
        ]),
  ];
}

/** What differs in a part's environment: only the secrets it needs, so that a hole in one part does not open the others. */
export function environmentFor(plan: PartPlan, all: Secrets, mode: Mode): Record<string, string | undefined> {
  const secrets = SECRET_NAMES.map((name) => [name, plan.secrets.includes(name) ? all[name] : undefined]);
  // The first admin was made by then; without its password the address alone would be refused.
  return { ...Object.fromEntries(secrets), ADMIN_EMAIL: undefined, NODE_ENV: mode, NODE_COMPILE_CACHE: CODE_CACHE };
}

export function reachableHost(host: string): string {
  const local = host === "0.0.0.0" ? "127.0.0.1" : host === "::" ? "::1" : host;
  return local.includes(":") ? `[${local}]` : local;
}

type PartKind = { entry: string; healthUrl: string | null; mode: Mode; callsBackEnds?: boolean };

function part(name: Part, how: PartKind): PartPlan {
  const program = path.join(ROOT, how.entry);
  // The console reloads by itself in development; the other parts are restarted when a file they loaded changes.
  const before = how.mode === "development" && name !== "console" ? ["--watch", "--watch-preserve-output"] : [];
  const after = how.mode === "development" && name === "console" ? ["--dev"] : [];
  const more: SecretName[] = [
    ...((how.callsBackEnds ?? true) ? (["BACKEND_TOKEN"] as const) : []),
    ...(name === "services" ? [] : (["MENDER_TOKEN", "MENDER_PASSWORD"] as const)),
    ...(name === "services" ? (["S3_SECRET_ACCESS_KEY"] as const) : []),
  ];
  return {
    name,
    args: [...before, program, ...after],
    healthUrl: how.healthUrl,
    secrets: [...REQUIRED_SECRETS[name], ...more],
  };
}
