import { isIP } from "node:net";
import type { Settings } from "./settings.ts";

/** What is wrong with the ways to the decision port, each with its mend. */
export function decisionProblems(settings: Settings): string[] {
  const { DECISION_TLS_CERT, DECISION_TLS_KEY, DECISION_TLS_CLIENT_CA, DECISION_HOST, DECISION_PUBLIC_URL } = settings;
  const files = [DECISION_TLS_CERT, DECISION_TLS_KEY, DECISION_TLS_CLIENT_CA];
  const given = files.filter((file) => file !== undefined).length;
  if (given !== 0 && given !== files.length) {
    return ["DECISION_TLS_CERT, DECISION_TLS_KEY and DECISION_TLS_CLIENT_CA belong together: set all three or none."];
  }
  if (DECISION_PUBLIC_URL !== undefined && given === 0 && !isLoopback(DECISION_HOST)) {
    return [
      `DECISION_HOST is ${DECISION_HOST}, so a proxy would tell in clear text over a network who a device is. Bind a loopback address, let the proxy come by DECISION_SOCKET, or give the port TLS: DECISION_TLS_CERT, DECISION_TLS_KEY and DECISION_TLS_CLIENT_CA.`,
    ];
  }
  return [];
}

function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || (isIP(host) === 4 && host.startsWith("127."));
}
