import { constants, randomUUID } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import https from "node:https";
import type { SecureContextOptions, TLSSocket } from "node:tls";
import type { Refused } from "#lib/pki/admission.ts";
import { type DoorCertificate, type IdentityCtx, loadDoorCertificate } from "#services/identity/service.ts";
import { type Admission, cutRefused, decide } from "./admission.ts";
import { openAdmissionBook } from "./admission-book.ts";
import { openDoorLog } from "./door-log.ts";
import type { DoorMetrics } from "./door-metrics.ts";
import { forward } from "./forward.ts";
import { listenOn } from "./listen-on.ts";
import { createLiveConnections } from "./live-connections.ts";
import { isDownload, mapPath } from "./path-map.ts";
import { readPeer } from "./peer.ts";
import { type DoorReply, nowhere, sendReply, UNAVAILABLE } from "./replies.ts";
import type { Upstreams } from "./upstreams.ts";

export type DeviceDoor = {
  readonly port: number;
  isHealthy(): boolean;
  /** Takes a renewed certificate into use; it also happens by itself once a minute. */
  refreshCertificate(): Promise<void>;
  close(): Promise<void>;
};

type Door = {
  readonly ctx: IdentityCtx;
  readonly upstreams: Upstreams;
  readonly metrics: DoorMetrics;
  readonly admission: Admission;
};

const LIMITS = {
  handshakeMs: 10_000,
  headersMs: 15_000,
  requestMs: 300_000,
  idleMs: 120_000,
  keepAliveMs: 30_000,
  headerBytes: 16_384,
  connections: 20_000,
  drainBytes: 262_144,
  drainMs: 2_000,
} as const;
const CERTIFICATE_CHECK_MS = 60_000;

/**
 * Opens the device door: mutual TLS 1.2 and 1.3, HTTP/1.1, one admission decision a request.
 *
 * The handshake accepts any certificate, or none, so that a refusal can say why. It names no authorities (some clients then
 * withhold their certificate), resumes no session (a resumed one would skip the proof of the key) and does not renegotiate.
 *
 * @throws AppError `start.failed` (the port) | `config.invalid` (an own certificate that can't be used)
 * @see docs/contracts/gateway.md section 1; RFC 8446 section 4.3.2
 */
