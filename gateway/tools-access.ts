import type { Ctx } from "#lib/ctx.ts";
import { recordMachineClientUse } from "#services/accounts/service.ts";
import { type AccessTokens, createAccessTokens } from "./access-tokens.ts";
import { type AttemptLimiter, createAttemptLimiter } from "./attempt-limiter.ts";
import { type ClientBook, openClientBook } from "./client-book.ts";
import { authenticate, type Shown, type ToolsAuth, type ToolsIdentity } from "./tools-auth.ts";
import { mapToolsPath, type ToolsMapped } from "./tools-path-map.ts";

/** Who may do what with build tools: asked by the tools door, and by nginx through the decision port. */
export type ToolsAccess = ToolsAuth & {
  readonly book: ClientBook;
  readonly tokens: AccessTokens;
  /** Token requests by client and address. */
  readonly requests: AttemptLimiter;
  judge(shown: Shown, request: { method: string; url: string }): Promise<ToolsJudgement>;
  close(): Promise<void>;
};

export type ToolsJudgement =
  | { readonly allowed: true; readonly identity: ToolsIdentity; readonly to: Extract<ToolsMapped, { to: "upstream" }> }
  | { readonly allowed: false; readonly why: "nobody" | "unknown" | "elsewhere" | "unavailable" | "too_many" }
  | { readonly allowed: false; readonly why: "scope"; readonly needed: readonly string[] }
  | { readonly allowed: false; readonly why: "nowhere"; readonly at: Extract<ToolsMapped, { to: "nowhere" }> };

/** Failed proofs an address may show in a minute, and tokens a client may ask for from one address. */
const FAILURES_A_MINUTE = 120;
const TOKENS_A_MINUTE = 120;
const USES_EVERY_MS = 1_000;

/** Opens the memory of machine clients; their last use is written in batches. */
export async function openToolsAccess(ctx: Ctx, databaseUrl: string): Promise<ToolsAccess> {
  const book = await openClientBook(ctx, databaseUrl);
  const used = new Set<string>();
  const flush = async () => {
    if (used.size === 0) return;
    const ids = [...used];
    used.clear();
    await recordMachineClientUse(ctx, ids).catch((err) => ctx.log.warn({ err }, "a last use could not be stored"));
  };
  const timer = setInterval(flush, USES_EVERY_MS);
  const access: ToolsAccess = {
    ctx,
    book,
    tokens: createAccessTokens(ctx),
    failures: createAttemptLimiter(ctx.clock, FAILURES_A_MINUTE),
    requests: createAttemptLimiter(ctx.clock, TOKENS_A_MINUTE),
    async judge(shown, { method, url }) {
      const identity = await authenticate(access, shown);
      if (typeof identity === "string") return { allowed: false, why: identity };
      const mapped = mapToolsPath(method, url);
      if (mapped.to === "nowhere") return { allowed: false, why: "nowhere", at: mapped };
      if (!mapped.scopes.some((scope) => identity.scopes.includes(scope))) {
        return { allowed: false, why: "scope", needed: mapped.scopes };
      }
      used.add(identity.client.id);
      return { allowed: true, identity, to: mapped };
    },
    async close() {
      clearInterval(timer);
      await flush();
      await book.close();
    },
  };
  return access;
}
