import type { ClientRequest, IncomingHttpHeaders, IncomingMessage, ServerResponse } from "node:http";
import { pipeline } from "node:stream";
import type { Log } from "#lib/log/log.ts";
import type { Destination } from "./path-map.ts";
import {
  type DoorReply,
  NO_UPSTREAM,
  sendReply,
  TOO_LARGE,
  UPSTREAM_MAKES_NO_SENSE,
  UPSTREAM_TOO_LATE,
} from "./replies.ts";
import type { Upstreams } from "./upstreams.ts";

export type Forwarding = {
  readonly upstreams: Upstreams;
  readonly destination: Destination;
  readonly deviceUuid: string;
  readonly namespaceId: string;
  readonly requestId: string;
  readonly log: Log;
  /** The client waits for `100 Continue` before it sends its body. */
  readonly expectsContinue: boolean;
};

/** Nothing else of what a device sends reaches a back end: identity, cookies and forwarding headers are ours to say. */
const REQUEST_HEADERS = ["accept", "content-type", "range", "if-range", "user-agent"] as const;
/** Nothing else of what a back end says reaches a device. */
const REPLY_HEADERS = [
  "accept-ranges",
  "cache-control",
  "content-disposition",
  "content-length",
  "content-range",
  "content-type",
  "etag",
  "last-modified",
  "x-ats-role-checksum",
  "x-ats-tuf-repo-id",
  "x-ats-version",
] as const;
/** The client gives an API call 60 s as a whole and a download 60 s without progress. */
const UPSTREAM_IDLE_MS = 60_000;

/**
 * Passes an admitted request on, streaming both ways with back-pressure.
 *
 * A back end's redirect, its refusal of our token (401, 403) and an encoded body never reach a device: it would follow the
 * first, take the second for a verdict on itself, and parse the third as rubbish. They become 502.
 *
 * @see contracts/aktualizr-client.md section 1 and 6
 */
export function forward(req: IncomingMessage, res: ServerResponse, it: Forwarding): void {
  const length = req.headers["content-length"];
  const declared = length === undefined ? null : Number(length);
  const hasBody = req.headers["transfer-encoding"] !== undefined || (declared !== null && declared > 0);
  const isTooLarge = declared !== null && declared > it.destination.maxBodyBytes;
  if (isTooLarge || (hasBody && it.destination.maxBodyBytes === 0)) {
    refuse(res, it, TOO_LARGE);
    return;
  }
  if (it.expectsContinue) res.writeContinue();
  send(req, res, { ...it, hasBody, declared, isRetry: false });
}

type Sending = Forwarding & { hasBody: boolean; declared: number | null; isRetry: boolean };
/** Set once the device has its answer, or the beginning of it. */
type Exchange = { answered: boolean };

function send(req: IncomingMessage, res: ServerResponse, it: Sending): void {
  const method = req.method ?? "GET";
  const sent = it.upstreams[it.destination.upstream].request({
    method,
    path: it.destination.path,
    headers: requestHeaders(req.headers, it),
  });
  const exchange: Exchange = { answered: false };
  const onGone = () => sent.destroy();
  res.once("close", onGone);
  sent.setTimeout(UPSTREAM_IDLE_MS, () => sent.destroy(new UpstreamTimeout()));
  sent.on("response", (reply) => {
    if (exchange.answered) return;
    exchange.answered = true;
    relay(reply, res, it);
  });
  sent.on("error", (err) => {
    if (exchange.answered || res.closed) return;
    res.off("close", onGone);
    if (!it.hasBody && !it.isRetry && sent.reusedSocket) {
      // The back end closed a kept-open connection while we took it: nothing was asked yet.
      send(req, res, { ...it, isRetry: true });
      return;
    }
    it.log.warn({ err, upstream: it.destination.upstream }, "a back end did not answer");
    refuse(res, it, err instanceof UpstreamTimeout ? UPSTREAM_TOO_LATE : NO_UPSTREAM);
  });
  if (it.hasBody) sendBody(req, sent, { ...it, res, exchange });
  else sent.end();
}

class UpstreamTimeout extends Error {
  override readonly name = "UpstreamTimeout";
}

function sendBody(
  req: IncomingMessage,
  sent: ClientRequest,
  it: Sending & { res: ServerResponse; exchange: Exchange },
): void {
  let received = 0;
  req.on("data", (chunk: Buffer) => {
    received += chunk.length;
    if (received <= it.destination.maxBodyBytes || it.exchange.answered) return;
    it.exchange.answered = true;
    req.unpipe(sent);
    sent.destroy();
    refuse(it.res, it, TOO_LARGE);
  });
  req.once("error", () => sent.destroy());
  req.pipe(sent);
}

function requestHeaders(given: IncomingHttpHeaders, it: Sending): Record<string, string | number> {
  const headers: Record<string, string | number> = {
    "x-ats-namespace": it.namespaceId,
    "x-ats-device-uuid": it.deviceUuid,
    "x-request-id": it.requestId,
    "accept-encoding": "identity",
  };
  for (const name of REQUEST_HEADERS) {
    const value = given[name];
    if (typeof value === "string") headers[name] = value;
  }
  if (it.hasBody && it.declared !== null) headers["content-length"] = it.declared;
  return headers;
}

function relay(reply: IncomingMessage, res: ServerResponse, it: Sending): void {
  const status = reply.statusCode ?? 502;
  if (!isPassable(status, reply.headers)) {
    reply.resume();
    it.log.warn({ status, upstream: it.destination.upstream }, "a back end's reply can't be passed on");
    refuse(res, it, UPSTREAM_MAKES_NO_SENSE);
    return;
  }
  if (it.destination.isDownload && status >= 400) {
    reply.resume();
    res.writeHead(status, { "content-length": 0, ...rangeHeader(reply.headers) });
    res.end();
    return;
  }
  const headers: Record<string, string> = {};
  for (const name of REPLY_HEADERS) {
    const value = reply.headers[name];
    if (typeof value === "string") headers[name] = value;
  }
  res.writeHead(status, headers);
  pipeline(reply, res, (err) => {
    if (err && err.code !== "ERR_STREAM_PREMATURE_CLOSE") it.log.debug({ err }, "a reply broke off");
  });
}

function isPassable(status: number, headers: IncomingHttpHeaders): boolean {
  const encoding = headers["content-encoding"];
  if (encoding !== undefined && encoding !== "identity") return false;
  return status >= 200 && !(status >= 300 && status < 400) && status !== 401 && status !== 403 && status !== 407;
}

/** A 416 says how long the target is. */
function rangeHeader(headers: IncomingHttpHeaders): Record<string, string> {
  const range = headers["content-range"];
  return range === undefined ? {} : { "content-range": range };
}

function refuse(res: ServerResponse, it: Forwarding, reply: DoorReply): void {
  sendReply(res, reply, it.destination.isDownload);
}
