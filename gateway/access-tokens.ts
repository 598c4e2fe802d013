import { createHash } from "node:crypto";
import { jwtVerify, SignJWT } from "jose";
import { JOSEError } from "jose/errors";
import { isToolScope, type ToolScope } from "#lib/authz/tool-scopes.ts";
import type { Ctx } from "#lib/ctx.ts";
import { createBoundedMap } from "./bounded-map.ts";

export const ACCESS_TOKEN_SECONDS = 3_600;

export type AccessTokens = {
  issue(clientId: string, scopes: readonly ToolScope[]): Promise<string>;
  /** @returns null for anything but a token of this install that has not expired */
  verify(token: string): Promise<Said | null>;
};

const ISSUER = "gatehouse";
const AUDIENCE = "gatehouse-tools-door";
const MAX_CHARACTERS = 2_048;
const REMEMBERED = 1_000;

type Said = { readonly clientId: string; readonly scopes: readonly ToolScope[] };

/**
 * Access tokens of the tools door: JWTs with HMAC-SHA-256 under a key that every gateway of this install derives from
 * MASTER_KEY, so that any of them takes what another gave out. They say who asks; whether that client still counts is asked
 * on every request. A push shows one token thousands of times, so what a good one says is remembered until it expires.
 *
 * @see RFC 7519; RFC 8725 section 3.1 (one algorithm, pinned)
 */
export function createAccessTokens(ctx: Ctx): AccessTokens {
  const key = ctx.keys.derive("tools door access tokens");
  const good = createBoundedMap<{ said: Said; expiresAt: number }>(REMEMBERED);
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
      const known = good.get(digestOf(token));
      if (known !== undefined && ctx.clock().getTime() < known.expiresAt) return known.said;
      try {
        const { payload } = await jwtVerify(token, key, {
          algorithms: ["HS256"],
          typ: "at+jwt",
          issuer: ISSUER,
          audience: AUDIENCE,
          requiredClaims: ["sub", "exp"],
          currentDate: ctx.clock(),
        });
        if (payload.sub === undefined || payload.exp === undefined || typeof payload.scope !== "string") return null;
        const said = { clientId: payload.sub, scopes: payload.scope.split(" ").filter(isToolScope) };
        good.set(digestOf(token), { said, expiresAt: payload.exp * 1_000 });
        return said;
      } catch (error) {
        if (error instanceof JOSEError) return null;
        throw error;
      }
    },
  };
}

/** No token is kept, and none is compared byte by byte. */
function digestOf(token: string): string {
  return createHash("sha256").update(token).digest("hex");
}
