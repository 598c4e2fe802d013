import { constants } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import https from "node:https";
import type { SecureContextOptions, TLSSocket } from "node:tls";
import type { Ctx } from "#lib/ctx.ts";
import { type DoorCertificate, type DoorName, loadDoorCertificate } from "#services/authorities/service.ts";
import type { DoorMetrics } from "./door-metrics.ts";
import { type HandshakeFailure, handshakeFailureOf } from "./handshake-failure.ts";
import { listenOn } from "./listen-on.ts";

/** What both doors have in common: TLS with a certificate that renews itself, and bounds on what a client may hold. */
export type TlsDoor = {
  readonly port: number;
  isListening(): boolean;
  /** Takes a renewed certificate into use; it also happens by itself once a minute. */
  refreshCertificate(): Promise<void>;
  close(): Promise<void>;
};

const LIMITS = {
  handshakeMs: 10_000,
  headersMs: 15_000,
  keepAliveMs: 30_000,
  headerBytes: 16_384,
  drainBytes: 262_144,
  drainMs: 2_000,
} as const;
const CERTIFICATE_CHECK_MS = 60_000;

export type TlsDoorOptions = {
  ctx: Ctx;
  name: DoorName;
  metrics: DoorMetrics;
  limits: { requestMs: number; idleMs: number; connections: number };
  onConnection: (socket: TLSSocket) => void;
  /** A client that there is no connection with. */
  onHandshakeFailed?: (failure: HandshakeFailure, socket: TLSSocket) => void;
  onRequest: (req: IncomingMessage, res: ServerResponse, expectsContinue: boolean) => Promise<void>;
  /** Requests to upgrade that are taken as such; every other one is answered as if it had not asked. */
  upgrades?: {
    isMeant: (req: IncomingMessage) => boolean;
    onUpgrade: (upgrade: { req: IncomingMessage; socket: TLSSocket; head: Buffer }) => Promise<void>;
  };
  /** Another port than the door's own, with the same certificate. */
  at?: { port: number; setting: string };
};

/**
 * Opens a door: TLS 1.2 and 1.3, HTTP/1.1. A client certificate is asked for and may be any, or none: who may come in is
 * decided by request, so that a refusal can say why.
 *
 * It names no authorities (some clients then withhold their certificate), resumes no session (a resumed one would skip the
 * proof of the key) and does not renegotiate.
 *
 * @throws AppError `start.failed` (the port) | `config.invalid` (an own certificate that can't be used)
 * @see docs/contracts/gateway.md section 1; RFC 8446 section 4.3.2
 */
export async function openTlsDoor(options: TlsDoorOptions): Promise<TlsDoor> {
  const { ctx, name, metrics, limits, onConnection, onRequest, upgrades } = options;
  const certificate = await loadDoorCertificate(ctx, name);
  const server = https.createServer({
    ...secureContext(certificate),
    requestCert: true,
    rejectUnauthorized: false,
    ALPNProtocols: ["http/1.1"],
    handshakeTimeout: LIMITS.handshakeMs,
    headersTimeout: LIMITS.headersMs,
    requestTimeout: limits.requestMs,
    keepAliveTimeout: LIMITS.keepAliveMs,
    maxHeaderSize: LIMITS.headerBytes,
    shouldUpgradeCallback: (req) => upgrades?.isMeant(req) ?? false,
  });
  server.maxConnections = limits.connections;
  server.setTimeout(limits.idleMs);
  server.on("secureConnection", (socket) => {
    metrics.connectionOpened();
    socket.once("close", () => metrics.connectionClosed());
    socket.on("error", (err) => ctx.log.debug({ err }, "a connection broke"));
    onConnection(socket);
  });
  server.on("tlsClientError", (err: NodeJS.ErrnoException, socket) => {
    const failure = handshakeFailureOf(err.code);
    metrics.handshakeFailed(failure?.code ?? "broken_off");
    if (failure !== null) options.onHandshakeFailed?.(failure, socket);
  });
  server.on("request", (req, res) => void onRequest(req, res, false));
  server.on("checkContinue", (req, res) => void onRequest(req, res, true));
  const upgraded = new Set<TLSSocket>();
  server.on("upgrade", (req, duplex, head) => {
    const socket = duplex as TLSSocket; // an https server's sockets are TLS
    upgraded.add(socket);
    socket.once("close", () => upgraded.delete(socket));
    void upgrades?.onUpgrade({ req, socket, head });
  });
  const own = { port: ctx.config[`${name}_PORT` as const], setting: `${name}_PORT` };
  const port = await listenOn(server, { host: ctx.config[`${name}_HOST` as const], ...(options.at ?? own) });
  const refreshCertificate = certificateRefresh(ctx, { name, server, first: certificate });
  const renewal = setInterval(refreshCertificate, CERTIFICATE_CHECK_MS);
  return {
    port,
    isListening: () => server.listening,
    refreshCertificate,
    async close() {
      clearInterval(renewal);
      for (const socket of upgraded) socket.destroy();
      const closed = new Promise<void>((done) => server.close(() => done()));
      server.closeIdleConnections();
      const grace = setTimeout(() => server.closeAllConnections(), 2_000);
      await closed;
      clearTimeout(grace);
    },
  };
}

/**
 * Reads away a small body before a reply that ends the connection: bytes left unread would reset it, and the client might
 * never see the reply.
 */
export async function drain(req: IncomingMessage): Promise<void> {
  let bytes = 0;
  await new Promise<void>((done) => {
    const timer = setTimeout(done, LIMITS.drainMs);
    const end = () => {
      clearTimeout(timer);
      done();
    };
    req.on("data", (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > LIMITS.drainBytes) end();
    });
    req.once("end", end);
    req.once("close", end);
  });
}

function secureContext(certificate: DoorCertificate): SecureContextOptions {
  return {
    cert: certificate.chainPem,
    key: certificate.privateKeyPem,
    // No authority is trusted by the handshake: the decision is ours. An empty list also keeps Node's own roots out.
    ca: [],
    minVersion: "TLSv1.2",
    maxVersion: "TLSv1.3",
    secureOptions: constants.SSL_OP_NO_TICKET | constants.SSL_OP_NO_RENEGOTIATION,
  };
}

/** Takes a renewed certificate into use without a restart; connections that are open keep theirs. */
function certificateRefresh(
  ctx: Ctx,
  { name, server, first }: { name: DoorName; server: https.Server; first: DoorCertificate },
): () => Promise<void> {
  let { fingerprint } = first;
  return async () => {
    try {
      const current = await loadDoorCertificate(ctx, name);
      if (current.fingerprint === fingerprint) return;
      server.setSecureContext(secureContext(current));
      fingerprint = current.fingerprint;
      ctx.log.info({ fingerprint, door: name }, "a door uses a renewed certificate");
    } catch (err) {
      ctx.log.warn({ err, door: name }, "a door's certificate could not be read; the one in use stays");
    }
  };
}
