import { type Readable, Transform } from "node:stream";
import { requirePermission } from "#lib/authz/actor.ts";
import { matchProxy, type ProxyMethod, type ProxyRow } from "#lib/backends/proxy-table.ts";
import { IMAGE_MAX_BYTES } from "#lib/contracts/console/images.ts";
import { getConsole } from "#lib/data/context.ts";
import { ctxOfRequest, findActor } from "#lib/data/request.ts";
import { AppError } from "#lib/errors/app-error.ts";
import { callBackend } from "#services/backend-calls/service.ts";
import { nodeBody, webBody } from "./body.ts";
import { assertOwnOrigin } from "./origin.ts";
import { API_HEADERS } from "./problem-response.ts";
import { REPLY_LENGTH_HEADER } from "./request-headers.ts";

const PREFIX = "/api/proxy/";
const JSON_MAX_BYTES = 4_194_304;
const MULTIPART_EXTRA_BYTES = 65_536;
/** What a contract reads of a caller's headers. Who they are, and for which environment, we say. */
const PASSED =
  /^(?:content-type|content-length|accept|range|if-none-match|if-range|x-trx-[a-z-]+|x-ats-role-checksum)$/;
const METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"] as const;

/**
 * `/api/proxy/{service}/…`: the OTA Connect contract of a back end behind our own sign-in. As with every route: who (401), from
 * which site (403), which address (404, 405), with which permission (403), then the body.
 *
 * @throws AppError, also for a back end that is dead (502) or slow (504)
 */
export async function relayRequest(req: Request): Promise<Response> {
  const console = await getConsole();
  const ctx = ctxOfRequest(console, req.headers);
  const actor = await findActor(console, ctx, req.headers);
  if (actor === null) throw new AppError("auth.required", "Sign in, or send an API token as a bearer token.");
  if (actor.kind === "user") assertOwnOrigin(req, console.config.publicUrl, true);
  const method = METHODS.find((known) => known === req.method);
  const { service, segments, search } = splitAddress(req.url);
  const { row, parameters } = findRow(service, req.method, segments);
  if (method === undefined) throw notFound();
  requirePermission(actor, row.permission);
  const reply = await callBackend({ ...ctx, relay: console.relay, signal: req.signal }, actor, {
    row,
    parameters,
    method,
    path: `/${segments.map(encodeURIComponent).join("/")}`,
    query: search,
    headers: Object.fromEntries([...req.headers].filter(([name]) => PASSED.test(name))),
    body: boundedBody(req, row),
  });
  const empty = method === "HEAD" || reply.status === 204 || reply.status === 304;
  if (empty) reply.body.resume();
  return new Response(empty ? null : webBody(reply.body), {
    status: reply.status,
    headers: replyHeaders(reply.headers, ctx.requestId),
  });
}

/** `no-transform`: bytes that somebody compares with a signature arrive as they were sent. */
function replyHeaders(given: Readonly<Record<string, string>>, requestId: string): Record<string, string> {
  const { "content-length": length, ...headers } = given;
  return {
    ...API_HEADERS,
    ...headers,
    "cache-control": "no-store, no-transform",
    "x-request-id": requestId,
    ...(length === undefined ? {} : { [REPLY_LENGTH_HEADER]: length }),
  };
}

/** @throws AppError `request.method_not_allowed` | `request.not_found` */
function findRow(
  service: string,
  method: string,
  segments: readonly string[],
): { row: ProxyRow; parameters: readonly string[] } {
  const asked: string = method === "HEAD" ? "GET" : method;
  const match = matchProxy(service, asked, segments);
  if (match.kind === "row") return match;
  if (match.kind === "none") throw notFound();
  throw new AppError("request.method_not_allowed", `This address has ${listed(match.allow)}.`);
}

/**
 * The segments behind the service's name, each decoded once. What would mean another path to another reader is nothing:
 * dots, empty segments, a slash, backslash or control character hidden in a segment.
 */
function splitAddress(address: string): { service: string; segments: string[]; search: string } {
  const { pathname, search } = new URL(address);
  const [service = "", ...rest] = pathname.slice(PREFIX.length).split("/");
  const segments = rest.map(decodeSegment);
  if (segments.length === 0 || segments.some(isTricky)) throw notFound();
  return { service, segments, search };
}

function decodeSegment(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return ""; // an empty segment is refused
  }
}

function isTricky(segment: string): boolean {
  if (segment === "" || segment === "." || segment === "..") return true;
  return [...segment].some((character) => character < " " || "/\\\x7f".includes(character));
}

function boundedBody(req: Request, row: ProxyRow): Readable | null {
  if (req.body === null || req.method === "GET" || req.method === "HEAD") return null;
  const maxBytes = row.upload === true ? IMAGE_MAX_BYTES + MULTIPART_EXTRA_BYTES : JSON_MAX_BYTES;
  const tooLarge = () => new AppError("request.too_large", `The body may have at most ${maxBytes} bytes.`);
  if (Number(req.headers.get("content-length") ?? "0") > maxBytes) throw tooLarge();
  let length = 0;
  const bound = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      length += chunk.length;
      if (length > maxBytes) done(tooLarge());
      else done(null, chunk);
    },
  });
  const source = nodeBody(req);
  source.on("error", (error) => bound.destroy(error));
  // Refused or broken: read on, so that the caller who still sends gets to read why.
  bound.on("close", () => source.unpipe(bound).resume());
  bound.on("error", () => undefined);
  return source.pipe(bound);
}

function listed(methods: readonly ProxyMethod[]): string {
  return methods.join(", ");
}

function notFound(): AppError {
  return new AppError("request.not_found", "The proxy has no such address. The API document lists what it relays.");
}
