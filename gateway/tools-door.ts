import { randomUUID } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { TLSSocket } from "node:tls";
import type { Ctx } from "#lib/ctx.ts";
import { MACHINE_HEADER, printMachine } from "#lib/http/machine-header.ts";
import { createPeerAddress } from "#lib/http/peer-address.ts";
import { ATTEMPT_WINDOW_SECONDS } from "./attempt-limiter.ts";
import type { DoorMetrics } from "./door-metrics.ts";
import { forward, TOOLS_TRAFFIC } from "./forward.ts";
import { type Peer, readPeer } from "./peer.ts";
import { type DoorReply, nowhere, sendReply, UNAVAILABLE } from "./replies.ts";
import { drain, openTlsDoor } from "./tls-door.ts";
import { answerTokenRequest } from "./token-endpoint.ts";
import type { ToolsAccess, ToolsJudgement } from "./tools-access.ts";
import { doesCount } from "./tools-auth.ts";
import type { Upstreams } from "./upstreams.ts";

export type ToolsDoor = {
  readonly port: number;
  isHealthy(): boolean;
  close(): Promise<void>;
};

type Door = {
  readonly ctx: Ctx;
  readonly access: ToolsAccess;
  readonly upstreams: Upstreams;
  readonly metrics: DoorMetrics;
  readonly addressOf: ReturnType<typeof createPeerAddress>;
  readonly peers: WeakMap<TLSSocket, Peer>;
  /** Replies under way by clientId, so that a revocation ends them. */
  readonly live: Map<string, Set<ServerResponse>>;
};

/** An upload of 3 GB over a slow line takes its time; a client that falls silent is cut by the idle bound. */
const LIMITS = { requestMs: 6 * 3_600_000, idleMs: 310_000, connections: 2_000 } as const;

/**
 * Opens the tools door: `/token`, `/treehub`, `/repo` and the director's repository for build tools, over TLS.
 *
 * Who asks is proved on every request; a body is not looked at before. A revoked client is refused from the next request on, and
 * its uploads and downloads end.
 *
 * @throws AppError `start.failed` (the port) | `config.invalid` (an own certificate that can't be used)
 * @see docs/contracts/gateway.md section 6
 */
export async function openToolsDoor(options: {
  ctx: Ctx;
  access: ToolsAccess;
  upstreams: Upstreams;
  metrics: DoorMetrics;
}): Promise<ToolsDoor> {
  const { ctx, access, metrics } = options;
  const door: Door = {
    ...options,
    addressOf: createPeerAddress(ctx.config.TRUSTED_PROXIES),
    peers: new WeakMap(),
    live: new Map(),
  };
  access.book.follow((clientId) => void cutRevoked(door, clientId));
  const opened = await openTlsDoor({
    ctx,
    name: "TOOLS_DOOR",
    metrics,
    limits: LIMITS,
    onConnection: (socket) => door.peers.set(socket, readPeer(socket)),
    onRequest: (req, res, expectsContinue) => handle(door, { req, res, expectsContinue }),
  });
  return {
    port: opened.port,
    isHealthy: () => access.book.isFresh() && opened.isListening(),
    close: opened.close,
  };
}

type Exchange = { req: IncomingMessage; res: ServerResponse; expectsContinue: boolean };

