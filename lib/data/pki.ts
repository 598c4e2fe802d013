import { createHash } from "node:crypto";
import { AppError, isAppError } from "#lib/errors/app-error.ts";
import { readBounded } from "#lib/http/body.ts";
import { OCSP_LIMITS } from "#lib/pki/ocsp-request.ts";
import { getRevokingAuthority } from "#services/authorities/service.ts";
import {
  answerOcsp,
  createOcspMemory,
  getCrl,
  type OcspMemory,
  type PublishedCrl,
} from "#services/revocation/service.ts";
import { type Console, getConsole } from "./context.ts";
import { ctxOfRequest } from "./request.ts";

/** Caches may keep a list for so long: a revocation is in it a few seconds after it was made. */
const LIST_CACHE_SECONDS = 300;
const OCSP_CACHE_SECONDS = 300;
const CERTIFICATE_CACHE_SECONDS = 86_400;

const FILE = /^([0-9a-f-]{36})(\.crt|\.crl|-delta\.crl)$/;
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/**
 * What an authority publishes, for anybody: `<id>.crt`, `<id>.crl` and `<id>-delta.crl`, all DER.
 *
 * @throws AppError `authority.not_found`
 * @see RFC 5280 section 4.2.1.13 and RFC 2585 section 4 (media types)
 */
export async function servePkiFile(req: Request): Promise<Response> {
  const console = await getConsole();
  const ctx = ctxOfRequest(console, req.headers);
  const [, id = "", kind] = FILE.exec(lastPart(req)) ?? [];
  if (!UUID.test(id))
    throw new AppError("authority.not_found", "An authority's certificate and list are called by its id.");
  if (kind === ".crt") {
    const { certificateDer } = await getRevokingAuthority(ctx, id);
    return bytesFor(req, certificateDer, { type: "application/pkix-cert", seconds: CERTIFICATE_CACHE_SECONDS });
  }
  const name = `${id}${kind}`;
  // Lists can be long: those who ask at the same time share one reading.
  const reading = readings.get(name) ?? getCrl(ctx, id, kind === ".crl" ? "full" : "delta");
  readings.set(name, reading);
  const list = await reading.finally(() => readings.delete(name));
  return bytesFor(req, list.der, {
    type: "application/pkix-crl",
    seconds: LIST_CACHE_SECONDS,
    modified: list.thisUpdate,
  });
}

/**
 * Answers OCSP questions: the body of a POST, or what follows `/pki/ocsp/` in base64.
 *
 * @see RFC 6960 appendix A.1, RFC 5019 section 5 and 6 (GET, and what caches are told)
 */
export async function serveOcsp(req: Request): Promise<Response> {
  const console = await getConsole();
  const ctx = ctxOfRequest(console, req.headers);
  const answer = await answerOcsp(ctx, memoryOf(console), await readQuestion(req));
  const { times } = answer;
  // Only a GET can be kept by caches, and only what is signed for more than this one question.
  if (times === null || req.method !== "GET")
    return new Response(copy(answer.der), { headers: head(OCSP, "no-store") });
  const left = Math.floor((times.nextUpdate.getTime() - ctx.clock().getTime()) / 1_000);
  return bytesFor(req, answer.der, {
    type: OCSP,
    seconds: Math.max(0, Math.min(OCSP_CACHE_SECONDS, left)),
    modified: times.thisUpdate,
    expires: times.nextUpdate,
  });
}

const OCSP = "application/ocsp-response";

/** What can't be read is an empty question, to which OCSP has an answer of its own. */
async function readQuestion(req: Request): Promise<Buffer> {
  if (req.method === "GET") {
    const { pathname } = new URL(req.url);
    const text = decodeURIComponent(pathname.slice(pathname.indexOf("/ocsp/") + "/ocsp/".length));
    return /^[A-Za-z0-9+/]+={0,2}$/.test(text) ? Buffer.from(text, "base64") : Buffer.alloc(0);
  }
  try {
    return await readBounded(req, OCSP_LIMITS.requestBytes);
  } catch (error) {
    if (isAppError(error, "request.too_large")) return Buffer.alloc(0);
    throw error;
  }
}

function bytesFor(
  req: Request,
  der: Buffer,
  about: { type: string; seconds: number; modified?: Date; expires?: Date },
): Response {
  const etag = `"${createHash("sha256").update(der).digest("hex").slice(0, 32)}"`;
  const headers = {
    ...head(about.type, `public, no-transform, must-revalidate, max-age=${about.seconds}`),
    etag,
    ...(about.modified === undefined ? {} : { "last-modified": about.modified.toUTCString() }),
    ...(about.expires === undefined ? {} : { expires: about.expires.toUTCString() }),
  };
  const known = req.headers.get("if-none-match")?.split(",") ?? [];
  if (known.some((tag) => tag.trim().replace(/^W\//, "") === etag)) return new Response(null, { status: 304, headers });
  return new Response(copy(der), { headers });
}

function head(type: string, cache: string): Record<string, string> {
  return {
    "content-type": type,
    "cache-control": cache,
    "x-content-type-options": "nosniff",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'; sandbox",
    // Not for pages of this site alone.
    "cross-origin-resource-policy": "cross-origin",
  };
}

function lastPart(req: Request): string {
  return new URL(req.url).pathname.split("/").at(-1) ?? "";
}

function copy(der: Buffer): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(der);
}

const readings = new Map<string, Promise<PublishedCrl>>();
const memories = new WeakMap<object, OcspMemory>();

/** One a process and copy of this module: what it keeps is only signatures. */
function memoryOf(it: Console): OcspMemory {
  const known = memories.get(it.db) ?? createOcspMemory();
  memories.set(it.db, known);
  return known;
}
