import type { BackendCtx } from "#lib/backends/backends.ts";
import { AppError, isAppError } from "#lib/errors/app-error.ts";

/** The repository takes the same bytes again without a word; here a name is given once. @throws AppError `image.exists` | `backend.*` */
export async function assertNew(ctx: BackendCtx, filename: string): Promise<void> {
  try {
    await ctx.backends.reposerver.getImage(ctx, filename);
  } catch (error) {
    if (isAppError(error, "image.not_found")) return;
    throw error;
  }
  throw new AppError("image.exists", `There is an image ${filename} already. Give the new one another version.`);
}
