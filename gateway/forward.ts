import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from "node:http";
import { type Readable, Transform } from "node:stream";
import { type Dispatcher, errors } from "undici";
import type { Log } from "#lib/log/log.ts";
import type { Destination } from "./path-map.ts";
import { createRelay, traces } from "./relay.ts";
import { type DoorReply, NO_UPSTREAM, sendReply, TOO_LARGE, UPSTREAM_TOO_LATE } from "./replies.ts";
import type { Upstreams } from "./upstreams.ts";

export type Forwarding = {
  readonly upstreams: Upstreams;
  readonly destination: Destination;
  readonly traffic: Traffic;
  /** Headers that say to the back end who asks; ours alone. */
  readonly identity: Readonly<Record<string, string>>;
  readonly requestId: string;
  readonly log: Log;
  /** The client, as the log names it. */
  readonly client: Readonly<Record<string, string>>;
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

function send(req: IncomingMessage, res: ServerResponse, it: Sending): void {
  const { upstream, path, maxBodyBytes } = it.destination;
  const { breaker, dispatch } = it.upstreams[upstream];
  if (breaker?.state() === "open") {
    refuse(res, it, NO_UPSTREAM);
    return;
  }
  const method = req.method ?? "GET";
  const headers = requestHeaders(req.headers, it);
  const body = it.hasBody ? boundedBody(req, maxBodyBytes) : null;
  const relay = createRelay(res, it);
  let sent: Dispatcher.DispatchController | null = null;
  const onGone = () => sent?.abort(new ClientGone());
  res.once("close", onGone);
  dispatch(
    { method, path, headers, body, idleMs: it.traffic.idleMs },
    {
      onRequestStart(controller) {
        sent = controller;
        if (res.closed) onGone();
      },
      onResponseStart(controller, status, replied) {
        if (status < 200) return;
        breaker?.record(true);
        relay.start(controller, status, replied);
      },
      onResponseData: (controller, chunk) => relay.data(controller, chunk),
      onResponseEnd() {
        res.off("close", onGone);
        relay.end();
      },
      onResponseError(_controller, err) {
        if (res.headersSent || res.closed || err instanceof ClientGone) {
          relay.breakOff(err);
          return;
        }
        res.off("close", onGone);
        if (!it.isRetry && !it.hasBody && SAFE.has(method) && isClosedConnection(err)) {
          // The back end closed a kept-open connection while we took it. It may have heard us, so only reading is repeated.
          send(req, res, { ...it, isRetry: true });
          return;
        }
        if (err instanceof BodyTooLarge) {
          refuse(res, it, TOO_LARGE);
          return;
        }
        const isTooLate = err instanceof errors.HeadersTimeoutError;
        // A long silence may be a long piece of work.
        if (!isTooLate) breaker?.record(false);
        it.log.warn({ ...traces(it), err, upstream }, "a back end did not answer");
        refuse(res, it, isTooLate ? UPSTREAM_TOO_LATE : NO_UPSTREAM);
      },
    },
  );
}

const SAFE: ReadonlySet<string> = new Set(["GET", "HEAD"]);
const CLOSED: ReadonlySet<string | undefined> = new Set(["UND_ERR_SOCKET", "ECONNRESET", "EPIPE"]);

function isClosedConnection(err: NodeJS.ErrnoException): boolean {
  return CLOSED.has(err.code);
}

class ClientGone extends Error {
  override readonly name = "ClientGone";
}

class BodyTooLarge extends Error {
  override readonly name = "BodyTooLarge";
}

function boundedBody(req: IncomingMessage, maxBytes: number): Readable {
  let received = 0;
  const body = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      received += chunk.length;
      if (received > maxBytes) done(new BodyTooLarge());
      else done(null, chunk);
    },
  });
  req.once("error", () => body.destroy(new ClientGone()));
  req.pipe(body);
  // What the back end did not want to read is in the way of the client's next request.
  body.once("close", () => req.resume());
  return body;
}

function requestHeaders(given: IncomingHttpHeaders, it: Sending): Record<string, string> {
  const headers: Record<string, string> = {
    ...it.identity,
    "x-request-id": it.requestId,
    "accept-encoding": "identity",
  };
  for (const name of it.traffic.requestHeaders) {
    const value = given[name];
    if (typeof value === "string") headers[name] = value;
  }
  if (it.hasBody && it.declared !== null) headers["content-length"] = `${it.declared}`;
  return headers;
}

function refuse(res: ServerResponse, it: Forwarding, reply: DoorReply): void {
  sendReply(res, reply, it.destination.isDownload);
}
