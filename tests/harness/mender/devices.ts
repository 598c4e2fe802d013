import { verify } from "node:crypto";
import { type Answered, bearer, type Exchange, empty, fail, isObject, json, readJson } from "./exchange.ts";
import { type MenderState, normalisePem } from "./state.ts";

export type Deployment = { id: string; artifactName: string; uri: string; deviceType: string };

/** What devices did with deployments, and what waits for them. */
export type Deployments = {
  /** Offered until a device reports success or failure. */
  offered: Deployment | null;
  readonly statuses: string[];
  readonly logs: unknown[];
  readonly inventories: unknown[];
  /** Ids of those that a person aborted. */
  readonly aborted: Set<string>;
};

const AUTH = "/api/devices/v1/authentication/auth_requests";
const CONFIGURATION_DOWNLOAD = "/api/devices/v1/deployments/download/configuration/";
const STATUSES =
  /^(downloading|installing|rebooting|pause_before_(installing|rebooting|committing)|success|failure|already-installed)$/;
const DEPLOYMENTS = "/api/devices/v1/deployments/device/deployments";

/** The device API. @see docs/contracts/mender.md sections 2 and 3 */
export function answerDevice(state: MenderState, deployments: Deployments, exchange: Exchange): Answered {
  const { req, path } = exchange;
  if (state.knobs.deviceStatus !== null) return fail(exchange, state.knobs.deviceStatus, "as the test wants it");
  if (path === AUTH) {
    if (req.method !== "POST") return fail(exchange, 405, "method not allowed");
    return authenticate(state, exchange);
  }
  if (path.startsWith(CONFIGURATION_DOWNLOAD)) return downloadConfiguration(exchange);
  const judged = state.judgeDeviceToken(bearer(exchange));
  if (judged !== 200) return empty(exchange, judged);
  if (path === "/api/devices/v1/inventory/device/attributes") {
    if (req.method !== "PUT" && req.method !== "PATCH") return fail(exchange, 405, "method not allowed");
    const attributes = readList(exchange);
    if (attributes === null || attributes.length > 100) return fail(exchange, 400, "failed to decode request body");
    deployments.inventories.push(attributes);
    return empty(exchange, 200);
  }
  if (path === "/api/devices/v1/deviceconfig/configuration") {
    return req.method === "GET" ? json(exchange, 200, { timezone: "UTC" }) : empty(exchange, 204);
  }
  if (path === `${DEPLOYMENTS}/next`) return next(deployments, exchange);
  const [, id, what] = /\/deployments\/([^/]+)\/(status|log)$/.exec(path) ?? [];
  if (path.startsWith(`${DEPLOYMENTS}/`) && id !== undefined && req.method === "PUT") {
    return what === "log" ? log(deployments, exchange) : report(deployments, exchange, id);
  }
  return fail(exchange, 404, "not found");
}

function authenticate(state: MenderState, exchange: Exchange): Answered {
  const { req, res, body } = exchange;
  const given = readJson(exchange);
  if (given === null) return "answered";
  const { id_data: idData, pubkey } = given;
  const identity = typeof idData === "string" ? tryParse(idData) : null;
  if (identity === null) return fail(exchange, 400, "id_data: cannot be blank.");
  const key = typeof pubkey === "string" ? normalisePem(pubkey) : null;
  if (key === null) return fail(exchange, 400, "pubkey: cannot decode public key");
  const signature = req.headers["x-men-signature"];
  if (typeof signature !== "string" || signature === "") return fail(exchange, 400, "missing request signature header");
  const algorithm = key.key.asymmetricKeyType === "ed25519" ? null : "sha256";
  if (!verify(algorithm, body, key.key, Buffer.from(signature, "base64"))) {
    return fail(exchange, 401, "signature verification failed");
  }
  const outcome = state.authenticate(identity, key.pem);
  if ("refused" in outcome) return fail(exchange, 401, outcome.refused);
  const contentType = state.knobs.version < 4 ? "application/json; charset=utf-8" : "application/jwt";
  res.writeHead(200, { "content-type": contentType });
  res.end(outcome.token);
  return "answered";
}

function next(deployments: Deployments, exchange: Exchange): Answered {
  const { offered } = deployments;
  if (offered === null) return empty(exchange, 204);
  return json(exchange, 200, {
    id: offered.id,
    artifact: {
      id: offered.id,
      artifact_name: offered.artifactName,
      source: { uri: offered.uri, expire: new Date(Date.now() + 86_400_000).toISOString() },
      device_types_compatible: [offered.deviceType],
    },
  });
}

function report(deployments: Deployments, exchange: Exchange, id: string): Answered {
  const given = readJson(exchange);
  if (given === null) return "answered";
  const status = String(given.status);
  if (!STATUSES.test(status)) return fail(exchange, 400, "status: must be a valid value.");
  if (deployments.aborted.has(id)) return fail(exchange, 409, "deployment aborted");
  if (deployments.offered?.id !== id) return fail(exchange, 404, "deployment not found");
  deployments.statuses.push(status);
  if (status === "success" || status === "failure") deployments.offered = null;
  return empty(exchange, 204);
}

function log(deployments: Deployments, exchange: Exchange): Answered {
  const given = readJson(exchange);
  if (given === null) return "answered";
  if (!Array.isArray(given.messages) || given.messages.length === 0) return fail(exchange, 400, "messages: too few");
  deployments.logs.push(given);
  return empty(exchange, 204);
}

/** Signed, not authenticated: the signature is over method, path and end. */
function downloadConfiguration(exchange: Exchange): Answered {
  const { query, res } = exchange;
  const isRight = query.get("x-men-signature") === "right" && new Date(query.get("x-men-expire") ?? "") > new Date();
  if (!isRight) return fail(exchange, 403, "signature invalid or expired");
  const artifact = Buffer.alloc(4_096, "configuration");
  res.writeHead(200, { "content-type": "application/vnd.mender-artifact", "content-length": artifact.length });
  res.end(artifact);
  return "answered";
}

function readList({ body }: Exchange): unknown[] | null {
  try {
    const value: unknown = JSON.parse(body.toString("utf8"));
    return Array.isArray(value) ? value : null;
  } catch {
    return null;
  }
}

function tryParse(text: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) && Object.keys(value).length > 0 ? value : null;
  } catch {
    return null;
  }
}
