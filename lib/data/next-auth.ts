import { NextRequest } from "next/server";
import NextAuth from "next-auth";
import { nextAuthOptions } from "#lib/auth/next-auth-options.ts";
import { AppError } from "#lib/errors/app-error.ts";
import { mediaType, readBounded } from "#lib/http/body.ts";
import { assertOwnOrigin } from "#lib/http/origin.ts";
import { findSessionActor, SESSION_SECONDS, signIn, signOut } from "#services/accounts/service.ts";
import { type Console, getConsole } from "./context.ts";
import { ctxOfRequest, readRequestFacts } from "./request.ts";

/** What next-auth is asked for here; its other pages and providers do not exist. */
const ACTIONS: ReadonlySet<string> = new Set([
  "GET csrf",
  "GET session",
  "GET providers",
  "GET signin",
  "GET signout",
  "GET error",
  "POST callback/credentials",
  "POST signout",
]);
const MAX_BODY_BYTES = 16_384;

/**
 * next-auth's endpoints, with what it leaves open closed first: the action is one of ours, the body is bounded and flat, and
 * a form of another site is refused besides its lack of the CSRF token.
 *
 * @throws AppError `request.not_found` | `request.too_large` | `request.invalid` | `request.unsupported_media_type` | `request.origin_refused`
 */
export async function handleNextAuth(req: Request, params: Promise<{ nextauth: string[] }>): Promise<Response> {
  const { nextauth } = await params;
  if (!ACTIONS.has(`${req.method} ${nextauth.join("/")}`)) {
    throw new AppError("request.not_found", "There is nothing at this address.");
  }
  if (nextauth[0] === "error") return toSignInPage(req);
  const it = await getConsole();
  assertOwnOrigin(req, it.config.publicUrl, false);
  const body = req.method === "POST" ? new URLSearchParams(await readFields(req)) : null;
  const checked = new NextRequest(req.url, {
    method: req.method,
    headers: { "content-type": "application/x-www-form-urlencoded" },
    body,
  });
  // next-auth's types know nothing of what its handler returns
  return NextAuth(checked, { params: Promise.resolve({ nextauth }) }, optionsFor(it, req)) as Promise<Response>;
}

/** A form sent without scripts ends here; next-auth would put the text into the address as it is. */
function toSignInPage(req: Request): Response {
  const error = new URL(req.url).searchParams.get("error") ?? "";
  return new Response(null, { status: 302, headers: { location: `/sign-in?error=${encodeURIComponent(error)}` } });
}

function optionsFor(it: Console, req: Request) {
  const ctx = ctxOfRequest(it, req.headers);
  const { address } = readRequestFacts(req.headers);
  return nextAuthOptions({
    cookies: it.cookies,
    secret: it.authSecret,
    maxAgeSeconds: SESSION_SECONDS,
    log: ctx.log,
    useCases: {
      signIn: (input) => signIn(ctx, input),
      isLive: async (ref) => (await findSessionActor(ctx, ref, address)) !== null,
      signOut: (ref) => signOut(ctx, ref, address),
    },
  });
}

/** Only text fields: next-auth calls methods of strings on them. */
async function readFields(req: Request): Promise<Record<string, string>> {
  const bytes = await readBounded(req, MAX_BODY_BYTES);
  const type = mediaType(req);
  if (type === "application/x-www-form-urlencoded") return Object.fromEntries(new URLSearchParams(bytes.toString()));
  if (type !== "application/json") {
    throw new AppError("request.unsupported_media_type", "Send a form, as the sign-in page does.");
  }
  try {
    const fields = Object.entries(Object(JSON.parse(bytes.toString())));
    return Object.fromEntries(fields.flatMap(([name, value]) => (typeof value === "string" ? [[name, value]] : [])));
  } catch (cause) {
    throw new AppError("request.invalid", "The body is not JSON.", { cause });
  }
}
