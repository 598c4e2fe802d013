import type { ServerResponse } from "node:http";

/** What the door says by itself. `code` also goes into a header, since a download's reply has no body. */
export type DoorReply = {
  readonly status: number;
  readonly code: string;
  readonly sentence: string;
  /** The connection ends with this reply. */
  readonly close?: boolean;
  readonly allow?: readonly string[];
};

/** @param empty for target downloads, whose client writes the body into its file */
export function sendReply(res: ServerResponse, reply: DoorReply, empty: boolean): void {
  if (res.headersSent) {
    res.destroy();
    return;
  }
  const body = empty ? Buffer.alloc(0) : Buffer.from(JSON.stringify({ code: reply.code, description: reply.sentence }));
  res.writeHead(reply.status, {
    ...(empty ? {} : { "content-type": "application/json" }),
    "content-length": body.length,
    "x-gatehouse-code": reply.code,
    ...(reply.allow === undefined || reply.allow.length === 0 ? {} : { allow: reply.allow.join(", ") }),
    ...(reply.close === true ? { connection: "close" } : {}),
  });
  res.end(body);
}

export const UNAVAILABLE: DoorReply = {
  status: 503,
  code: "unavailable",
  sentence: "Who may come in can't be decided right now. Try again later.",
  close: true,
};

export const NO_UPSTREAM: DoorReply = {
  status: 503,
  code: "back_end_unreachable",
  sentence: "The service behind this address does not answer. Try again later.",
};

export const UPSTREAM_TOO_LATE: DoorReply = {
  status: 504,
  code: "back_end_timeout",
  sentence: "The service behind this address took too long. Try again later.",
};

export const UPSTREAM_MAKES_NO_SENSE: DoorReply = {
  status: 502,
  code: "back_end_invalid_reply",
  sentence: "The service behind this address gave an answer that can't be passed on.",
};

export const TOO_LARGE: DoorReply = {
  status: 413,
  code: "payload_too_large",
  sentence: "The body is larger than this address takes.",
  close: true,
};

const NOWHERE = {
  400: { code: "malformed_path", sentence: "This is not a path that is used here." },
  404: { code: "not_found", sentence: "There is nothing at this path." },
  405: { code: "method_not_allowed", sentence: "This path does not take this method." },
} as const;

export function nowhere(status: 400 | 404 | 405, allow: readonly string[]): DoorReply {
  return { status, ...NOWHERE[status], allow, close: status === 400 };
}
