import { createHash } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { AppError } from "#lib/errors/app-error.ts";
import type { Outcome } from "./chain.ts";
import type { RepositorySource } from "./source.ts";

/** What was signed of one image. */
export type SignedImage = { readonly sha256: string; readonly length: number };

/** Beyond what was signed, this much is read to name the digest of what is stored; then enough is known. */
const READ_ON_BYTES = 67_108_864;

/**
 * Reads the stored bytes of an image once, in constant memory, and holds them against what was signed.
 *
 * @param options.bytesPerSecond at most; as fast as they come when left out
 * @throws AppError of the source (`backend.*`), also when the bytes break off on their way
 */
export async function checkContent(
  source: RepositorySource,
  image: SignedImage & { filename: string },
  options: { bytesPerSecond?: number } = {},
): Promise<Outcome[]> {
  const content = await source.open(image.filename);
  if (content.kind === "gone") return both("failed", "image.storage_mismatch", "The stored bytes are gone.");
  if (content.kind === "elsewhere")
    return both("not_checked", null, "The repository does not keep these bytes itself.");
  const hash = createHash("sha256");
  const started = performance.now();
  let length = 0;
  let whole = true;
  try {
    for await (const chunk of content.stream) {
      hash.update(chunk);
      length += chunk.length;
      if (length > image.length + READ_ON_BYTES) {
        whole = false;
        break;
      }
      if (options.bytesPerSecond !== undefined) await keepTo(options.bytesPerSecond, { length, started });
    }
  } catch (cause) {
    if (cause instanceof AppError) throw cause;
    throw new AppError("backend.unreachable", "The image broke off on its way from the repository.", { cause });
  }
  return judgeContent(image, { length, sha256: whole ? hash.digest("hex") : null });
}

function judgeContent(signed: SignedImage, stored: { length: number; sha256: string | null }): Outcome[] {
  const more = stored.sha256 === null ? "More than " : "";
  return [
    stored.length === signed.length
      ? { check: "length", result: "ok", code: null, text: `${signed.length} bytes, as signed.`, keyIds: [] }
      : {
          check: "length",
          result: "failed",
          code: "uptane.length_mismatch",
          text: `${more}${stored.length} bytes are stored, ${signed.length} were signed.`,
          keyIds: [],
        },
    stored.sha256 === signed.sha256
      ? { check: "digest", result: "ok", code: null, text: `SHA-256 ${signed.sha256}, as signed.`, keyIds: [] }
      : {
          check: "digest",
          result: "failed",
          code: "uptane.hash_mismatch",
          text: `The stored bytes have ${stored.sha256 === null ? "another SHA-256" : `the SHA-256 ${stored.sha256}`}, ${signed.sha256} was signed.`,
          keyIds: [],
        },
  ];
}

function both(result: Outcome["result"], code: string | null, text: string): Outcome[] {
  const checks = ["length", "digest"] as const;
  return checks.map((check) => ({ check, result, code, text, keyIds: [] }));
}

async function keepTo(bytesPerSecond: number, { length, started }: { length: number; started: number }): Promise<void> {
  const aheadMs = (length / bytesPerSecond) * 1_000 - (performance.now() - started);
  if (aheadMs > 50) await sleep(aheadMs);
}
