import { decode, encode } from "next-auth/jwt";
import { z } from "zod";
import { Uuid } from "#lib/contracts/console/common.ts";
import { type CookieNames, readCookie } from "./cookies.ts";

/** All that the cookie carries: which session, of whom. Whether it still counts, the session's row says on each request. */
const SessionClaims = z.object({ sid: Uuid, sub: Uuid });
export type SessionRef = { sessionId: string; userId: string };

const MAX_COOKIE_LENGTH = 4_096;

/** @returns null when there is none, or none that this install sealed */
export async function readSessionCookie(
  cookieHeader: string | null,
  cookies: CookieNames,
  secret: string,
): Promise<SessionRef | null> {
  const token = readCookie(cookieHeader, cookies.session);
  return token === null || token.length > MAX_COOKIE_LENGTH ? null : openSessionToken(token, secret);
}

export async function openSessionToken(token: string, secret: string): Promise<SessionRef | null> {
  try {
    return toSessionRef(await decode({ token, secret }));
  } catch {
    return null; // sealed by another install, damaged or past its time: all the same to the caller
  }
}

/** @returns the cookie's value for a session row; next-auth makes the same on sign-in */
export function sealSessionToken(session: SessionRef, secret: string, maxAgeSeconds: number): Promise<string> {
  return encode({ token: { sub: session.userId, sid: session.sessionId }, secret, maxAge: maxAgeSeconds });
}

export function toSessionRef(claims: unknown): SessionRef | null {
  const parsed = SessionClaims.safeParse(claims);
  return parsed.success ? { sessionId: parsed.data.sid, userId: parsed.data.sub } : null;
}
