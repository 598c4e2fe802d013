import { randomUUID } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";

/** One request at the double, with its body read. */
export type Exchange = {
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly body: Buffer;
};

/** So that an answer can end a handler. */
export type Answered = "answered";

export function fail({ req, res }: Exchange, status: number, error: string): Answered {
  const requestId = req.headers["x-men-requestid"] ?? randomUUID();
  res.setHeader("x-men-requestid", requestId);
  res.writeHead(status, { "content-type": "application/json; charset=utf-8" });
  res.end(JSON.stringify({ error, request_id: requestId }));
  return "answered";
}

export function json(
  { res }: Exchange,
  status: number,
  value: unknown,
  headers: Record<string, string | string[]> = {},
): Answered {
  res.writeHead(status, { "content-type": "application/json", ...headers });
  res.end(JSON.stringify(value));
  return "answered";
}

export function empty({ res }: Exchange, status: number, headers: Record<string, string> = {}): Answered {
  res.writeHead(status, headers);
  res.end();
  return "answered";
}

export function bearer({ req }: Exchange): string {
  return /^Bearer (\S+)$/.exec(req.headers.authorization ?? "")?.[1] ?? "";
}

/** The body as an object; null when it was refused: 413, 415 or 400. */
export function readJson(exchange: Exchange): Record<string, unknown> | null {
  const { req, body } = exchange;
  if (body.length > 1_048_576) {
    fail(exchange, 413, "request body too large");
    return null;
  }
  if (body.length > 0 && !/^application\/json\b/.test(req.headers["content-type"] ?? "")) {
    fail(exchange, 415, "unsupported media type");
    return null;
  }
  try {
    const value: unknown = JSON.parse(body.toString("utf8"));
    if (isObject(value)) return value;
  } catch {
    // said below, with what is no object
  }
  fail(exchange, 400, "failed to decode request body");
  return null;
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
