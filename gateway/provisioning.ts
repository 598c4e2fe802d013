import type { IncomingMessage, ServerResponse } from "node:http";
import { PROVISION_BODY_MAX_BYTES, ProvisionDevice } from "#lib/contracts/ota/provisioning.ts";
import { isAppError } from "#lib/errors/app-error.ts";
import {
  type Bootstrap,
  type IdentityCtx,
  judgeBootstrap,
  NOT_A_PROVISIONING_CERTIFICATE,
  type ProvisioningRefusal,
  provisionDevice,
} from "#services/identity/service.ts";
import type { DoorLog } from "./door-log.ts";
import type { DoorMetrics } from "./door-metrics.ts";
import type { Peer } from "./peer.ts";
import { type DoorReply, NO_UPSTREAM, sendReply, TOO_LARGE, UPSTREAM_TOO_LATE } from "./replies.ts";

/** The one request that a shared certificate is good for. Both slash forms, as with the other writes. */
export function isProvisioning(method: string | undefined, url: string): boolean {
  return method === "POST" && (url === "/devices" || url === "/devices/");
}

/**
 * Answers `POST /devices` of a shared certificate: registers the device and sends its PKCS#12 file. Asks the database each time.
 *
 * @returns false when the peer shows no shared certificate: it is judged like on any other path
 * @see docs/contracts/gateway.md section 4; docs/contracts/aktualizr-client.md section 2b
 */
export async function provision(
  door: { ctx: IdentityCtx; log: DoorLog; metrics: DoorMetrics },
  exchange: { req: IncomingMessage; res: ServerResponse; expectsContinue: boolean },
  peer: Peer,
): Promise<boolean> {
  if (peer.leaf === null || peer.leaf === "malformed") return false;
  const judged = await judgeBootstrap(door.ctx, peer.leaf);
  if (judged === null) return false;
  const { req, res } = exchange;
  if (exchange.expectsContinue) res.writeContinue();
  const body = await readBounded(req);
  const answer = "refusal" in judged ? judged : await register(door.ctx, judged, { body, address: peer.address });
  if ("pkcs12" in answer) {
    door.metrics.decided("provisioned");
    res.writeHead(200, { "content-type": "application/x-pkcs12", "content-length": answer.pkcs12.length });
    res.end(answer.pkcs12);
    return true;
  }
  if ("refusal" in answer) {
    door.metrics.decided(answer.refusal.code);
    door.log.refused(peer, answer.refusal);
  }
  sendReply(res, "refusal" in answer ? answer.refusal : answer.reply, false);
  return true;
}

/** A device asks to be registered with a certificate of its own. */
export function refuseDevice(log: DoorLog, res: ServerResponse, peer: Peer): void {
  log.refused(peer, NOT_A_PROVISIONING_CERTIFICATE);
  sendReply(res, NOT_A_PROVISIONING_CERTIFICATE, false);
}

type Answer = { pkcs12: Buffer } | { refusal: ProvisioningRefusal } | { reply: DoorReply };

async function register(
  ctx: IdentityCtx,
  bootstrap: Bootstrap,
  { body, address }: { body: Buffer | null; address: string },
): Promise<Answer> {
  if (body === null) return { reply: TOO_LARGE };
  const wish = ProvisionDevice.safeParse(parseJson(body));
  if (!wish.success) return { reply: NOT_UNDERSTOOD };
  try {
    return await provisionDevice(ctx, bootstrap, { ...wish.data, address });
  } catch (error) {
    if (!isAppError(error) || !error.code.startsWith("backend.")) throw error;
    ctx.log.warn({ err: error }, "a device could not be registered");
    return { reply: error.code === "backend.timeout" ? UPSTREAM_TOO_LATE : NO_UPSTREAM };
  }
}

const NOT_UNDERSTOOD: DoorReply = {
  status: 400,
  code: "malformed_body",
  sentence: "Registering takes a JSON object with a deviceId of at most 200 characters and a ttl in days.",
};

/** Reads to the end, so that the reply reaches a client that is still sending; keeps what fits. @returns null when it is too large */
async function readBounded(req: IncomingMessage): Promise<Buffer | null> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of req as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > 64 * PROVISION_BODY_MAX_BYTES) return null;
    if (bytes <= PROVISION_BODY_MAX_BYTES) chunks.push(chunk);
  }
  return bytes > PROVISION_BODY_MAX_BYTES ? null : Buffer.concat(chunks);
}

function parseJson(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString("utf8"));
  } catch {
    return null;
  }
}
