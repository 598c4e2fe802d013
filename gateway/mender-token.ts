import type { IncomingMessage } from "node:http";
import { readClaims } from "#lib/contracts/mender.ts";
import type { CertificateFacts } from "#lib/pki/certificates.ts";
import { judgeDeviceToken, logOutcome, type MenderCtx, type TokenHolder } from "#services/mender/service.ts";
import { createAttemptLimiter } from "./attempt-limiter.ts";
import { createBoundedMap } from "./bounded-map.ts";
import type { DoorMetrics } from "./door-metrics.ts";

/** Tells the token that a device got from the one of another. */
export type TokenGuard = {
  /** @returns whether every token of the request may be the caller's. @throws what the database does, for a token that is not known yet */
  allows(req: IncomingMessage, caller: { leaf: CertificateFacts; deviceUuid: string }): Promise<boolean>;
};

const REMEMBERED = 20_000;
const OWN_FOR_MS = 60_000;
/** Short: its device may come at any moment. */
const UNKNOWN_FOR_MS = 5_000;
const MOST_TOKENS = 4;
const LOGGED_A_MINUTE = 30;
const TOKEN = /[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+/g;

/**
 * A token of the Mender server counts at this door for the device only that it was given to. One of a key that never came through the
 * door passes: the server decides, and the device is bound with its next authentication request.
 *
 * @see docs/contracts/mender.md section 6
 */
export function createTokenGuard({ ctx, metrics }: { ctx: MenderCtx; metrics: DoorMetrics }): TokenGuard {
  const known = createBoundedMap<{ holder: TokenHolder; at: number }>(REMEMBERED);
  const logged = createAttemptLimiter(ctx.clock, LOGGED_A_MINUTE);

  async function holderOf(token: Named & { deviceUuid: string }): Promise<TokenHolder> {
    const key = `${token.menderDeviceId} ${token.authSetId} ${token.deviceUuid}`;
    const now = ctx.clock().getTime();
    const last = known.get(key);
    const age = last === undefined ? -1 : now - last.at;
    if (last !== undefined && age >= 0 && age < (last.holder === "own" ? OWN_FOR_MS : UNKNOWN_FOR_MS))
      return last.holder;
    try {
      const holder = await judgeDeviceToken(ctx, token);
      // Another's is read anew each time: once its holder has authenticated itself, it is let in at once.
      if (holder === "another") known.delete(key);
      else known.set(key, { holder, at: now });
      return holder;
    } catch (error) {
      // How long devices are let in without the database is the admission's to say.
      if (last?.holder === "own") return "own";
      throw error;
    }
  }

  return {
    async allows(req, { leaf, deviceUuid }) {
      const tokens = tokensOf(req);
      if (tokens.length > MOST_TOKENS) return false;
      for (const token of tokens) {
        if ((await holderOf({ ...token, deviceUuid })) !== "another") continue;
        metrics.preauthorized("token_of_another");
        const { fingerprint } = leaf;
        if (!logged.isOpen(fingerprint)) return false;
        logged.count(fingerprint);
        const attempt = { fingerprint, deviceUuid, keySha256: "", identityText: "" };
        await logOutcome(ctx, attempt, { outcome: "token_of_another", menderDeviceId: token.menderDeviceId }).catch(
          (err) => ctx.log.warn({ err }, "a refusal could not be recorded"),
        );
        return false;
      }
      return true;
    },
  };
}

type Named = { menderDeviceId: string; authSetId: string };

/** In both headers that the server reads tokens from, however they are written there. */
function tokensOf({ headers }: IncomingMessage): Named[] {
  const named = new Map<string, Named>();
  for (const [token] of `${headers.authorization ?? ""} ${headers.cookie ?? ""}`.matchAll(TOKEN)) {
    const { sub, jti } = readClaims(token);
    if (sub !== undefined && jti !== undefined) named.set(`${sub} ${jti}`, { menderDeviceId: sub, authSetId: jti });
  }
  return [...named.values()];
}
