import http from "node:http";
import https from "node:https";
import type { Readable } from "node:stream";
import { AppError, isAppError } from "#lib/errors/app-error.ts";
import type { BackendCall } from "./http.ts";
import type { BackendLinks } from "./links.ts";
import type { ProxiedService } from "./proxy-table.ts";

const CONNECT_MS = 2_000;
/** To the first byte of the answer, and between any two after it. */
const SILENCE_MS = 30_000;

export type RelayRequest = {
  service: ProxiedService | "treehub";
  method: string;
  /** Encoded path and query, starting at the service's root. */
  path: string;
  /** The few headers of a caller that a contract knows, names in lower case. */
  headers: Readonly<Record<string, string>>;
  /** null for none. */
  body: Readable | null;
};

export type RelayReply = { status: number; headers: Readonly<Record<string, string>>; body: Readable };

export type Relay = {
  /** Sends a request as it is and gives the answer as it comes; redirects are answers. @throws AppError `backend.unreachable` | `backend.timeout` | `backend.unsupported` */
  send(call: BackendCall, request: RelayRequest): Promise<RelayReply>;
  close(): void;
};

/** What of an answer concerns the caller. Cookies and whatever speaks of the connection to the service do not. */
const KEPT =
  /^(?:content-(?:type|length|range|disposition)|accept-ranges|etag|last-modified|location|retry-after|x-ats-.*)$/;

/** @param toPath where a service has what its contract knows under a path */
export function createRelay(
  links: BackendLinks,
  toPath: (call: BackendCall, request: RelayRequest) => Promise<string>,
): Relay {
  const agents = { "http:": new http.Agent({ keepAlive: true }), "https:": new https.Agent({ keepAlive: true }) };
  const start = (call: BackendCall, request: RelayRequest, path: string) => {
    const { baseUrl, token } = links[request.service];
    const base = new URL(baseUrl);
    const secure = base.protocol === "https:";
    return (secure ? https : http).request({
      agent: agents[secure ? "https:" : "http:"],
      method: request.method,
      host: base.hostname.replace(/^\[|\]$/g, ""),
      ...(base.port === "" ? {} : { port: base.port }),
      path: base.pathname.replace(/\/$/, "") + path,
      headers: {
        ...request.headers,
        "accept-encoding": "identity",
        ...(token === null ? {} : { authorization: `Bearer ${token}` }),
        "x-ats-namespace": call.namespaceId,
        "x-request-id": call.requestId,
      },
    });
  };
  return {
    async send(call, request) {
      const { breaker } = links[request.service];
      const path = await toPath(call, request);
      const isFailure = (error: unknown) =>
        !call.signal?.aborted &&
        (isAppError(error, "backend.unreachable") || (request.body === null && isAppError(error, "backend.timeout")));
      return breaker.run(() => exchange(start(call, request, path), call, request), { isFailure });
    },
    close() {
      for (const agent of Object.values(agents)) agent.destroy();
    },
  };
}

function exchange(sent: http.ClientRequest, call: BackendCall, request: RelayRequest): Promise<RelayReply> {
  const { promise, resolve, reject } = Promise.withResolvers<RelayReply>();
  const name = request.service;
  const connecting = setTimeout(() => sent.destroy(unreachable(name, "connect_timeout")), CONNECT_MS);
  const giveUp = () => sent.destroy();
  call.signal?.addEventListener("abort", giveUp, { once: true });
  sent.setTimeout(SILENCE_MS, () =>
    sent.destroy(
      new AppError("backend.timeout", `The ${name} took too long. Whether it did what it was asked is not known.`),
    ),
  );
  sent.once("socket", (socket) => {
    if (socket.connecting) socket.once("connect", () => clearTimeout(connecting));
    else clearTimeout(connecting);
  });
  let broken: AppError | null = null;
  sent.on("error", (error) => {
    clearTimeout(connecting);
    reject(broken ?? (error instanceof AppError ? error : unreachable(name, codeOf(error), error)));
  });
  sent.once("close", () => call.signal?.removeEventListener("abort", giveUp));
  sent.once("response", (res) => {
    const encoding = res.headers["content-encoding"] ?? "identity";
    if (encoding === "identity") resolve({ status: res.statusCode ?? 502, headers: keep(res.headers), body: res });
    else sent.destroy(new AppError("backend.invalid_reply", `The ${name} sent ${encoding}, which nobody asked for.`));
  });
  if (request.body === null) sent.end();
  else {
    request.body.once("error", (error) => {
      broken =
        error instanceof AppError ? error : new AppError("request.invalid", "The body broke off.", { cause: error });
      sent.destroy();
    });
    request.body.pipe(sent);
  }
  return promise;
}

function keep(headers: http.IncomingHttpHeaders): Record<string, string> {
  const kept = Object.entries(headers).flatMap(([name, value]) =>
    KEPT.test(name) && typeof value === "string" ? [[name, value] as const] : [],
  );
  return Object.fromEntries(kept);
}

function unreachable(name: string, reason: string, cause?: unknown): AppError {
  return new AppError("backend.unreachable", `The ${name} does not answer (${reason}).`, {
    cause,
    context: { service: name, reason },
  });
}

function codeOf(error: Error): string {
  return "code" in error ? String(error.code) : error.name;
}
