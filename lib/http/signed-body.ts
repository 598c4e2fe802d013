import { pipeline } from "node:stream";
import { createGunzip } from "node:zlib";
import type { FastifyInstance, FastifyRequest } from "fastify";
import { AppError } from "#lib/errors/app-error.ts";

/**
 * Makes every route of `scope` take a signed document as bytes, in `req.rawBody`: up to `maxBytes` of them, compressed or not,
 * since signing tools compress what is long. What they unfold to is bounded, not only what arrives.
 *
 * @param scope of its own: other routes keep their parsers
 * @see contracts/reposerver-keyserver.md section 5
 */
export function takeSignedBodies(scope: FastifyInstance, maxBytes: number): void {
  scope.removeAllContentTypeParsers();
  scope.addContentTypeParser(
    "application/json",
    async (req: FastifyRequest, body: AsyncIterable<Uint8Array> & NodeJS.ReadableStream) => {
      req.rawBody = await readAll(req, body, maxBytes);
    },
  );
}

/** @throws AppError `request.too_large` | `ota.malformed_body` (not what its encoding says) | `ota.invalid_entity` (an encoding we lack) */
async function readAll(
  req: FastifyRequest,
  body: AsyncIterable<Uint8Array> & NodeJS.ReadableStream,
  maxBytes: number,
): Promise<Buffer> {
  const encoding = req.headers["content-encoding"] ?? "identity";
  if (encoding !== "identity" && encoding !== "gzip") {
    throw new AppError("ota.invalid_entity", "The body may be compressed with gzip only.");
  }
  // Whatever breaks reaches the reader of the result.
  const plain = encoding === "gzip" ? pipeline(body, createGunzip(), () => undefined) : body;
  const chunks: Uint8Array[] = [];
  let length = 0;
  try {
    for await (const chunk of plain) {
      if (typeof chunk === "string") continue;
      length += chunk.byteLength;
      if (length > maxBytes) throw new AppError("request.too_large", `A document has at most ${maxBytes} bytes.`);
      chunks.push(chunk);
    }
  } catch (cause) {
    if (cause instanceof AppError) throw cause;
    throw new AppError("ota.malformed_body", "The request content was malformed: it is not gzip.", { cause });
  }
  return Buffer.concat(chunks);
}
