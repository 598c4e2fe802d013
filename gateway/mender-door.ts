import type { IncomingMessage, ServerResponse } from "node:http";
import type { TLSSocket } from "node:tls";
import type { AdmissionDecision, Admitted } from "#lib/pki/admission.ts";
import type { MenderCtx } from "#services/mender/service.ts";
import { type Admission, decide } from "./admission.ts";
import type { DoorMetrics } from "./door-metrics.ts";
import { createMenderAuth, type MenderAuth } from "./mender-auth.ts";
import { forwardToMender } from "./mender-forward.ts";
import { requestIdOf } from "./mender-headers.ts";
import { mapMenderPath } from "./mender-path.ts";
import { type MenderReply, REPLIES, refusedAdmission, sendMenderReply } from "./mender-replies.ts";
import { createTokenGuard, type TokenGuard } from "./mender-token.ts";
import { joinUpgrade, refuseUpgrade, type Upgrade } from "./mender-upgrade.ts";
import type { MenderUpstream } from "./mender-upstream.ts";
import { type Peer, readPeer } from "./peer.ts";
import { drain } from "./tls-door.ts";

/** The device door as the Mender server's mTLS ambassador. Its listener may be one of its own, or the device door's under a name. */
export type MenderDoor = {
  /** Whether a call at the device door is Mender's, by the name it was made to. */
  isMeant(req: IncomingMessage): boolean;
  handle(req: IncomingMessage, res: ServerResponse, expectsContinue: boolean): Promise<void>;
  upgrade(upgrade: Upgrade): Promise<void>;
};

type Door = {
  readonly ctx: MenderCtx;
  readonly upstream: MenderUpstream;
  readonly metrics: DoorMetrics;
  readonly admission: Admission;
  readonly auth: MenderAuth;
  readonly tokens: TokenGuard;
};

/**
 * A certificate is required on every call and judged by the one admission decision; whoever it lets in reaches the device API and
 * nothing else of the server.
 *
 * @see docs/contracts/mender.md sections 5, 6 and 8
 */
export function createMenderDoor(options: Omit<Door, "auth" | "tokens">): MenderDoor {
  const door: Door = { ...options, auth: createMenderAuth(options), tokens: createTokenGuard(options) };
  const host = options.ctx.config.MENDER_HOST;
  return {
    isMeant(req) {
      if (host === undefined) return false;
      const named = (req.headers.host ?? "").toLowerCase().replace(/:\d+$/, "");
      return named === host || (req.socket as TLSSocket).servername === host; // an https server's sockets are TLS
    },
    handle: (req, res, expectsContinue) => handle(door, { req, res, expectsContinue }),
    upgrade: (upgrade) => handleUpgrade(door, upgrade),
  };
}

type Exchange = { req: IncomingMessage; res: ServerResponse; expectsContinue: boolean };

async function handle(door: Door, exchange: Exchange): Promise<void> {
  const { req, res, expectsContinue } = exchange;
  const requestId = requestIdOf(req.headers);
  res.once("close", () => door.metrics.replied(res.statusCode));
  try {
    const peer = peerOf(door, req);
    const judged = await judge(door, peer);
    if (req.socket.destroyed) return;
    if ("status" in judged) {
      if (!expectsContinue) await drain(req);
      sendMenderReply(res, judged, requestId);
      return;
    }
    const to = mapMenderPath(req.method ?? "", req.url ?? "");
    const log = door.ctx.log.child({ requestId, deviceUuid: judged.deviceUuid });
    const { address, leaf } = peer;
    if (leaf === null || leaf === "malformed" || to === "nowhere") {
      sendMenderReply(res, REPLIES.nowhere, requestId);
    } else if (to === "auth") {
      await door.auth.answer(exchange, { leaf, deviceUuid: judged.deviceUuid, address, requestId, log });
    } else if (await door.tokens.allows(req, { leaf, deviceUuid: judged.deviceUuid })) {
      if (req.socket.destroyed) return;
      forwardToMender(req, res, { upstream: door.upstream, requestId, address, log, expectsContinue });
    } else {
      if (!expectsContinue) await drain(req);
      sendMenderReply(res, REPLIES.tokenOfAnother, requestId);
    }
  } catch (err) {
    if (req.socket.destroyed) return;
    door.ctx.log.error({ err, requestId }, "a Mender device's request failed");
    sendMenderReply(res, REPLIES.unavailable, requestId);
  }
}

async function handleUpgrade(door: Door, upgrade: Upgrade): Promise<void> {
  const { req, socket } = upgrade;
  const requestId = requestIdOf(req.headers);
  socket.on("error", () => socket.destroy());
  try {
    const peer = peerOf(door, req);
    const judged = await judge(door, peer);
    if (socket.destroyed) return;
    if ("status" in judged) return refuseUpgrade(socket, judged);
    const isWebSocket = req.method === "GET" && req.headers.upgrade?.toLowerCase() === "websocket";
    if (!isWebSocket || mapMenderPath("GET", req.url ?? "") !== "device") return refuseUpgrade(socket, REPLIES.nowhere);
    const { address, leaf } = peer;
    if (leaf === null || leaf === "malformed") return refuseUpgrade(socket, REPLIES.nowhere);
    if (!(await door.tokens.allows(req, { leaf, deviceUuid: judged.deviceUuid })))
      return refuseUpgrade(socket, REPLIES.tokenOfAnother);
    if (socket.destroyed) return;
    const log = door.ctx.log.child({ requestId, deviceUuid: judged.deviceUuid });
    joinUpgrade(upgrade, { upstream: door.upstream, requestId, address, log });
  } catch (err) {
    door.ctx.log.error({ err, requestId }, "a Mender device's upgrade failed");
    refuseUpgrade(socket, REPLIES.unavailable);
  }
}

function peerOf(door: Door, req: IncomingMessage): Peer {
  const socket = req.socket as TLSSocket; // an https server's sockets are TLS
  return door.admission.live.peerOf(socket) ?? readPeer(socket);
}

async function judge(door: Door, peer: Peer): Promise<Admitted | MenderReply> {
  const decision: AdmissionDecision | null = await decide(door.admission, peer);
  door.metrics.decided(decision === null ? "unavailable" : decision.admitted ? "admitted" : decision.code);
  if (decision === null) return REPLIES.unavailable;
  if (!decision.admitted) return refusedAdmission(decision);
  return decision.canary ? REPLIES.nowhere : decision;
}
