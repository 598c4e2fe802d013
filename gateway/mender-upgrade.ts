import type { IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { TLSSocket } from "node:tls";
import type { Log } from "#lib/log/log.ts";
import { replyHeaders, requestHeaders } from "./mender-headers.ts";
import type { MenderReply } from "./mender-replies.ts";
import type { MenderUpstream } from "./mender-upstream.ts";

/** The server pings well within it. */
const IDLE_MS = 600_000;
const HANDSHAKE_MS = 30_000;
/** What is still to be flushed once an end has said its last; a half-closed connection says nothing more. */
const HALF_CLOSED_MS = 5_000;

export type Upgrade = { readonly req: IncomingMessage; readonly socket: TLSSocket; readonly head: Buffer };

/**
 * Joins a device's WebSocket (deviceconnect) with the server's: after the handshake bytes pass both ways untouched, and no faster than the
 * slower end takes them. Either end takes the other with it, so that a revocation, which cuts the device's connection, ends the session at
 * the server at once; an end that closes by itself has its last bytes delivered.
 */
export function joinUpgrade(
  { req, socket, head }: Upgrade,
  it: { upstream: MenderUpstream; requestId: string; address: string; log: Log },
): void {
  const headers = requestHeaders(req.headers, { ...it, host: it.upstream.host });
  const sent = it.upstream.request({
    method: "GET",
    path: req.url ?? "/",
    headers: { ...headers, connection: "Upgrade", upgrade: "websocket" },
    isUpgrade: true,
  });
  socket.once("close", () => sent.destroy());
  sent.setTimeout(HANDSHAKE_MS, () => sent.destroy(new Error("no answer in time")));
  sent.once("error", (err) => {
    it.log.warn({ err }, "a WebSocket could not be opened at the Mender server");
    refuseUpgrade(socket, { status: 502, code: "back_end_unreachable", error: "the Mender server does not answer" });
  });
  sent.once("response", (reply) => {
    // No upgrade: its answer is the device's.
    socket.write(statusLine(reply) + lines([...replyHeaders(reply), "Connection", "close"]));
    reply.pipe(socket);
    reply.once("close", () => destroySoon(socket));
  });
  sent.once("upgrade", (reply: IncomingMessage, upstream: Socket, first: Buffer) => {
    sent.setTimeout(0);
    socket.write(statusLine(reply) + lines([...replyHeaders(reply), "Connection", "Upgrade", "Upgrade", "websocket"]));
    join(socket, upstream);
    if (first.length > 0) socket.write(first);
    if (head.length > 0) upstream.write(head);
  });
  sent.end();
}

/** Says no on a bare socket, and ends it. */
export function refuseUpgrade(socket: Duplex, { status, code, error }: MenderReply): void {
  if (socket.destroyed) return;
  const body = JSON.stringify({ error });
  const headers = ["Content-Type", "application/json", "Content-Length", String(Buffer.byteLength(body))];
  socket.end(
    `HTTP/1.1 ${status} Refused\r\n${lines([...headers, "X-Gatehouse-Code", code, "Connection", "close"])}${body}`,
  );
  destroySoon(socket);
}

function join(socket: TLSSocket, upstream: Socket): void {
  for (const [one, other] of [
    [socket, upstream],
    [upstream, socket],
  ] as const) {
    one.setTimeout(IDLE_MS, () => one.destroy());
    one.on("error", () => other.destroy());
    one.once("end", () => destroySoon(other));
    one.pipe(other);
  }
  socket.once("close", () => upstream.destroy());
  upstream.once("close", () => {
    if (upstream.readableEnded) destroySoon(socket);
    else socket.destroy();
  });
}

/** Whatever the other end does. */
function destroySoon(socket: Duplex): void {
  if (socket.destroyed) return;
  const timer = setTimeout(() => socket.destroy(), HALF_CLOSED_MS);
  socket.once("close", () => clearTimeout(timer));
}

function statusLine({ statusCode, statusMessage }: IncomingMessage): string {
  return `HTTP/1.1 ${statusCode} ${statusMessage ?? ""}\r\n`;
}

function lines(headers: readonly string[]): string {
  let text = "";
  for (let at = 0; at + 1 < headers.length; at += 2) text += `${headers[at]}: ${headers[at + 1]}\r\n`;
  return `${text}\r\n`;
}
