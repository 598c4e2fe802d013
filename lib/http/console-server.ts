import { randomUUID } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import type { Config } from "#lib/config/load.ts";
import { AppError } from "#lib/errors/app-error.ts";
import type { ErrorCode } from "#lib/errors/codes.ts";
import { createPeerAddress } from "#lib/http/peer-address.ts";
import { toProblem } from "#lib/http/problems.ts";
import { ADDRESS_HEADER, REPLY_LENGTH_HEADER, REQUEST_ID_HEADER } from "#lib/http/request-headers.ts";
import type { Log } from "#lib/log/log.ts";

const MAX_HEADER_BYTES = 16_384;
const MAX_URL_LENGTH = 8_192;
const MAX_CONNECTIONS = 4_096;
const HEADERS_WITHIN_MS = 15_000;
/** A whole upload may take this long; a connection on which nothing moves is cut after the idle time. */
const REQUEST_WITHIN_MS = 3_600_000;
const IDLE_MS = 60_000;

const METHODS: ReadonlySet<string> = new Set(["GET", "HEAD", "POST", "PATCH", "PUT", "DELETE", "OPTIONS"]);

export type ConsoleServerParts = {
  config: Pick<Config, "publicUrl" | "PUBLIC_URL" | "TRUSTED_PROXIES">;
  log: Log;
  /** Next's request handler. */
  handle: (req: IncomingMessage, res: ServerResponse) => Promise<void>;
  /** Only while developing: reload sockets. */
  upgrade?: (req: IncomingMessage, socket: Duplex, head: Buffer) => Promise<void>;
};

/**
 * The HTTP server around Next. What Next and the routes then read of a request is either checked or written here: the peer
 * address, the request id, the public address. A client's own words about these are dropped first.
 */
export function createConsoleServer(parts: ConsoleServerParts): Server {
  const prepare = createPrepare(parts.config);
  const server = createServer({ maxHeaderSize: MAX_HEADER_BYTES, requireHostHeader: true }, (req, res) => {
    const elsewhere = homeOf(req, parts.config);
    const requestId = prepare(req);
    setSafeHeaders(res, requestId, parts.config.publicUrl);
    keepLength(res);
    logWhenDone(parts.log, req, res, requestId);
    const refusal = refuse(req);
    if (refusal !== null) return answer(res, refusal, requestId);
    if (elsewhere !== null) return void res.writeHead(307, { location: elsewhere }).end();
    parts.handle(req, res).catch((err: unknown) => {
      parts.log.error({ err, requestId }, "a request failed outside every handler");
      if (res.headersSent) res.destroy();
      else answer(res, "internal.error", requestId);
    });
  });
  server.maxConnections = MAX_CONNECTIONS;
  server.headersTimeout = HEADERS_WITHIN_MS;
  server.requestTimeout = REQUEST_WITHIN_MS;
  server.timeout = IDLE_MS;
  server.on("upgrade", (req, socket, head) => {
    prepare(req);
    if (parts.upgrade === undefined) socket.end("HTTP/1.1 426 Upgrade Required\r\nConnection: close\r\n\r\n");
    else parts.upgrade(req, socket, head).catch(() => socket.destroy());
  });
  return server;
}

/** Names that only we may set, or that would make Next believe it had already routed the request. */
const OURS =
  /^(?:x-forwarded-|x-gatehouse-|x-middleware-|x-invoke-|x-now-|x-vercel-|x-ats-|x-real-ip$|forwarded$|x-request-id$|x-matched-path$|x-nextjs-data$|x-prerender-)/;

function createPrepare(config: ConsoleServerParts["config"]): (req: IncomingMessage) => string {
  const peerAddress = createPeerAddress(config.TRUSTED_PROXIES);
  const home = new URL(config.publicUrl);
  return (req) => {
    const forwardedFor = req.headers["x-forwarded-for"];
    const address = peerAddress(
      req.socket.remoteAddress,
      Array.isArray(forwardedFor) ? forwardedFor.join(",") : forwardedFor,
    );
    for (const name of Object.keys(req.headers)) if (OURS.test(name)) delete req.headers[name];
    const requestId = randomUUID();
    req.headers[ADDRESS_HEADER] = address;
    req.headers[REQUEST_ID_HEADER] = requestId;
    req.headers.host = home.host;
    req.headers["x-forwarded-for"] = address;
    req.headers["x-forwarded-host"] = home.host;
    req.headers["x-forwarded-proto"] = home.protocol.slice(0, -1);
    req.headers["x-forwarded-port"] = home.port || (home.protocol === "https:" ? "443" : "80");
    return requestId;
  };
}

