import type { IncomingMessage, ServerResponse } from "node:http";
import { pipeline } from "node:stream";
import type { Log } from "#lib/log/log.ts";
import { replyHeaders, requestHeaders, withLength } from "./mender-headers.ts";
import { asksForDeployment, throughDoor } from "./mender-links.ts";
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
/** More than any deployment is; a larger answer passes as it is. */
const DEPLOYMENT_MAX_BYTES = 262_144;

/**
 * Passes an admitted call on and its answer back, one to one: bytes, encodings, ranges and statuses as they are, streaming both
 * ways, but for a deployment's link into the server itself. A 401 and a 403 of the server mean different things to the client, and are
 * passed through untouched.
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
  const headers = requestHeaders(req.headers, { ...it, host: it.upstream.host });
  const isDeployment = asksForDeployment(req);
  if (isDeployment) delete headers["accept-encoding"]; // its link could not be read
  const sent = it.upstream.request({ method: req.method ?? "GET", path: req.url ?? "/", headers });
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
    if (isDeployment && isReadable(reply)) {
      void sendDeployment(reply, res, { serverHost: it.upstream.host, doorHost: req.headers.host ?? "", log: it.log });
      return;
    }
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

function isReadable({ statusCode, headers }: IncomingMessage): boolean {
  const length = Number(headers["content-length"] ?? Number.NaN);
  return statusCode === 200 && headers["content-encoding"] === undefined && !(length > DEPLOYMENT_MAX_BYTES);
}

async function sendDeployment(
  reply: IncomingMessage,
  res: ServerResponse,
  it: { serverHost: string; doorHost: string; log: Log },
): Promise<void> {
  try {
    const chunks: Buffer[] = [];
    let length = 0;
    for await (const chunk of reply) {
      length += chunk.length;
      if (length > DEPLOYMENT_MAX_BYTES) throw new Error("a deployment of this size is none");
      chunks.push(chunk);
    }
    const body = throughDoor(Buffer.concat(chunks), it);
    res.writeHead(200, withLength(replyHeaders(reply), body.length));
    res.end(body);
  } catch (err) {
    it.log.debug({ err }, "a reply broke off");
    res.destroy();
  }
}
