import type { IncomingMessage, ServerResponse } from "node:http";
import { pipeline } from "node:stream";
import type { Log } from "#lib/log/log.ts";
import { replyHeaders, requestHeaders } from "./mender-headers.ts";
import { REPLIES, sendMenderReply } from "./mender-replies.ts";
import type { MenderUpstream } from "./mender-upstream.ts";

export type MenderForwarding = {
  readonly upstream: MenderUpstream;
  readonly requestId: string;
  readonly address: string;
  readonly log: Log;
  readonly expectsContinue: boolean;
};

/** More than the server takes anywhere by default. */
const BODY_MAX_BYTES = 16_777_216;
const IDLE_MS = 120_000;

/**
 * Passes an admitted call on and its answer back, one to one: bytes, encodings, ranges and statuses as they are, streaming both
 * ways. A 401 and a 403 of the server mean different things to the client, and are passed through untouched.
 *
 * @see docs/contracts/mender.md section 6 and 2 (the use of the token)
 */
export function forwardToMender(req: IncomingMessage, res: ServerResponse, it: MenderForwarding): void {
  const declared = Number(req.headers["content-length"] ?? 0);
  if (declared > BODY_MAX_BYTES) {
    sendMenderReply(res, REPLIES.tooLarge, it.requestId);
    return;
  }
  if (it.expectsContinue) res.writeContinue();
  const hasBody = req.headers["transfer-encoding"] !== undefined || declared > 0;
  const sent = it.upstream.request({
    method: req.method ?? "GET",
    path: req.url ?? "/",
    headers: requestHeaders(req.headers, { ...it, host: it.upstream.host }),
  });
  let answered = false;
  const refuse = (reply: Parameters<typeof sendMenderReply>[1]) => {
    if (answered || res.closed) return;
    answered = true;
    sendMenderReply(res, reply, it.requestId);
  };
  res.once("close", () => sent.destroy());
  sent.setTimeout(IDLE_MS, () => {
    refuse(REPLIES.upstreamTooLate);
    sent.destroy();
  });
  sent.on("response", (reply) => {
    if (answered) return;
    answered = true;
    res.writeHead(reply.statusCode ?? 502, replyHeaders(reply));
    pipeline(reply, res, (err) => {
      if (err && err.code !== "ERR_STREAM_PREMATURE_CLOSE") it.log.debug({ err }, "a reply broke off");
    });
  });
  sent.on("error", (err) => {
    if (answered || res.closed) return;
    it.log.warn({ err }, "the Mender server did not answer");
    refuse(REPLIES.noUpstream);
  });
  if (!hasBody) {
    sent.end();
    return;
  }
  let received = 0;
  req.on("data", (chunk: Buffer) => {
    received += chunk.length;
    if (received <= BODY_MAX_BYTES) return;
    req.unpipe(sent);
    refuse(REPLIES.tooLarge);
    sent.destroy();
  });
  req.once("error", () => sent.destroy());
  req.pipe(sent);
}
