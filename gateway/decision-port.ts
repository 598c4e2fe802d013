import http from "node:http";
import type { Log } from "#lib/log/log.ts";
import { authorizeTools } from "./authorize-tools.ts";
import type { DoorMetrics } from "./door-metrics.ts";
import { listenOn } from "./listen-on.ts";
import type { ToolsAccess } from "./tools-access.ts";

type DecisionPort = {
  readonly metrics: DoorMetrics;
  readonly isHealthy: () => boolean;
  readonly access: ToolsAccess;
  readonly decisionSecret: string;
  readonly log: Log;
};

/**
 * Health and metrics of the gateway, and decisions for a proxy that stands in front, on DECISION_PORT.
 *
 * @throws AppError `start.failed` when the port is taken
 */
export async function openDecisionPort(
  options: DecisionPort & { host: string; port: number },
): Promise<{ port: number; close(): Promise<void> }> {
  const server = http.createServer({ headersTimeout: 5_000, requestTimeout: 5_000 }, (req, res) => {
    void answer(req, options).then(({ status, headers, body }) => {
      res.writeHead(status, headers);
      res.end(body);
    });
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

type Answer = { status: number; headers: http.OutgoingHttpHeaders; body?: string };

async function answer(req: http.IncomingMessage, it: DecisionPort): Promise<Answer> {
  const path = req.url?.split("?")[0];
  if (req.method !== "GET") return { status: 405, headers: { ...TEXT, allow: "GET" }, body: "Only GET.\n" };
  switch (path) {
    case "/metrics": {
      const headers = { "content-type": "text/plain; version=0.0.4; charset=utf-8" };
      return { status: 200, headers, body: it.metrics.render() };
    }
    case "/health":
      return health(it.isHealthy());
    case "/authorize/tools":
      return decide(req, it);
    default:
      return { status: 404, headers: TEXT, body: "Not found.\n" };
  }
}

async function decide(req: http.IncomingMessage, it: DecisionPort): Promise<Answer> {
  try {
    const decision = await authorizeTools(it.access, it.decisionSecret, req.headers);
    it.metrics.decided(`tool_proxy_${decision.status}`);
    return decision;
  } catch (err) {
    it.log.error({ err }, "a proxy's question failed");
    return { status: 503, headers: { "x-gatehouse-code": "unavailable" } };
  }
}

function health(isHealthy: boolean): Answer {
  const headers = { "content-type": "application/json" };
  if (isHealthy) return { status: 200, headers, body: '{"status":"OK"}' };
  return { status: 503, headers, body: '{"status":"DOWN","database":"not heard from"}' };
}

const TEXT = { "content-type": "text/plain; charset=utf-8" };
