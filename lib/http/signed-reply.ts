import { promisify } from "node:util";
import { gzip } from "node:zlib";
import type { FastifyReply } from "fastify";

const compress = promisify(gzip);

/** What is served again from memory is compressed once; it goes with the bytes. */
const compressed = new WeakMap<Buffer, Promise<Buffer>>();

/**
 * Sends metadata as the bytes that were signed, compressed for a client that says it takes that, and for no other: devices don't say so
 * and would verify what they get.
 *
 * @see contracts/reposerver-keyserver.md, introduction
 */
export async function sendSignedBytes(reply: FastifyReply, bytes: Buffer): Promise<FastifyReply> {
  reply.type("application/json").header("vary", "accept-encoding");
  if (!acceptsGzip(reply.request.headers["accept-encoding"])) return reply.send(bytes);
  const known = compressed.get(bytes) ?? compress(bytes);
  compressed.set(bytes, known);
  return reply.header("content-encoding", "gzip").send(await known);
}

/** Whether the header `accept-encoding` allows gzip. @see RFC 9110 section 12.5.3 */
export function acceptsGzip(header: string | undefined): boolean {
  const weights = new Map<string, number>();
  for (const part of (header ?? "").toLowerCase().split(",")) {
    const [name = "", ...parameters] = part.split(";").map((piece) => piece.trim());
    const weight = parameters.find((one) => one.startsWith("q="))?.slice(2) ?? "1";
    if (name !== "") weights.set(name, Number(weight));
  }
  return (weights.get("gzip") ?? weights.get("x-gzip") ?? weights.get("*") ?? 0) > 0;
}
