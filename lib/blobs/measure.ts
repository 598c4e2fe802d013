import { createHash } from "node:crypto";
import type { StageLimits } from "#lib/blobs/store.ts";
import { AppError } from "#lib/errors/app-error.ts";

/** What a stream turned out to be, once it has ended. */
export type Measured = { readonly sha256: string; readonly length: number };

/**
 * Hands on bytes while it measures them.
 *
 * @throws AppError `request.too_large` (while they come) | `uptane.hash_mismatch` (at their end)
 */
export function measuring(
  source: AsyncIterable<Uint8Array>,
  limits: StageLimits,
): { bytes: AsyncGenerator<Uint8Array>; result(): Measured } {
  const hash = createHash("sha256");
  let length = 0;
  let measured: Measured | null = null;
  async function* pass(): AsyncGenerator<Uint8Array> {
    for await (const chunk of source) {
      length += chunk.byteLength;
      if (length > limits.maxBytes) {
        throw new AppError("request.too_large", `At most ${limits.maxBytes} bytes are accepted.`);
      }
      hash.update(chunk);
      yield chunk;
    }
    const sha256 = hash.digest("hex");
    if (limits.expectSha256 !== undefined && limits.expectSha256 !== sha256) {
      throw new AppError(
        "uptane.hash_mismatch",
        `The bytes that arrived have the SHA-256 ${sha256}, not ${limits.expectSha256}.`,
      );
    }
    measured = { sha256, length };
  }
  return {
    bytes: pass(),
    result() {
      if (measured === null) throw new AppError("internal.error", "The bytes have not ended yet.");
      return measured;
    },
  };
}
