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
  readonly traffic: Traffic;
  /** Headers that say to the back end who asks; ours alone. */
  readonly identity: Readonly<Record<string, string>>;
  readonly requestId: string;
  readonly log: Log;
  /** The client waits for `100 Continue` before it sends its body. */
  readonly expectsContinue: boolean;
};

/** What one kind of client may say to a back end, and hear from it. Everything else is dropped: identity, cookies and forwarding headers are ours to say. */
export type Traffic = {
  readonly requestHeaders: readonly string[];
  readonly replyHeaders: readonly string[];
  /** How long neither side may be silent towards the back end. */
  readonly idleMs: number;
  /** Whether a back end may send the client elsewhere: to a pre-signed address of its object storage. */
  readonly mayRedirect: boolean;
};

/** The client gives an API call 60 s as a whole and a download 60 s without progress. */
export const DEVICE_TRAFFIC: Traffic = {
  requestHeaders: ["accept", "content-type", "range", "if-range", "user-agent"],
  replyHeaders: [
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
  ],
  idleMs: 60_000,
  mayRedirect: false,
};

/** Build tools send compressed bodies and conditions of their own, and wait long while a large upload is checked. */
export const TOOLS_TRAFFIC: Traffic = {
  requestHeaders: [
    ...DEVICE_TRAFFIC.requestHeaders,
    "content-encoding",
    "content-md5",
    "x-ats-accept-redirect",
    "x-ats-ostree-force",
    "x-ats-role-checksum",
    "x-trx-superblock-hash",
  ],
  replyHeaders: [...DEVICE_TRAFFIC.replyHeaders, "location", "x-ats-delegation-last-fetched-at"],
  idleMs: 300_000,
  mayRedirect: true,
};

/**
 * Passes an admitted request on, streaming both ways with back-pressure.
 *
 * A back end's redirect (unless the traffic allows it), its refusal of our token (401, 403) and an encoded body never reach a
 * client: a device would follow the first, take the second for a verdict on itself, and parse the third as rubbish. They become 502.
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
  const { breaker, request } = it.upstreams[it.destination.upstream];
  if (breaker?.state() === "open") {
    refuse(res, it, NO_UPSTREAM);
    return;
  }
  const sent = request({
    method,
    path: it.destination.path,
    headers: requestHeaders(req.headers, it),
  });
  const exchange: Exchange = { answered: false };
  const onGone = () => sent.destroy();
  res.once("close", onGone);
  sent.setTimeout(it.traffic.idleMs, () => sent.destroy(new UpstreamTimeout()));
  sent.on("response", (reply) => {
    breaker?.record(true);
    if (exchange.answered) return;
    exchange.answered = true;
    relay(reply, res, it);
  });
  sent.on("error", (err) => {
    if (exchange.answered || res.closed) return;
    res.off("close", onGone);
    if (SAFE.has(method) && !it.hasBody && !it.isRetry && sent.reusedSocket) {
      // The back end closed a kept-open connection while we took it. It may have heard us, so only reading is repeated.
      send(req, res, { ...it, isRetry: true });
      return;
    }
    // A long silence may be a long piece of work.
    if (!(err instanceof UpstreamTimeout)) breaker?.record(false);
    it.log.warn({ err, upstream: it.destination.upstream }, "a back end did not answer");
    refuse(res, it, err instanceof UpstreamTimeout ? UPSTREAM_TOO_LATE : NO_UPSTREAM);
  });
  if (it.hasBody) sendBody(req, sent, { ...it, res, exchange });
  else sent.end();
}

const SAFE: ReadonlySet<string> = new Set(["GET", "HEAD"]);

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
    ...it.identity,
    "x-request-id": it.requestId,
    "accept-encoding": "identity",
  };
  for (const name of it.traffic.requestHeaders) {
    const value = given[name];
    if (typeof value === "string") headers[name] = value;
  }
  if (it.hasBody && it.declared !== null) headers["content-length"] = it.declared;
  return headers;
}

function relay(reply: IncomingMessage, res: ServerResponse, it: Sending): void {
  const status = reply.statusCode ?? 502;
  if (!isPassable(status, reply.headers, it.traffic)) {
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
  for (const name of it.traffic.replyHeaders) {
    const value = reply.headers[name];
    if (typeof value === "string") headers[name] = value;
  }
  res.writeHead(status, headers);
  pipeline(reply, res, (err) => {
    if (err && err.code !== "ERR_STREAM_PREMATURE_CLOSE") it.log.debug({ err }, "a reply broke off");
  });
}

function isPassable(status: number, headers: IncomingHttpHeaders, { mayRedirect }: Traffic): boolean {
  const encoding = headers["content-encoding"];
  if (encoding !== undefined && encoding !== "identity") return false;
  if (status >= 300 && status < 400) return mayRedirect && REDIRECTS.has(status) && isElsewhere(headers.location);
  return status >= 200 && status !== 401 && status !== 403 && status !== 407;
}

const REDIRECTS: ReadonlySet<number> = new Set([302, 303, 307]);

/** A relative address would lead to a path of the back end, which is none of the door's. */
function isElsewhere(location: string | undefined): boolean {
  return location !== undefined && /^https?:\/\//.test(location);
}

/** A 416 says how long the target is. */
function rangeHeader(headers: IncomingHttpHeaders): Record<string, string> {
  const range = headers["content-range"];
  return range === undefined ? {} : { "content-range": range };
}

function refuse(res: ServerResponse, it: Forwarding, reply: DoorReply): void {
  sendReply(res, reply, it.destination.isDownload);
}
