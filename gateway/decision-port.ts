import http from "node:http";
import type { DoorMetrics } from "./door-metrics.ts";
import { listenOn } from "./listen-on.ts";

/** Health and metrics of the gateway on DECISION_PORT. @throws AppError `start.failed` when the port is taken */
export async function openDecisionPort(options: {
  host: string;
  port: number;
  metrics: DoorMetrics;
  isHealthy: () => boolean;
}): Promise<{ port: number; close(): Promise<void> }> {
  const server = http.createServer({ headersTimeout: 5_000, requestTimeout: 5_000 }, (req, res) => {
    const { status, headers, body } = answer(req, options);
    res.writeHead(status, headers);
    res.end(body);
  });
  const port = await listenOn(server, { host: options.host, port: options.port, setting: "DECISION_PORT" });
  return {
    port,
    close: () =>
      new Promise((done) => {
        server.close(() => done());
        server.closeAllConnections();
      }),
  };
}

type Answer = { status: number; headers: http.OutgoingHttpHeaders; body: string };

function answer(req: http.IncomingMessage, it: { metrics: DoorMetrics; isHealthy: () => boolean }): Answer {
  const path = req.url?.split("?")[0];
  if (req.method !== "GET") return { status: 405, headers: { ...TEXT, allow: "GET" }, body: "Only GET.\n" };
  if (path === "/metrics") {
    const headers = { "content-type": "text/plain; version=0.0.4; charset=utf-8" };
    return { status: 200, headers, body: it.metrics.render() };
  }
  if (path !== "/health") return { status: 404, headers: TEXT, body: "Not found.\n" };
  const headers = { "content-type": "application/json" };
  if (it.isHealthy()) return { status: 200, headers, body: '{"status":"OK"}' };
  return { status: 503, headers, body: '{"status":"DOWN","database":"not heard from"}' };
}

const TEXT = { "content-type": "text/plain; charset=utf-8" };
