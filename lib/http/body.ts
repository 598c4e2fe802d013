import { Readable } from "node:stream";
import { AppError } from "#lib/errors/app-error.ts";

const MAX_DISCARDED_BYTES = 67_108_864;

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
      if (length > maxBytes) break;
      chunks.push(value);
    }
  } catch (cause) {
    throw new AppError("request.invalid", "The body broke off.", { cause });
  }
  void discard(reader);
  throw tooLarge(maxBytes);
}

/**
 * Reads on without keeping anything, so that a caller who is still sending gets to read the refusal. Past the bound the
 * connection is cut: cancelling a body destroys its socket.
 */
async function discard(reader: ReadableStreamDefaultReader<Uint8Array>): Promise<void> {
  try {
    for (let length = 0; length < MAX_DISCARDED_BYTES; ) {
      const { done, value } = await reader.read();
      if (done) return;
      length += value.byteLength;
    }
    await reader.cancel();
  } catch {
    // the caller went away, which is what we were waiting for
  }
}

/** The media type without its parameters, in lower case; null when there is none. */
export function mediaType(req: Request): string | null {
  return req.headers.get("content-type")?.split(";", 1)[0]?.trim().toLowerCase() ?? null;
}

function tooLarge(maxBytes: number): AppError {
  return new AppError("request.too_large", `The body may have at most ${maxBytes} bytes.`);
}

/** A body that has been opened elsewhere, as a reply's; a reader that leaves ends it there too. */
export function webBody(body: Readable): ReadableStream<Uint8Array> {
  const iterator = body[Symbol.asyncIterator]();
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      const { done, value } = await iterator.next();
      if (done === true) controller.close();
      else controller.enqueue(value);
    },
    cancel() {
      body.destroy();
    },
  });
}

/** A request's body as Node reads streams. */
export function nodeBody(req: Request): Readable {
  return req.body === null ? Readable.from([]) : Readable.from(req.body, { objectMode: false });
}
