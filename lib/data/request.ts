import { readSessionCookie } from "#lib/auth/session-cookie.ts";
import type { Actor } from "#lib/authz/actor.ts";
import type { BackendCtx } from "#lib/backends/backends.ts";
import { ADDRESS_HEADER, REQUEST_ID_HEADER } from "#lib/http/request-headers.ts";
import { findSessionActor, getTokenActor } from "#services/accounts/service.ts";
import { type Console, requestCtx } from "./context.ts";

const BEARER = /^Bearer +(\S+)$/i;

/** What our own server wrote about the request. */
export function readRequestFacts(headers: Headers): { requestId: string; address: string } {
  return {
    requestId: headers.get(REQUEST_ID_HEADER) ?? crypto.randomUUID(),
    address: headers.get(ADDRESS_HEADER) ?? "unknown",
  };
}

export function ctxOfRequest(it: Console, headers: Headers): BackendCtx {
  return requestCtx(it, readRequestFacts(headers).requestId);
}

/**
 * Who asks: the bearer token when there is an Authorization header, else the session. A token that does not count is refused
 * rather than passed over in favour of a cookie.
 *
 * @returns null for nobody
 * @throws AppError `auth.token_invalid`
 */
export async function findActor(it: Console, ctx: BackendCtx, headers: Headers): Promise<Actor | null> {
  const { address } = readRequestFacts(headers);
  const authorization = headers.get("authorization");
  if (authorization !== null) return getTokenActor(ctx, BEARER.exec(authorization)?.[1] ?? "", address);
  const ref = await readSessionCookie(headers.get("cookie"), it.cookies, it.authSecret);
  return ref === null ? null : findSessionActor(ctx, ref, address);
}
