import type { MenderBackend } from "#lib/backends/mender.ts";
import type { Ctx } from "#lib/ctx.ts";
import { AppError } from "#lib/errors/app-error.ts";

/** What this area needs of the process: the context, and the Mender server's management API. */
export type MenderCtx = Ctx & {
  readonly backends: { readonly mender: MenderBackend | null };
  /** Ends a call that nobody waits for any more. */
  readonly signal?: AbortSignal;
};

/** @throws AppError `mender.absent` without MENDER_URL */
export function requireMender(ctx: MenderCtx): MenderBackend {
  if (ctx.backends.mender === null)
    throw new AppError("mender.absent", "No Mender server is configured: set MENDER_URL.");
  return ctx.backends.mender;
}
