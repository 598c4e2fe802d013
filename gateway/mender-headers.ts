import { randomUUID } from "node:crypto";
import type { IncomingHttpHeaders, IncomingMessage, OutgoingHttpHeaders } from "node:http";

const HOP_BY_HOP: ReadonlySet<string> = new Set([
  "connection",
  "expect",
  "host",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);
/** What only a gateway may say to the server. */
const OURS =
  /^(x-forwarded-|x-men-rbac-|x-gatehouse-|x-ats-|x-ssl-|ssl-client|x-client-cert)|^(forwarded|x-real-ip|x-men-requestid|via)$/;

/** The caller's request id, when it gave a harmless one. */
export function requestIdOf(headers: IncomingHttpHeaders): string {
  const given = headers["x-men-requestid"];
  return typeof given === "string" && /^[A-Za-z0-9._:-]{1,128}$/.test(given) ? given : randomUUID();
}

/** A device's headers as the server gets them. @see docs/contracts/mender.md section 6 */
export function requestHeaders(
  given: IncomingHttpHeaders,
  it: { host: string; requestId: string; address: string },
): OutgoingHttpHeaders {
  const named = namedBy(given.connection);
  const headers: OutgoingHttpHeaders = {};
  for (const [name, value] of Object.entries(given)) {
    if (!HOP_BY_HOP.has(name) && !named.has(name) && !OURS.test(name)) headers[name] = value;
  }
  return {
    ...headers,
    host: it.host,
    "x-forwarded-for": it.address,
    "x-forwarded-proto": "https",
    "x-men-requestid": it.requestId,
  };
}

/** The server's headers as the device gets them: in their order, repeated ones too. */
export function replyHeaders(reply: IncomingMessage): string[] {
  const named = namedBy(reply.headers.connection);
  const headers: string[] = [];
  for (let at = 0; at + 1 < reply.rawHeaders.length; at += 2) {
    const [name = "", value = ""] = reply.rawHeaders.slice(at, at + 2);
    const lower = name.toLowerCase();
    if (!HOP_BY_HOP.has(lower) && !named.has(lower)) headers.push(name, value);
  }
  return headers;
}

/** The headers of a reply that was held whole, with its length. */
export function withLength(headers: readonly string[], length: number): string[] {
  const kept: string[] = [];
  for (let at = 0; at + 1 < headers.length; at += 2) {
    const [name = "", value = ""] = headers.slice(at, at + 2);
    if (name.toLowerCase() !== "content-length") kept.push(name, value);
  }
  return [...kept, "Content-Length", String(length)];
}

function namedBy(connection: string | undefined): ReadonlySet<string> {
  return new Set((connection ?? "").split(",").map((name) => name.trim().toLowerCase()));
}
