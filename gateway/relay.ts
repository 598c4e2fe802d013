import type { IncomingHttpHeaders, ServerResponse } from "node:http";
import type { Dispatcher } from "undici";
import type { Forwarding, Traffic } from "./forward.ts";
import { sendReply, UPSTREAM_MAKES_NO_SENSE } from "./replies.ts";

/** A back end's reply on its way to the client. What may not pass is answered by the door itself, and the rest of it left unread. */
export type Relay = {
  start(from: Dispatcher.DispatchController, status: number, headers: IncomingHttpHeaders): void;
  data(from: Dispatcher.DispatchController, chunk: Buffer): void;
  end(): void;
  /** The client sees a reply cut short, not one that looks whole. */
  breakOff(err: Error): void;
};

/** Streams with back-pressure. */
export function createRelay(res: ServerResponse, it: Forwarding): Relay {
  let isPassed = false;
  let left = Number.NaN;
  return {
    start(from, status, headers) {
      if (res.headersSent) return; // a body that was too large has been refused
      if (!isPassable(status, headers, it.traffic)) {
        it.log.warn(
          { ...traces(it), status, upstream: it.destination.upstream },
          "a back end's reply can't be passed on",
        );
        sendReply(res, UPSTREAM_MAKES_NO_SENSE, it.destination.isDownload);
        return;
      }
      if (it.destination.isDownload && status >= 400) {
        res.writeHead(status, { "content-length": 0, ...rangeHeader(headers) }).end();
        return;
      }
      isPassed = true;
      left = Number(headers["content-length"]);
      res.on("drain", () => from.resume());
      res.writeHead(status, replyHeaders(headers, it.traffic));
    },
    data(from, chunk) {
      if (!isPassed) return;
      left -= chunk.length;
      // What completes the reply leaves together with its end: a small one in a single write.
      if (left === 0) res.end(chunk);
      else if (!res.write(chunk)) from.pause();
    },
    end() {
      if (isPassed && !res.writableEnded) res.end();
    },
    breakOff(err) {
      if (!isPassed || res.writableEnded) return;
      it.log.debug({ ...traces(it), err }, "a reply broke off");
      res.destroy();
    },
  };
}

/** A log of its own for each request would cost more than most requests have to say. */
export function traces({ requestId, client }: Pick<Forwarding, "requestId" | "client">): Record<string, string> {
  return { requestId, ...client };
}

function replyHeaders(given: IncomingHttpHeaders, { replyHeaders: names }: Traffic): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const name of names) {
    const value = given[name];
    if (typeof value === "string") headers[name] = value;
  }
  return headers;
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
