import type { AuthOptions } from "next-auth";
import CredentialsProvider from "next-auth/providers/credentials";
import { z } from "zod";
import { AppError, isAppError } from "#lib/errors/app-error.ts";
import { ADDRESS_HEADER } from "#lib/http/request-headers.ts";
import type { Log } from "#lib/log/log.ts";
import type { CookieNames } from "./cookies.ts";
import { type SessionRef, toSessionRef } from "./session-cookie.ts";

/** What next-auth's edges call; whether a session counts is decided there, never by the cookie. */
export type SessionUseCases = {
  signIn(input: {
    email: string;
    password: string;
    address: string;
    userAgent: string | null;
  }): Promise<{ sessionId: string; userId: string }>;
  isLive(ref: SessionRef): Promise<boolean>;
  signOut(ref: SessionRef): Promise<void>;
};

const Credentials = z.object({ email: z.string().max(1_000), password: z.string().max(1_000) });

/**
 * next-auth with one provider: e-mail and password. The cookie is a sealed token that carries the ids of session and user
 * and nothing else. Sign-in errors reach the page as `error=<code>` or `error=request.rate_limited:<seconds>`.
 */
export function nextAuthOptions(parts: {
  cookies: CookieNames;
  secret: string;
  maxAgeSeconds: number;
  log: Log;
  useCases: SessionUseCases;
}): AuthOptions {
  const { cookies, useCases, log } = parts;
  return {
    secret: parts.secret,
    session: { strategy: "jwt", maxAge: parts.maxAgeSeconds },
    pages: { signIn: "/sign-in", signOut: "/sign-in", error: "/sign-in", newUser: "/", verifyRequest: "/sign-in" },
    useSecureCookies: cookies.secure,
    cookies: {
      sessionToken: { name: cookies.session, options: cookieOptions(cookies.secure) },
      csrfToken: { name: cookies.csrf, options: cookieOptions(cookies.secure) },
      callbackUrl: { name: cookies.callback, options: cookieOptions(cookies.secure) },
    },
    providers: [
      CredentialsProvider({
        credentials: { email: { type: "email" }, password: { type: "password" } },
        async authorize(given, req) {
          const parsed = Credentials.safeParse(given);
          if (!parsed.success) throw new Error("auth.invalid_credentials");
          const headers = new Headers(req.headers);
          const session = await useCases
            .signIn({
              ...parsed.data,
              address: headers.get(ADDRESS_HEADER) ?? "unknown",
              userAgent: headers.get("user-agent"),
            })
            .catch((error: unknown) => {
              throw toPageError(error, log);
            });
          return { id: session.userId, sid: session.sessionId };
        },
      }),
    ],
    callbacks: {
      async jwt({ token, user }) {
        if (user !== undefined) return { sub: user.id, sid: "sid" in user ? user.sid : undefined };
        const ref = toSessionRef(token);
        if (ref === null || !(await useCases.isLive(ref))) throw new AppError("auth.required", "The session is over.");
        return { sub: ref.userId, sid: ref.sessionId };
      },
      // Back to our own pages only, whatever a link says.
      redirect({ url, baseUrl }) {
        const target = URL.parse(url, baseUrl);
        return target?.origin === new URL(baseUrl).origin ? target.href : baseUrl;
      },
      // Who somebody is, GET /api/v1/me says: one place, and never from a cookie.
      session: ({ session }) => ({ expires: session.expires }),
    },
    events: {
      async signOut({ token }) {
        const ref = toSessionRef(token);
        if (ref !== null) await useCases.signOut(ref);
      },
    },
    logger: {
      error: (code, metadata) =>
        log.debug({ code, err: metadata instanceof Error ? metadata : undefined }, "next-auth"),
      warn: (code) => log.debug({ code }, "next-auth"),
      debug: () => undefined,
    },
  };
}

function cookieOptions(secure: boolean) {
  return { httpOnly: true, sameSite: "lax", path: "/", secure } as const;
}

/** next-auth passes the message on as it is, so it must be a code. */
function toPageError(error: unknown, log: Log): Error {
  if (isAppError(error, "request.rate_limited")) {
    const detail = z.object({ retryAfterSeconds: z.number() }).safeParse(error.detail);
    return new Error(`${error.code}:${detail.data?.retryAfterSeconds ?? 0}`, { cause: error });
  }
  if (isAppError(error, "auth.invalid_credentials")) return new Error(error.code, { cause: error });
  log.error({ err: error }, "a sign-in could not be checked");
  return new Error("internal.error", { cause: error });
}
