import { randomUUID } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import { isIPv6 } from "node:net";
import type { TLSSocket } from "node:tls";
import type { Refused } from "#lib/pki/admission.ts";
import type { IdentityCtx } from "#services/identity/service.ts";
import type { MenderCtx } from "#services/mender/service.ts";
import { type Admission, createCutter, decide } from "./admission.ts";
import { openAdmissionBook } from "./admission-book.ts";
import { answerCanary } from "./canary.ts";
import { openDoorLog } from "./door-log.ts";
import type { DoorMetrics } from "./door-metrics.ts";
import { createEst, type Est } from "./est.ts";
import { isEst } from "./est-path.ts";
import { DEVICE_TRAFFIC, forward } from "./forward.ts";
import type { HandshakeFailure } from "./handshake-failure.ts";
import { createLiveConnections } from "./live-connections.ts";
import { createMenderDoor, type MenderDoor } from "./mender-door.ts";
import type { MenderUpstream } from "./mender-upstream.ts";
import { isDownload, mapPath } from "./path-map.ts";
import { addressOf, type Peer, readPeer } from "./peer.ts";
import { isProvisioning, provision, refuseDevice } from "./provisioning.ts";
import { type GatewayReplica, openReplica } from "./replica.ts";
import { type DoorReply, nowhere, sendReply, UNAVAILABLE } from "./replies.ts";
import { drain, openTlsDoor, type TlsDoor, type TlsDoorOptions } from "./tls-door.ts";
import { openTrafficNotes, type TrafficNotes } from "./traffic-notes.ts";
import type { Upstreams } from "./upstreams.ts";

export type DeviceDoor = {
  readonly port: number;
  /** Of its own for Mender's devices; null where they come in by name, or there is no Mender server. */
  readonly menderPort: number | null;
  /** The same decision for who comes by a proxy. */
  readonly admission: Admission;
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
  readonly est: Est;
  readonly notes: TrafficNotes;
};

const LIMITS = { requestMs: 300_000, idleMs: 120_000, connections: 20_000 } as const;

/**
 * Opens the device door: mutual TLS, one admission decision a request.
 *
 * @throws AppError `start.failed` (the port) | `config.invalid` (an own certificate that can't be used)
 * @see docs/contracts/gateway.md section 1
 */
export async function openDeviceDoor(options: {
  ctx: IdentityCtx;
  databaseUrl: string;
  upstreams: Upstreams;
  metrics: DoorMetrics;
  /** The Mender server and its management API, where the gateway stands in front of one. */
  mender?: { readonly upstream: MenderUpstream; readonly ctx: MenderCtx } | null;
}): Promise<DeviceDoor> {
  const { ctx, metrics } = options;
  const live = createLiveConnections();
  const book = await openAdmissionBook(ctx, options.databaseUrl);
  const log = openDoorLog(ctx);
  const admission: Admission = { ctx, book, log, live, arriving: new Map() };
  let replica: GatewayReplica | null = null;
  const cutRefused = createCutter(admission);
  book.follow(({ fingerprint, number }) => {
    void cutRefused(fingerprint).then((cut) => replica?.applied(number, cut));
  });
  const notes = openTrafficNotes(ctx);
  const est = createEst(admission, metrics);
  const door: Door = { ctx, metrics, notes, upstreams: options.upstreams, admission, est };
  const { mender = null } = options;
  const menderDoor = mender === null ? null : createMenderDoor({ ...mender, metrics, admission });
  const shared = {
    ctx,
    name: "DEVICE_DOOR",
    metrics,
    limits: LIMITS,
    onConnection: (socket: TLSSocket) => live.add(socket, readPeer(socket)),
    onHandshakeFailed: (failure: HandshakeFailure, socket: TLSSocket) =>
      log.refused({ leaf: null, address: addressOf(socket) }, failure),
  } as const;
  const opened = await openTlsDoor({
    ...shared,
    onRequest: (req, res, expectsContinue) =>
      menderDoor?.isMeant(req) === true
        ? menderDoor.handle(req, res, expectsContinue)
        : handle(door, req, res, expectsContinue),
    ...(menderDoor === null ? {} : { upgrades: { isMeant: menderDoor.isMeant, onUpgrade: menderDoor.upgrade } }),
  });
  const own = await openOwnMenderDoor(ctx, menderDoor, shared);
  const connections = () => live.connected(null).length;
  replica = openReplica(ctx, { doorUrl: ownAddress(ctx, opened.port), connections, metrics });
  return {
    port: opened.port,
    menderPort: own?.port ?? null,
    admission,
    isHealthy: () => book.isFresh() && opened.isListening() && own?.isListening() !== false,
    async refreshCertificate() {
      await Promise.all([opened.refreshCertificate(), own?.refreshCertificate()]);
    },
    async close() {
      await Promise.all([opened.close(), own?.close()]);
      await replica?.close();
      await notes.close();
      await log.close();
      await book.close();
    },
  };
}