function setSafeHeaders(res: ServerResponse, requestId: string, publicUrl: string): void {
  res.setHeader("x-request-id", requestId);
  res.setHeader("x-content-type-options", "nosniff");
  res.setHeader("x-frame-options", "DENY");
  res.setHeader("referrer-policy", "no-referrer");
  res.setHeader("cross-origin-opener-policy", "same-origin");
  res.setHeader("cross-origin-resource-policy", "same-origin");
  res.setHeader("permissions-policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()");
  if (publicUrl.startsWith("https:")) res.setHeader("strict-transport-security", "max-age=31536000");
}

/** A relayed download says how long it is, so that its reader knows when it broke off. Compressed, it is of another length. */
function keepLength(res: ServerResponse): void {
  const writeHead = res.writeHead;
  res.writeHead = (...args: unknown[]) => {
    const length = res.getHeader(REPLY_LENGTH_HEADER);
    res.removeHeader(REPLY_LENGTH_HEADER);
    if (length !== undefined && !res.hasHeader("content-encoding")) res.setHeader("content-length", length);
    return Reflect.apply(writeHead, res, args);
  };
}

/** Addresses that two parsers could read differently are nobody's honest request. */
function refuse(req: IncomingMessage): ErrorCode | null {
  if (!METHODS.has(req.method ?? "")) return "request.method_not_allowed";
  const url = req.url ?? "";
  if (url.length > MAX_URL_LENGTH || !url.startsWith("/")) return "request.invalid";
  const [path = ""] = url.split("?", 1);
  if (path.includes("\\") || path.includes("//")) return "request.invalid";
  let decoded: string;
  try {
    decoded = decodeURIComponent(path);
  } catch {
    return "request.invalid";
  }
  const tricky = [...decoded].some((character) => character < " " || character === "\x7f" || character === "\\");
  if (tricky || decoded.split("/").some((part) => part === "." || part === "..")) {
    return "request.invalid";
  }
  return null;
}

/**
 * Where a person belongs who typed another name of this machine while PUBLIC_URL is only the default: cookies and the
 * origin check know one name. Never behind a proxy, whose requests carry any Host.
 */
function homeOf(req: IncomingMessage, config: ConsoleServerParts["config"]): string | null {
  if (config.PUBLIC_URL !== undefined || req.headers["sec-fetch-mode"] !== "navigate" || req.method !== "GET")
    return null;
  const home = new URL(config.publicUrl);
  const aliases = ["127.0.0.1", "[::1]"].map((name) => `${name}:${home.port}`);
  return aliases.includes(req.headers.host ?? "") ? `${home.origin}${req.url ?? "/"}` : null;
}

function answer(res: ServerResponse, code: ErrorCode, requestId: string): void {
  const { status, body } = toProblem(
    new AppError(code, "The address or method is not one that a client sends."),
    requestId,
  );
  const text = JSON.stringify(body);
  res.writeHead(status, {
    "content-type": "application/problem+json",
    "content-length": Buffer.byteLength(text),
    "cache-control": "no-store",
    connection: "close",
  });
  res.end(text);
}

function logWhenDone(log: Log, req: IncomingMessage, res: ServerResponse, requestId: string): void {
  const startedAt = performance.now();
  const { method } = req;
  const [path] = (req.url ?? "").split("?", 1);
  res.on("close", () => {
    const level = path?.startsWith("/api/") && method !== "GET" && method !== "HEAD" ? "info" : "debug";
    const milliseconds = Math.round(performance.now() - startedAt);
    log[level](
      { requestId, method, path, status: res.statusCode, milliseconds, complete: res.writableFinished },
      "request",
    );
  });
}
