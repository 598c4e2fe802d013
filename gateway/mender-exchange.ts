import type { IncomingMessage } from "node:http";
import { replyHeaders, requestHeaders } from "./mender-headers.ts";
import { AUTH_REQUESTS } from "./mender-path.ts";
import type { MenderUpstream } from "./mender-upstream.ts";

/** An answer that is held whole: those to authentication requests are small, and one may have to be asked for again. */
export type HeldReply = { readonly status: number; readonly headers: string[]; readonly body: Buffer };

const WITHIN_MS = 30_000;
const REPLY_MAX_BYTES = 1_048_576;

/**
 * Sends the exact bytes of an authentication request on; they may be sent again, since nothing in them is used up.
 *
 * @throws what the network does, or an Error when the answer takes too long or is too large
 */
export function sendAuthRequest(
  upstream: MenderUpstream,
  req: IncomingMessage,
  it: { body: Buffer; requestId: string; address: string; signal: AbortSignal },
): Promise<HeldReply> {
  const headers = requestHeaders(req.headers, { ...it, host: upstream.host });
  return new Promise((done, fail) => {
    const sent = upstream.request({
      method: "POST",
      path: AUTH_REQUESTS,
      headers: { ...headers, "content-length": it.body.length },
    });
    const timer = setTimeout(() => sent.destroy(new Error("no answer in time")), WITHIN_MS);
    const abort = () => sent.destroy(new Error("the device went away"));
    it.signal.addEventListener("abort", abort, { once: true });
    sent.once("close", () => {
      clearTimeout(timer);
      it.signal.removeEventListener("abort", abort);
    });
    sent.once("error", fail);
    sent.once("response", (reply) => {
      const chunks: Buffer[] = [];
      let length = 0;
      reply.on("data", (chunk: Buffer) => {
        length += chunk.length;
        if (length > REPLY_MAX_BYTES) sent.destroy(new Error("the answer is too large"));
        else chunks.push(chunk);
      });
      reply.once("error", fail);
      reply.once("end", () =>
        done({ status: reply.statusCode ?? 502, headers: replyHeaders(reply), body: Buffer.concat(chunks) }),
      );
    });
    sent.end(it.body);
  });
}
