import type { StagedBlob, StageLimits } from "#lib/blobs/store.ts";
import { AppError, isAppError } from "#lib/errors/app-error.ts";
import { fetchPublic } from "#lib/http/public-fetch.ts";
import type { ImageRepoCtx } from "./images.ts";

/** Less than a client waits for a reply of which it sees nothing. */
const TIMEOUT_MS = 100_000;
const MAX_REDIRECTS = 5;

/**
 * Fetches the bytes of an image from an address that its publisher names, within the bound of a direct upload.
 *
 * @throws AppError `ota.invalid_entity` (an address that is not to be fetched) | `ota.remote_service_error` |
 *   `request.too_large` | `uptane.hash_mismatch`; nothing is left then
 * @see contracts/reposerver-keyserver.md section 3
 */
export async function downloadImage(ctx: ImageRepoCtx, uri: string, limits: StageLimits): Promise<StagedBlob> {
  const allow = ctx.config.FETCH_PRIVATE;
  const reply = await fetchPublic(uri, { allow, timeoutMs: TIMEOUT_MS, maxRedirects: MAX_REDIRECTS });
  try {
    return await ctx.blobs.stage(reply, limits);
  } catch (cause) {
    if (isAppError(cause)) throw cause;
    throw new AppError("ota.remote_service_error", "The image broke off while it was fetched.", { cause });
  } finally {
    reply.destroy();
  }
}
