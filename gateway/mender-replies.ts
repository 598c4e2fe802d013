import type { ServerResponse } from "node:http";
import type { Refused } from "#lib/pki/admission.ts";

/** What the Mender door says by itself, in the shape of Mender's errors. */
export type MenderReply = {
  readonly status: number;
  readonly code: string;
  readonly error: string;
  /** The connection ends with this reply. */
  readonly close?: boolean;
};

/** @see docs/contracts/mender.md section 0 */
export function sendMenderReply(res: ServerResponse, reply: MenderReply, requestId: string): void {
  if (res.headersSent) {
    res.destroy();
    return;
  }
  const body = Buffer.from(JSON.stringify({ error: reply.error, request_id: requestId }));
  res.writeHead(reply.status, {
    "content-type": "application/json; charset=utf-8",
    "content-length": body.length,
    "x-men-requestid": requestId,
    "x-gatehouse-code": reply.code,
    ...(reply.close === true ? { connection: "close" } : {}),
  });
  res.end(body);
}

/** For good: with a 401 a client drops the token that it holds. Whoever may come in again later keeps it, by 403. */
const FOR_GOOD: ReadonlySet<string> = new Set(["revoked", "rejected", "superseded", "authority_revoked"]);

/** @see docs/contracts/mender.md section 8 */
export function refusedAdmission({ code, sentence, status }: Refused): MenderReply {
  return { status: FOR_GOOD.has(code) ? 401 : status, code, error: sentence, close: true };
}

const reply = (status: number, code: string, error: string): MenderReply => ({ status, code, error });

export const REPLIES = {
  unavailable: { ...reply(503, "unavailable", "who may come in can't be decided right now"), close: true },
  nowhere: reply(404, "not_found", "not found"),
  tooLarge: { ...reply(413, "payload_too_large", "request body too large"), close: true },
  tooMany: reply(429, "too_many_attempts", "too many authentication requests of this certificate"),
  noUpstream: reply(502, "back_end_unreachable", "the Mender server does not answer"),
  upstreamTooLate: reply(504, "back_end_timeout", "the Mender server took too long"),
  keyMismatch: reply(401, "key_mismatch", "the request's key is not the client certificate's key"),
  tokenOfAnother: reply(401, "token_of_another", "the token was given to another device"),
  badSignature: reply(401, "bad_signature", "signature verification failed"),
} as const satisfies Record<string, MenderReply>;

export function malformed(error: string): MenderReply {
  return reply(400, "malformed", error);
}
