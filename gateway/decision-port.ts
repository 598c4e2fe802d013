import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from "node:http";
import type { Log } from "#lib/log/log.ts";
import type { DevicesAuthority } from "./authorize-devices.ts";
import { authorizeTools } from "./authorize-tools.ts";
import { type DecisionWays, type OpenWays, openDecisionWays } from "./decision-listeners.ts";
import type { DoorMetrics } from "./door-metrics.ts";
import { ownAnswer } from "./own-answers.ts";
import type { ToolsAccess } from "./tools-access.ts";

type DecisionPort = {
  readonly metrics: DoorMetrics;
  readonly isHealthy: () => boolean;
  readonly access: ToolsAccess;
  readonly devices: DevicesAuthority;
  readonly decisionSecret: string;
  readonly log: Log;
};

/**
 * Health and metrics of the gateway, and decisions for a proxy that stands in front: on DECISION_PORT, and on DECISION_SOCKET when it
 * is set.
 *
 * @throws AppError `start.failed` when port or socket is taken | `config.invalid` for files of its TLS that can't be used
 */
export function openDecisionPort(options: DecisionPort & { ways: DecisionWays }): Promise<OpenWays> {
  const { ways, log } = options;
  return openDecisionWays(ways, { listener: (req, res) => void respond(req, res, options), log });
}

async function respond(req: IncomingMessage, res: ServerResponse, it: DecisionPort): Promise<void> {
  try {
    const { status, headers, body } = await answer(req, it);
    res.writeHead(status, headers);
    res.end(body);
  } catch (err) {
    it.log.error({ err }, "a question to the decision port failed");
    res.destroy();
  }
}

type Answer = { status: number; headers: OutgoingHttpHeaders; body?: string };

async function answer(req: IncomingMessage, it: DecisionPort): Promise<Answer> {
  const path = req.url?.split("?")[0] ?? "";
  const own = ownAnswer(path);
  if (own !== null) return own;
  if (req.method !== "GET") return { status: 405, headers: { ...TEXT, allow: "GET" }, body: "Only GET.\n" };
  switch (path) {
    case "/metrics": {
      const headers = { "content-type": "text/plain; version=0.0.4; charset=utf-8" };
      return { status: 200, headers, body: it.metrics.render() };
    }
    case "/health":
      return health(it.isHealthy());
    case "/authorize/tools":
      return decide(it, "tool_proxy", () => authorizeTools(it.access, it.decisionSecret, req.headers));
    case "/authorize/devices":
      return decide(it, "device_proxy", () => it.devices(req));
    default:
      return { status: 404, headers: TEXT, body: "Not found.\n" };
  }
}

async function decide(it: DecisionPort, counted: string, ask: () => Promise<Answer>): Promise<Answer> {
  try {
    const decision = await ask();
    it.metrics.decided(`${counted}_${decision.status}`);
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
