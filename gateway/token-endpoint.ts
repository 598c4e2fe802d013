import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from "node:http";
import { isToolScope, type ToolScope } from "#lib/authz/tool-scopes.ts";
import { ACCESS_TOKEN_SECONDS } from "./access-tokens.ts";
import { ATTEMPT_WINDOW_SECONDS, type AttemptLimiter } from "./attempt-limiter.ts";
import {
  authenticate,
  authenticateClient,
  readBasic,
  type Shown,
  type ToolsAuth,
  type ToolsVerdict,
} from "./tools-auth.ts";

const MAX_BODY_BYTES = 8_192;

/** What the endpoint needs beside the door's way of knowing clients. `requests` counts by client and address. */
export type TokenEndpoint = ToolsAuth & { readonly requests: AttemptLimiter };

/**
 * `POST /token`: an access token for client credentials.
 *
 * Clients show id and secret by HTTP Basic, in the body, or a certificate. `scope` may hold raw blanks, as garage-push sends
 * it; without one the token has all scopes of its client.
 *
 * @returns the client's id once it is known, for the log
 * @see RFC 6749 sections 2.3.1, 4.4 and 5; RFC 8705 section 2; docs/contracts/aktualizr-client.md section 10
 */
export async function answerTokenRequest(
  it: TokenEndpoint,
  { req, res, shown }: { req: IncomingMessage; res: ServerResponse; shown: Shown },
): Promise<string | null> {
  const reply = await decide(it, req, shown);
  send(res, reply.status, reply.body);
  return "clientId" in reply ? reply.clientId : null;
}

type Reply =
  | { status: 200; body: Record<string, unknown>; clientId: string }
  | { status: 400 | 401 | 405 | 413 | 429 | 503; body: { error: string; error_description: string } };

async function decide(it: TokenEndpoint, req: IncomingMessage, shown: Shown): Promise<Reply> {
  if (req.method !== "POST") return refuse(405, "invalid_request", "Tokens are asked for with POST.");
  const text = await readBounded(req);
  if (text === null) return refuse(413, "invalid_request", "The body is too large.");
  const form = new URLSearchParams(text);
  for (const name of ["grant_type", "scope", "client_id", "client_secret"]) {
    if (form.getAll(name).length > 1) return refuse(400, "invalid_request", `${name} is there more than once.`);
  }
  if (form.get("grant_type") !== "client_credentials") {
    return refuse(400, "unsupported_grant_type", "Only client_credentials is offered.");
  }
  const basic = readBasic(shown.authorization ?? "");
  const key = `${basic?.clientId ?? form.get("client_id") ?? ""} ${shown.address}`.slice(0, 200);
  if (!it.requests.isOpen(key)) return REFUSED.too_many;
  it.requests.count(key);
  const verdict = await judgeClient(it, form, shown);
  if (verdict === "two") return refuse(400, "invalid_request", "Show the client's secret in one way, not in two.");
  if (typeof verdict === "string") return REFUSED[verdict];
  const wanted = (form.get("scope") ?? "").split(" ").filter((word) => word !== "");
  const scopes = grant(wanted, verdict.scopes);
  if (scopes === null) {
    return refuse(400, "invalid_scope", `This client may have: ${verdict.scopes.join(" ")}.`);
  }
  return {
    status: 200,
    clientId: verdict.client.clientId,
    body: {
      access_token: await it.tokens.issue(verdict.client.clientId, scopes),
      token_type: "bearer",
      expires_in: ACCESS_TOKEN_SECONDS,
      scope: scopes.join(" "),
    },
  };
}

/** A token is no credential here: it could otherwise be renewed for ever. */
async function judgeClient(it: TokenEndpoint, form: URLSearchParams, shown: Shown): Promise<ToolsVerdict | "two"> {
  const { authorization, address } = shown;
  const [clientId, secret] = [form.get("client_id"), form.get("client_secret")];
  if (authorization !== undefined) {
    if (secret !== null) return "two";
    return readBasic(authorization) === null ? "unknown" : authenticate(it, shown);
  }
  if (secret !== null) return clientId === null ? "unknown" : authenticateClient(it, { clientId, secret, address });
  const verdict = await authenticate(it, shown);
  const isOther = typeof verdict !== "string" && clientId !== null && verdict.client.clientId !== clientId;
  return isOther ? "unknown" : verdict;
}

function grant(wanted: readonly string[], held: readonly ToolScope[]): readonly ToolScope[] | null {
  if (wanted.length === 0) return held;
  return wanted.every((word) => isToolScope(word) && held.includes(word))
    ? held.filter((scope) => wanted.includes(scope))
    : null;
}

const UNKNOWN = refuse(401, "invalid_client", "The client is unknown, expired or revoked, or its secret is wrong.");
const REFUSED: Record<Extract<ToolsVerdict, string>, Reply> = {
  nobody: UNKNOWN,
  unknown: UNKNOWN,
  elsewhere: refuse(401, "invalid_client", "This client may not come from this address."),
  unavailable: refuse(503, "temporarily_unavailable", "Who may come in can't be decided right now. Try again later."),
  too_many: refuse(429, "temporarily_unavailable", "Too many attempts. Try again in a minute."),
};

function refuse(status: Exclude<Reply["status"], 200>, error: string, description: string): Reply {
  return { status, body: { error, error_description: description } };
}

function send(res: ServerResponse, status: number, body: object): void {
  const bytes = Buffer.from(JSON.stringify(body));
  const headers: OutgoingHttpHeaders = {
    "content-type": "application/json",
    "content-length": bytes.length,
    "cache-control": "no-store",
    ...(status === 401 ? { "www-authenticate": 'Basic realm="gatehouse"' } : {}),
    ...(status === 405 ? { allow: "POST" } : {}),
    ...(status === 429 ? { "retry-after": String(ATTEMPT_WINDOW_SECONDS) } : {}),
    ...(status === 413 ? { connection: "close" } : {}),
  };
  res.writeHead(status, headers);
  res.end(bytes);
}

async function readBounded(req: IncomingMessage): Promise<string | null> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of req as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > MAX_BODY_BYTES) return null;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}
