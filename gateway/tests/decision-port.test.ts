import { afterAll, beforeAll, expect, it } from "vitest";
import { openDecisionPort } from "#gateway/decision-port.ts";
import { createDoorMetrics } from "#gateway/door-metrics.ts";

const metrics = createDoorMetrics();
let healthy = true;
let port: Awaited<ReturnType<typeof openDecisionPort>>;
beforeAll(async () => {
  port = await openDecisionPort({ host: "127.0.0.1", port: 0, metrics, isHealthy: () => healthy });
});
afterAll(() => port.close());
const get = (path: string, init?: RequestInit) => fetch(`http://127.0.0.1:${port.port}${path}`, init);

it("says whether the door can decide", async () => {
  expect((await get("/health")).status).toBe(200);
  healthy = false;
  expect((await get("/health")).status).toBe(503);
});

it("counts connections, decisions and replies in Prometheus' text format", async () => {
  metrics.connectionOpened();
  metrics.decided("admitted");
  metrics.decided("revoked");
  metrics.decided("revoked");
  metrics.replied(403);
  const reply = await get("/metrics");
  expect(reply.headers.get("content-type")).toContain("version=0.0.4");
  const lines = (await reply.text()).split("\n");
  expect(lines).toContain("gatehouse_door_connections 1");
  expect(lines).toContain('gatehouse_door_decisions_total{code="revoked"} 2');
  expect(lines).toContain('gatehouse_door_replies_total{status="403"} 1');
});

it("has nothing else, and names its setting when its port is taken", async () => {
  expect((await get("/")).status).toBe(404);
  expect((await get("/health", { method: "POST" })).status).toBe(405);
  const again = openDecisionPort({ host: "127.0.0.1", port: port.port, metrics, isHealthy: () => true });
  await expect(again).rejects.toMatchObject({
    code: "start.failed",
    message: expect.stringContaining("DECISION_PORT"),
  });
});