async function handle(door: Door, exchange: Exchange): Promise<void> {
  const { req, res, expectsContinue } = exchange;
  const requestId = randomUUID();
  res.setHeader("x-request-id", requestId);
  res.once("close", () => door.metrics.replied(res.statusCode));
  try {
    const socket = req.socket as TLSSocket; // an https server's sockets are TLS
    const { leaf } = door.peers.get(socket) ?? readPeer(socket);
    const forwardedFor = req.headers["x-forwarded-for"];
    const address = door.addressOf(socket.remoteAddress, typeof forwardedFor === "string" ? forwardedFor : undefined);
    const shown = { authorization: req.headers.authorization, leaf, address };
    const url = req.url ?? "";
    if (url.split("?", 1)[0] === "/token") {
      if (expectsContinue) res.writeContinue();
      const clientId = await answerTokenRequest(door.access, { req, res, shown });
      door.metrics.decided(clientId === null ? "token_refused" : "token_issued");
      door.ctx.log.debug({ requestId, clientId, address }, "a token request");
      return;
    }
    const judgement = await door.access.judge(shown, { method: req.method ?? "", url });
    door.metrics.decided(judgement.allowed ? "tool_admitted" : `tool_${judgement.why}`);
    if (req.socket.destroyed) return;
    if (judgement.allowed) {
      pass(door, { ...exchange, requestId, address }, judgement);
      return;
    }
    if (!expectsContinue) await drain(req);
    refuse(res, judgement);
  } catch (err) {
    door.ctx.log.error({ err, requestId }, "a build tool's request failed");
    sendReply(res, UNAVAILABLE, false);
  }
}

function pass(
  door: Door,
  { req, res, expectsContinue, requestId, address }: Exchange & { requestId: string; address: string },
  { identity, to }: Extract<ToolsJudgement, { allowed: true }>,
): void {
  const { id, name, clientId, namespaceId } = identity.client;
  const replies = door.live.get(clientId) ?? new Set();
  door.live.set(clientId, replies);
  replies.add(res);
  res.once("close", () => {
    replies.delete(res);
    if (replies.size === 0 && door.live.get(clientId) === replies) door.live.delete(clientId);
  });
  forward(req, res, {
    upstreams: door.upstreams,
    destination: to.destination,
    traffic: TOOLS_TRAFFIC,
    identity: { "x-ats-namespace": namespaceId, [MACHINE_HEADER]: printMachine({ id, name, address }) },
    requestId,
    log: door.ctx.log,
    client: { clientId },
    expectsContinue,
  });
}

async function cutRevoked(door: Door, changed: string | null): Promise<void> {
  for (const [clientId, replies] of door.live) {
    if (changed !== null && changed !== clientId) continue;
    const client = await door.access.book.find({ clientId });
    if (client === "unavailable" || (client !== null && doesCount(client, door.ctx.clock()))) continue;
    for (const res of replies) res.destroy();
  }
}

function refuse(res: ServerResponse, judgement: Extract<ToolsJudgement, { allowed: false }>): void {
  if (judgement.why === "nowhere") {
    sendReply(res, { ...nowhere(judgement.at.status, judgement.at.allow), close: true }, false);
    return;
  }
  if (judgement.why === "scope") {
    const needed = judgement.needed.join(" or ");
    sendReply(res, { ...SCOPE, sentence: `This needs the scope ${needed}, which the client does not have.` }, false);
    return;
  }
  const reply = REFUSALS[judgement.why];
  if (reply.status === 401) res.setHeader("www-authenticate", 'Bearer realm="gatehouse", Basic realm="gatehouse"');
  if (reply.status === 429) res.setHeader("retry-after", ATTEMPT_WINDOW_SECONDS);
  sendReply(res, reply, false);
}

const SCOPE = { status: 403, code: "insufficient_scope", close: true } as const;
const REFUSALS: Record<"nobody" | "unknown" | "elsewhere" | "unavailable" | "too_many", DoorReply> = {
  nobody: {
    status: 401,
    code: "authentication_required",
    sentence: "Show an access token, client id and secret, or the certificate of a machine client.",
    close: true,
  },
  unknown: {
    status: 401,
    code: "client_refused",
    sentence: "The token is not valid, or its client is unknown, expired or revoked.",
    close: true,
  },
  elsewhere: {
    status: 403,
    code: "address_not_allowed",
    sentence: "This client may not come from this address.",
    close: true,
  },
  unavailable: UNAVAILABLE,
  too_many: {
    status: 429,
    code: "too_many_attempts",
    sentence: "Too many failed attempts from this address. Try again in a minute.",
    close: true,
  },
};
