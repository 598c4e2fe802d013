import type { IncomingHttpHeaders, OutgoingHttpHeaders } from "node:http";
import { isAppError } from "#lib/errors/app-error.ts";
import { MACHINE_HEADER, printMachine } from "#lib/http/machine-header.ts";
import { secretsEqual } from "#lib/keys/master-key.ts";
import { type CertificateFacts, parseCertificate } from "#lib/pki/certificates.ts";
import type { ToolsAccess, ToolsJudgement } from "./tools-access.ts";

/**
 * Answers a proxy that asks for every request of a build tool (nginx: `auth_request`).
 *
 * `x-gatehouse-decision-secret` proves that a proxy of this install asks, so what it says of the original request counts:
 * `x-original-method`, `x-original-uri` (as received, undecoded), `x-original-address`, `x-original-certificate` (PEM, URL-encoded)
 * and the client's own `authorization`.
 *
 * @returns 204 with who it is (`x-gatehouse-machine-client` goes on to our own services, for their audit log) and where it goes: send the request on to exactly `x-gatehouse-path` of `x-gatehouse-upstream`, which
 *   is what was judged; 401; 403 (scope, or no such address); 503 when nobody can know
 */
export async function authorizeTools(
  access: ToolsAccess,
  decisionSecret: string,
  headers: IncomingHttpHeaders,
): Promise<{ status: number; headers: OutgoingHttpHeaders }> {
  if (!secretsEqual(one(headers, "x-gatehouse-decision-secret"), decisionSecret)) {
    return { status: 403, headers: { "x-gatehouse-code": "decision_secret_wrong" } };
  }
  const shown = {
    authorization: headers.authorization,
    leaf: readCertificate(one(headers, "x-original-certificate")),
    address: one(headers, "x-original-address"),
  };
  const request = { method: one(headers, "x-original-method"), url: one(headers, "x-original-uri") };
  const judgement = await access.judge(shown, request);
  if (!judgement.allowed) return refusal(judgement);
  const { identity, to } = judgement;
  const { client } = identity;
  return {
    status: 204,
    headers: {
      "x-ats-namespace": client.namespaceId,
      [MACHINE_HEADER]: printMachine({ id: client.id, name: client.name, address: shown.address }),
      "x-gatehouse-client": client.clientId,
      "x-gatehouse-scopes": identity.scopes.join(" "),
      "x-gatehouse-upstream": to.destination.upstream,
      "x-gatehouse-path": to.destination.path,
    },
  };
}

function refusal(judgement: Extract<ToolsJudgement, { allowed: false }>): {
  status: number;
  headers: OutgoingHttpHeaders;
} {
  switch (judgement.why) {
    case "nobody":
    case "unknown": {
      const wanted = 'Bearer realm="gatehouse", Basic realm="gatehouse"';
      return { status: 401, headers: { "www-authenticate": wanted, "x-gatehouse-code": "client_refused" } };
    }
    case "unavailable":
      return { status: 503, headers: { "x-gatehouse-code": "unavailable" } };
    case "elsewhere":
      return { status: 403, headers: { "x-gatehouse-code": "address_not_allowed" } };
    // A proxy takes 401 and 403 for an answer and anything else for a failure of its own.
    case "too_many":
      return { status: 403, headers: { "x-gatehouse-code": "too_many_attempts" } };
    case "scope":
      return { status: 403, headers: { "x-gatehouse-code": "insufficient_scope" } };
    case "nowhere":
      return { status: 403, headers: { "x-gatehouse-code": "not_found" } };
  }
}

function one(headers: IncomingHttpHeaders, name: string): string {
  const value = headers[name];
  return typeof value === "string" ? value : "";
}

function readCertificate(encoded: string): CertificateFacts | "malformed" | null {
  if (encoded === "") return null;
  try {
    return parseCertificate(decodeURIComponent(encoded));
  } catch (error) {
    if (isAppError(error) || error instanceof URIError) return "malformed";
    throw error;
  }
}
