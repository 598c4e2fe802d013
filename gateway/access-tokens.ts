import { jwtVerify, SignJWT } from "jose";
import { JOSEError } from "jose/errors";
import { isToolScope, type ToolScope } from "#lib/authz/tool-scopes.ts";
import type { Ctx } from "#lib/ctx.ts";

export const ACCESS_TOKEN_SECONDS = 3_600;

export type AccessTokens = {
  issue(clientId: string, scopes: readonly ToolScope[]): Promise<string>;
  /** @returns null for anything but a token of this install that has not expired */
  verify(token: string): Promise<{ clientId: string; scopes: readonly ToolScope[] } | null>;
};

const ISSUER = "gatehouse";
const AUDIENCE = "gatehouse-tools-door";
const MAX_CHARACTERS = 2_048;

/**
 * Access tokens of the tools door: JWTs with HMAC-SHA-256 under a key that every gateway of this install derives from
 * MASTER_KEY, so that any of them takes what another gave out. They say who asks; whether that client still counts is asked
 * on every request.
 *
 * @see RFC 7519; RFC 8725 section 3.1 (one algorithm, pinned)
 */
export function createAccessTokens(ctx: Ctx): AccessTokens {
  const key = ctx.keys.derive("tools door access tokens");
  return {
    issue(clientId, scopes) {
      const now = Math.floor(ctx.clock().getTime() / 1_000);
      return new SignJWT({ scope: scopes.join(" ") })
        .setProtectedHeader({ alg: "HS256", typ: "at+jwt" })
        .setIssuer(ISSUER)
        .setAudience(AUDIENCE)
        .setSubject(clientId)
        .setIssuedAt(now)
        .setExpirationTime(now + ACCESS_TOKEN_SECONDS)
        .sign(key);
    },
    async verify(token) {
      if (token.length > MAX_CHARACTERS) return null;
      try {
        const { payload } = await jwtVerify(token, key, {
          algorithms: ["HS256"],
          typ: "at+jwt",
          issuer: ISSUER,
          audience: AUDIENCE,
          requiredClaims: ["sub", "exp"],
          currentDate: ctx.clock(),
        });
        if (payload.sub === undefined || typeof payload.scope !== "string") return null;
        return { clientId: payload.sub, scopes: payload.scope.split(" ").filter(isToolScope) };
      } catch (error) {
        if (error instanceof JOSEError) return null;
        throw error;
      }
    },
  };
}
