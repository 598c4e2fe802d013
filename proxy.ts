import { type NextRequest, NextResponse } from "next/server";
import { SESSION_COOKIE_STEM } from "#lib/auth/cookies.ts";
import { contentSecurityPolicy } from "#lib/http/content-security-policy.ts";
import { REQUESTED_PATH_HEADER } from "#lib/http/request-headers.ts";

/** Pages for people who are not signed in. */
const OPEN = new Set(["/sign-in", "/setup"]);

/**
 * Before every page: a fresh nonce, and the signed-out are shown the way in. Only a courtesy: it looks whether there is a
 * cookie at all; the guard is in the pages' readers and the API, which ask the session's row.
 *
 * NOTE: bodies that pass here are cut at 10 MB, so the matcher must never include /api.
 */
export function proxy(req: NextRequest): NextResponse {
  const nonce = Buffer.from(crypto.getRandomValues(new Uint8Array(16))).toString("base64");
  const policy = contentSecurityPolicy(nonce);
  const { pathname } = req.nextUrl;
  if (!OPEN.has(pathname) && !hasSessionCookie(req)) {
    return toSignIn(req, policy);
  }
  const headers = new Headers(req.headers);
  headers.set("content-security-policy", policy);
  headers.set("x-nonce", nonce);
  headers.set(REQUESTED_PATH_HEADER, pathname + req.nextUrl.search);
  const res = NextResponse.next({ request: { headers } });
  res.headers.set("content-security-policy", policy);
  return res;
}

function toSignIn(req: NextRequest, policy: string): NextResponse {
  const { pathname, search } = req.nextUrl;
  const target = req.nextUrl.clone();
  target.pathname = "/sign-in";
  target.search = pathname === "/" ? "" : `?from=${encodeURIComponent(pathname + search)}`;
  return NextResponse.redirect(target, { status: 307, headers: { "content-security-policy": policy } });
}

function hasSessionCookie(req: NextRequest): boolean {
  return req.cookies.getAll().some(({ name }) => name.replace("__Secure-", "").startsWith(SESSION_COOKIE_STEM));
}

export const config = {
  matcher: ["/((?!api/|api$|pki/|_next/static/|favicon.ico|icon.svg).*)"],
};
