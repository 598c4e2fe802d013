import type { Part } from "#lib/config/load.ts";
import type { SecretValues, Settings } from "#lib/config/settings.ts";

const BELONGING = ["MENDER_API_URL", "MENDER_DOOR_PORT", "MENDER_HOST", "MENDER_USER", "MENDER_CA"] as const;
/** They call the management API, or start who does. */
const CALLERS: readonly Part[] = ["console", "gateway", "worker", "supervisor"];

/** What is wrong with the settings about a Mender server, each with its mend. */
export function menderProblems(part: Part, settings: Settings, secrets: SecretValues): string[] {
  if (settings.MENDER_URL === undefined) {
    return BELONGING.filter((name) => settings[name] !== undefined).map(
      (name) => `${name} is set without MENDER_URL. Set MENDER_URL to the Mender server, or take ${name} away.`,
    );
  }
  const problems: string[] = [];
  if (settings.MENDER_DOOR_PORT === undefined && settings.MENDER_HOST === undefined) {
    problems.push(
      "MENDER_URL is set, but not where its devices come in. Set MENDER_DOOR_PORT (a port of its own) or MENDER_HOST (a name at the device door).",
    );
  }
  const { MENDER_HOST: host } = settings;
  const names = settings.GATEWAY_HOST.map((name) => name.toLowerCase());
  if (host !== undefined && settings.DEVICE_DOOR_CERT === undefined && !names.includes(host)) {
    problems.push(
      `MENDER_HOST (is "${host}") is not in GATEWAY_HOST, so the door's certificate would lack it. Add it.`,
    );
  }
  if (CALLERS.includes(part)) problems.push(...credentialProblems(settings, secrets));
  return problems;
}

function credentialProblems(settings: Settings, secrets: SecretValues): string[] {
  const hasUser = settings.MENDER_USER !== undefined;
  const hasPassword = secrets.MENDER_PASSWORD !== undefined;
  const hasToken = secrets.MENDER_TOKEN !== undefined;
  if (hasUser !== hasPassword) return ["MENDER_USER and MENDER_PASSWORD belong together: set both or neither."];
  if (hasToken && hasUser) return ["MENDER_TOKEN and MENDER_USER exclude each other: keep one of them."];
  if (hasToken || hasUser) return [];
  return ["MENDER_URL needs MENDER_TOKEN, or MENDER_USER with MENDER_PASSWORD: devices are preauthorized with it."];
}