export async function openDeviceDoor(options: {
  ctx: IdentityCtx;
  databaseUrl: string;
  upstreams: Upstreams;
  metrics: DoorMetrics;
}): Promise<DeviceDoor> {
  const { ctx, metrics } = options;
  const live = createLiveConnections();
  const certificate = await loadDoorCertificate(ctx);
  const book = await openAdmissionBook(ctx, options.databaseUrl);
  const log = openDoorLog(ctx);
  const admission: Admission = { ctx, book, log, live, arriving: new Map() };
  book.follow((fingerprint) => void cutRefused(admission, fingerprint));
  const door: Door = { ctx, metrics, upstreams: options.upstreams, admission };
  const server = https.createServer({
    ...secureContext(certificate),
    requestCert: true,
    rejectUnauthorized: false,
    ALPNProtocols: ["http/1.1"],
    handshakeTimeout: LIMITS.handshakeMs,
    headersTimeout: LIMITS.headersMs,
    requestTimeout: LIMITS.requestMs,
    keepAliveTimeout: LIMITS.keepAliveMs,
    maxHeaderSize: LIMITS.headerBytes,
  });
  server.maxConnections = LIMITS.connections;
  server.setTimeout(LIMITS.idleMs);
  server.on("secureConnection", (socket) => welcome(door, socket));
  server.on("tlsClientError", () => metrics.handshakeFailed());
  server.on("request", (req, res) => void handle(door, req, res, false));
  server.on("checkContinue", (req, res) => void handle(door, req, res, true));
  const port = await listenOn(server, {
    host: ctx.config.DEVICE_DOOR_HOST,
    port: ctx.config.DEVICE_DOOR_PORT,
    setting: "DEVICE_DOOR_PORT",
  });
  const refreshCertificate = certificateRefresh(ctx, server, certificate);
  const renewal = setInterval(refreshCertificate, CERTIFICATE_CHECK_MS);
  return {
    port,
    isHealthy: () => book.isFresh() && server.listening,
    refreshCertificate,
    async close() {
      clearInterval(renewal);
      const closed = new Promise<void>((done) => server.close(() => done()));
      server.closeIdleConnections();
      const grace = setTimeout(() => server.closeAllConnections(), 2_000);
      await closed;
      clearTimeout(grace);
      await log.close();
      await book.close();
    },
  };
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
function certificateRefresh(ctx: IdentityCtx, server: https.Server, first: DoorCertificate): () => Promise<void> {
  let { fingerprint } = first;
  return async () => {
    try {
      const current = await loadDoorCertificate(ctx);
      if (current.fingerprint === fingerprint) return;
      server.setSecureContext(secureContext(current));
      fingerprint = current.fingerprint;
      ctx.log.info({ fingerprint }, "the device door uses a renewed certificate");
    } catch (err) {
      ctx.log.warn({ err }, "the device door's certificate could not be read; the one in use stays");
    }
  };
}

function welcome(door: Door, socket: TLSSocket): void {
  door.metrics.connectionOpened();
  door.admission.live.add(socket, readPeer(socket));
  socket.once("close", () => door.metrics.connectionClosed());
  socket.on("error", (err) => door.ctx.log.debug({ err }, "a device's connection broke"));
}

async function handle(door: Door, req: IncomingMessage, res: ServerResponse, expectsContinue: boolean): Promise<void> {
  const requestId = randomUUID();
  const url = req.url ?? "";
  res.setHeader("x-request-id", requestId);
  res.once("close", () => door.metrics.replied(res.statusCode));
  try {
    const peer = door.admission.live.peerOf(req.socket as TLSSocket) ?? readPeer(req.socket as TLSSocket); // an https server's sockets are TLS
    const decision = await decide(door.admission, peer);
    door.metrics.decided(decision === null ? "unavailable" : decision.admitted ? "admitted" : decision.code);
    if (req.socket.destroyed) return;
    if (decision?.admitted === true) {
      answer(door, req, res, { url, requestId, expectsContinue, deviceUuid: decision.deviceUuid });
      return;
    }
    if (!expectsContinue) await drain(req);
    sendReply(res, decision === null ? UNAVAILABLE : { ...refusalOf(decision), close: true }, isDownload(url));
  } catch (err) {
    door.ctx.log.error({ err, requestId }, "a device's request failed");
    sendReply(res, UNAVAILABLE, isDownload(url));
  }
}

function refusalOf(decision: Refused): DoorReply {
  const { status, code, sentence } = decision;
  return { status, code, sentence };
}

/**
 * Reads away a small body before a reply that ends the connection: bytes left unread would reset it, and the device might
 * never see the reply.
 */
async function drain(req: IncomingMessage): Promise<void> {
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

function answer(
  door: Door,
  req: IncomingMessage,
  res: ServerResponse,
  it: { url: string; requestId: string; expectsContinue: boolean; deviceUuid: string },
): void {
  const mapped = mapPath(req.method ?? "", it.url, it.deviceUuid);
  if (mapped.to === "nowhere") {
    sendReply(res, nowhere(mapped.status, mapped.allow), isDownload(it.url));
    return;
  }
  if (mapped.to === "campaigns") {
    const body = '{"campaigns":[]}';
    res.writeHead(200, { "content-type": "application/json", "content-length": body.length });
    res.end(body);
    return;
  }
  const { ctx, upstreams } = door;
  const { deviceUuid, requestId, expectsContinue } = it;
  const log = ctx.log.child({ requestId, deviceUuid });
  log.debug({ method: req.method, path: mapped.destination.path }, "forwarding");
  const { namespaceId } = ctx;
  forward(req, res, {
    upstreams,
    destination: mapped.destination,
    deviceUuid,
    namespaceId,
    requestId,
    log,
    expectsContinue,
  });
}
