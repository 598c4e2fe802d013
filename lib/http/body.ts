import { AppError } from "#lib/errors/app-error.ts";

/**
 * Reads a body to its end, or stops at the bound: a declared length above it is refused before a byte is read.
 *
 * @throws AppError `request.too_large` | `request.invalid` (the body broke off)
 */
export async function readBounded(req: Request, maxBytes: number): Promise<Buffer> {
  const declared = Number(req.headers.get("content-length") ?? "0");
  if (declared > maxBytes) throw tooLarge(maxBytes);
  if (req.body === null) return Buffer.alloc(0);
  const chunks: Uint8Array[] = [];
  let length = 0;
  const reader = req.body.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return Buffer.concat(chunks);
      length += value.byteLength;
      if (length > maxBytes) throw tooLarge(maxBytes);
      chunks.push(value);
    }
  } catch (cause) {
    if (cause instanceof AppError) throw cause;
    throw new AppError("request.invalid", "The body broke off.", { cause });
  } finally {
    reader.cancel().catch(() => undefined); // nobody reads on; a body that is through has nothing to cancel
  }
}

/** The media type without its parameters, in lower case; null when there is none. */
export function mediaType(req: Request): string | null {
  return req.headers.get("content-type")?.split(";", 1)[0]?.trim().toLowerCase() ?? null;
}

function tooLarge(maxBytes: number): AppError {
  return new AppError("request.too_large", `The body may have at most ${maxBytes} bytes.`);
}
