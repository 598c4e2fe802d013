import type { MenderBackend } from "#lib/backends/mender.ts";
import { readClaims } from "#lib/contracts/mender.ts";
import { lockInTransaction } from "#lib/db/client.ts";
import { AppError, isAppError } from "#lib/errors/app-error.ts";
import { type MenderCtx, requireMender } from "./ctx.ts";
import * as store from "./store-token.ts";

/** Signing in is the last resort of a device that waits five seconds; the lock is held for as long. */
const SIGN_IN_WITHIN_MS = 12_000;
const SHORTEST_REST_MS = 60_000;
const LONGEST_PAUSE_MS = 60_000;
/** A token that is refused right after it was given is not the reason: others share the user, or the server is in trouble. */
const FRESH_MS = 10_000;

type Call<T> = (mender: MenderBackend, token: string) => Promise<T>;

/**
 * Calls the management API with the token that all processes share. One that ends soon is renewed first; one that the server
 * refuses is renewed and the call repeated once.
 *
 * @throws AppError `mender.absent` | `mender.sign_in_refused` (also while we wait after one) | `mender.token_refused` (a personal
 *   access token, or one that was given a moment ago) | what `call` throws
 * @see docs/contracts/mender.md section 1.2
 */
export async function withToken<T>(ctx: MenderCtx, call: Call<T>): Promise<T> {
  const mender = requireMender(ctx);
  if (mender.personalToken !== null) return call(mender, mender.personalToken);
  const token = await currentToken(ctx, mender);
  try {
    return await call(mender, token);
  } catch (error) {
    if (!isAppError(error, "mender.token_refused")) throw error;
  }
  return call(mender, await renew(ctx, mender, token));
}

async function currentToken(ctx: MenderCtx, mender: MenderBackend): Promise<string> {
  const known = await readToken(ctx, mender);
  const now = ctx.clock().getTime();
  if (known !== null && now < known.renewAt) return known.token;
  try {
    return await renew(ctx, mender, known?.token ?? null);
  } catch (error) {
    // It still counts for a while: what can't be renewed now is renewed later.
    if (known !== null && now < known.endsAt && isAppError(error)) return known.token;
    throw error;
  }
}

type KnownToken = { readonly token: string; readonly renewAt: number; readonly endsAt: number };

async function readToken(ctx: MenderCtx, mender: MenderBackend): Promise<KnownToken | null> {
  return opened(ctx, mender, await store.findToken(ctx.db, ctx.namespaceId));
}

function opened(ctx: MenderCtx, mender: MenderBackend, row: store.TokenRow | null): KnownToken | null {
  if (row === null || row.account !== mender.account || row.sealedToken === null || row.obtainedAt === null)
    return null;
  const token = ctx.keys.open(row.sealedToken, purposeOf(ctx)).toString("utf8");
  if (row.expiresAt === null) return { token, renewAt: Number.POSITIVE_INFINITY, endsAt: Number.POSITIVE_INFINITY };
  const endsAt = row.expiresAt.getTime();
  const rest = Math.max(SHORTEST_REST_MS, (endsAt - row.obtainedAt.getTime()) / 10);
  return { token, renewAt: endsAt - rest, endsAt };
}

/** One sign-in a process at a time; those that come meanwhile share it. */
const RENEWALS = new WeakMap<MenderBackend, Promise<string>>();

function renew(ctx: MenderCtx, mender: MenderBackend, old: string | null): Promise<string> {
  const running =
    RENEWALS.get(mender) ??
    signInOnce(ctx, mender, old).finally(() => {
      RENEWALS.delete(mender);
    });
  RENEWALS.set(mender, running);
  return running;
}

/**
 * Signs in under a lock of the database, unless another process has done so meanwhile: a Mender user has ten sessions, and
 * processes that signed in each for itself would end each other's. After a refusal nobody tries for a while: the server pays
 * dearly for each attempt.
 */
async function signInOnce(ctx: MenderCtx, mender: MenderBackend, old: string | null): Promise<string> {
  const outcome = await ctx.db.$transaction(
    async (tx) => {
      await lockInTransaction(tx, `mender-token:${ctx.namespaceId}`);
      const row = await store.findToken(tx, ctx.namespaceId);
      const known = opened(ctx, mender, row);
      if (known !== null && known.token !== old && ctx.clock().getTime() < known.renewAt) return known.token;
      const isSame = row?.account === mender.account;
      if (known !== null && isFresh(ctx, row)) return refusedFresh();
      if (isSame && row.retryAt !== null && ctx.clock() < row.retryAt) return waiting();
      const { signal: _, ...call } = ctx; // others may wait for it, too
      try {
        const token = await mender.signIn(call);
        await store.saveToken(tx, ctx.namespaceId, { account: mender.account, ...sealed(ctx, token) });
        return token;
      } catch (error) {
        if (!isAppError(error)) throw error;
        ctx.log.error({ err: error }, "signing in to the Mender server failed; devices can't be preauthorized");
        const failures = isSame ? row.failures + 1 : 1;
        const retryAt = new Date(ctx.clock().getTime() + Math.min(1_000 * 2 ** failures, LONGEST_PAUSE_MS));
        await store.saveFailure(tx, ctx.namespaceId, { account: mender.account, failures, retryAt });
        return error;
      }
    },
    { timeout: SIGN_IN_WITHIN_MS, maxWait: SIGN_IN_WITHIN_MS },
  );
  if (typeof outcome === "string") return outcome;
  throw outcome;
}

function isFresh(ctx: MenderCtx, row: store.TokenRow | null): boolean {
  const age = row === null || row.obtainedAt === null ? -1 : ctx.clock().getTime() - row.obtainedAt.getTime();
  return age >= 0 && age < FRESH_MS;
}

function sealed(ctx: MenderCtx, token: string) {
  const { exp } = readClaims(token);
  const expiresAt = exp === undefined ? null : new Date(exp * 1_000);
  const sealedToken = ctx.keys.seal(Buffer.from(token, "utf8"), purposeOf(ctx));
  return { sealedToken, obtainedAt: ctx.clock(), expiresAt };
}

function refusedFresh(): AppError {
  return new AppError(
    "mender.token_refused",
    "The Mender server refuses the token that it gave a moment ago. Does somebody else sign in with the same user?",
  );
}

function waiting(): AppError {
  return new AppError(
    "mender.sign_in_refused",
    "Signing in to the Mender server failed a moment ago; it is tried again soon.",
  );
}

function purposeOf(ctx: MenderCtx): string {
  return `mender_token:${ctx.namespaceId}`;
}
