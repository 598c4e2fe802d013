import type { IncomingMessage, ServerResponse } from "node:http";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { ReadableStream } from "node:stream/web";
import { createConsoleServer } from "#lib/http/console-server.ts";
import { createLog } from "#lib/log/log.ts";
import { listenLocally } from "#tests/harness/listen.ts";
import type { Handler } from "./api-routes.ts";
import type { TestConsole } from "./console.ts";

/** Our own server with route handlers behind it in Next's place. */
export async function serveRoutes(
  test: TestConsole,
  find: (method: string, pathname: string) => Handler | undefined,
): Promise<{ url: string; close(): Promise<void> }> {
  const server = createConsoleServer({
    config: test.console.config,
    log: createLog("test", "silent"),
    async handle(req, res) {
      const leave = new AbortController();
      res.on("close", () => leave.abort());
      const url = new URL(req.url ?? "/", test.console.config.publicUrl);
      const handler = find(req.method ?? "", url.pathname);
      if (handler === undefined) return void res.writeHead(404).end();
      await send(res, await handler(toRequest(req, url, leave.signal)));
    },
  });
  return listenLocally(server);
}

function toRequest(req: IncomingMessage, url: URL, signal: AbortSignal): Request {
  const headers = new Headers();
  for (const [name, value] of Object.entries(req.headers)) {
    if (value !== undefined) headers.set(name, Array.isArray(value) ? value.join(", ") : value);
  }
  const bodiless = req.method === "GET" || req.method === "HEAD";
  return new Request(url, {
    method: req.method ?? "GET",
    headers,
    signal,
    ...(bodiless ? {} : { body: Readable.toWeb(req) as unknown as BodyInit, duplex: "half" }), // the same stream, typed twice
  });
}

/** As Next does, a reply's Content-Length is left out. */
async function send(res: ServerResponse, response: Response): Promise<void> {
  res.statusCode = response.status;
  for (const [name, value] of response.headers) if (name !== "content-length") res.setHeader(name, value);
  if (response.body === null) return void res.end();
  // a reader that leaves ends the stream, which is no error of this test
  await pipeline(Readable.fromWeb(response.body as ReadableStream), res).catch(() => undefined);
}