/** Where exactly this process' door is reached, from its own machine when it is not told otherwise. */
function ownAddress({ config }: IdentityCtx, port: number): string {
  const host = config.DEVICE_DOOR_HOST;
  const isWildcard = host === "0.0.0.0" || host === "::";
  return (
    config.GATEWAY_REPLICA_URL ?? `https://${isWildcard ? "127.0.0.1" : isIPv6(host) ? `[${host}]` : host}:${port}`
  );
}

/** On MENDER_DOOR_PORT, with the device door's certificate and its admission; null without that setting. */
async function openOwnMenderDoor(
  ctx: IdentityCtx,
  menderDoor: MenderDoor | null,
  shared: Omit<TlsDoorOptions, "onRequest">,
): Promise<TlsDoor | null> {
  const port = ctx.config.MENDER_DOOR_PORT;
  if (menderDoor === null || port === undefined) return null;
  return openTlsDoor({
    ...shared,
    at: { port, setting: "MENDER_DOOR_PORT" },
    onRequest: menderDoor.handle,
    upgrades: { isMeant: () => true, onUpgrade: menderDoor.upgrade },
  });
}

async function handle(door: Door, req: IncomingMessage, res: ServerResponse, expectsContinue: boolean): Promise<void> {
  const requestId = randomUUID();
  const url = req.url ?? "";
  res.setHeader("x-request-id", requestId);
  res.once("close", () => door.metrics.replied(res.statusCode));
  try {
    const peer = door.admission.live.peerOf(req.socket as TLSSocket) ?? readPeer(req.socket as TLSSocket); // an https server's sockets are TLS
    if (await answerCanary(door.admission, { req, res }, peer)) return;
    if (isEst(url)) {
      await door.est.handle({ req, res, expectsContinue }, peer);
      return;
    }
    if (isProvisioning(req.method, url)) {
      const { ctx, metrics, admission } = door;
      if (await provision({ ctx, metrics, log: admission.log }, { req, res, expectsContinue }, peer)) return;
    }
    const decision = await decide(door.admission, peer);
    door.metrics.decided(decision === null ? "unavailable" : decision.admitted ? "admitted" : decision.code);
    if (req.socket.destroyed) return;
    if (decision?.admitted === true) {
      answer(door, req, res, { url, requestId, expectsContinue, peer, deviceUuid: decision.deviceUuid });
      return;
    }
    if (!expectsContinue) await drain(req);
    sendReply(res, decision === null ? UNAVAILABLE : { ...refusalOf(decision), close: true }, isDownload(url));
  } catch (err) {
    if (req.socket.destroyed) return; // it left in the middle, which is no failure of ours
    door.ctx.log.error({ err, requestId }, "a device's request failed");
    sendReply(res, UNAVAILABLE, isDownload(url));
  }
}

function refusalOf(decision: Refused): DoorReply {
  const { status, code, sentence } = decision;
  return { status, code, sentence };
}

function answer(
  door: Door,
  req: IncomingMessage,
  res: ServerResponse,
  it: { url: string; requestId: string; expectsContinue: boolean; peer: Peer; deviceUuid: string },
): void {
  if (isProvisioning(req.method, it.url)) {
    refuseDevice(door.admission.log, res, it.peer);
    return;
  }
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
  const { log, namespaceId } = ctx;
  const { destination } = mapped;
  log.debug({ requestId, deviceUuid, method: req.method, path: destination.path }, "forwarding");
  res.once("close", () => door.notes.passed({ deviceUuid, method: req.method ?? "", destination }));
  forward(req, res, {
    upstreams,
    destination,
    traffic: DEVICE_TRAFFIC,
    identity: { "x-ats-namespace": namespaceId, "x-ats-device-uuid": deviceUuid },
    requestId,
    log,
    client: { deviceUuid },
    expectsContinue,
  });
}
