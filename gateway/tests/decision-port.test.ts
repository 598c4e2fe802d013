import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { openDecisionPort } from "#gateway/decision-port.ts";
import { createDoorMetrics } from "#gateway/door-metrics.ts";
import { openToolsAccess, type ToolsAccess } from "#gateway/tools-access.ts";
import { SYSTEM } from "#lib/authz/actor.ts";
import { createMachineClient, type MachineClientMade } from "#services/accounts/service.ts";
import { createTestDatabase, type TestDatabase } from "#tests/harness/database.ts";
import { type IdentityWorld, identityWorld } from "#tests/harness/identity.ts";
import { basicOf, selfMadeCertificate } from "#tests/harness/tools-door.ts";

const SECRET = "decision-secret-0123456789abcdef0123";
const metrics = createDoorMetrics();
let healthy = true;
let database: TestDatabase;
let world: IdentityWorld;
let access: ToolsAccess;
let port: Awaited<ReturnType<typeof openDecisionPort>>;
beforeAll(async () => {
  database = await createTestDatabase();
  world = identityWorld(database.url);
  access = await openToolsAccess(world.ctx, database.url);
  port = await openDecisionPort(options());
});
beforeEach(() => {
  healthy = true;
});
afterAll(async () => {
  await port.close();
  await access.close();
  await world.ctx.db.$disconnect();
  await database.drop();
});
const options = () => ({
  ways: { DECISION_HOST: "127.0.0.1", DECISION_PORT: 0 },
  metrics,
  access,
  devices: () => Promise.reject(new Error("no proxy asks about devices here")),
  decisionSecret: SECRET,
  log: world.ctx.log,
  isHealthy: () => healthy,
});
const get = (path: string, init?: RequestInit) => fetch(`http://127.0.0.1:${port.port}${path}`, init);

it("says whether the doors can decide", async () => {
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
  const again = openDecisionPort({ ...options(), ways: { DECISION_HOST: "127.0.0.1", DECISION_PORT: port.port } });
  await expect(again).rejects.toMatchObject({
    code: "start.failed",
    message: expect.stringContaining("DECISION_PORT"),
  });
});

describe("a proxy that asks about a build tool's request", () => {
  const OBJECT = `objects/ab/${"c".repeat(62)}.filez`;
  let client: MachineClientMade;
  let original: Record<string, string>;
  beforeAll(async () => {
    client = await createMachineClient(world.ctx, SYSTEM, { name: "ci", scopes: ["treehub:push"] });
    original = {
      "x-gatehouse-decision-secret": SECRET,
      "x-original-method": "POST",
      "x-original-uri": `/treehub/${OBJECT}?size=1`,
      "x-original-address": "192.0.2.9",
    };
  });
  const ask = async (headers: Record<string, string>) => {
    const reply = await get("/authorize/tools", { headers });
    return { status: reply.status, headers: Object.fromEntries(reply.headers) };
  };

  it("has the address that it saw count for the client's networks", async () => {
    const sourceNetworks = ["198.51.100.0/24"];
    const bound = await createMachineClient(world.ctx, SYSTEM, {
      name: "ci",
      scopes: ["treehub:push"],
      sourceNetworks,
    });
    const shown = { ...original, authorization: basicOf(bound) };
    expect((await ask({ ...shown, "x-original-address": "198.51.100.7" })).status).toBe(204);
    for (const address of ["192.0.2.9", "", "198.51.100.7, 192.0.2.9"]) {
      const refused = await ask({ ...shown, "x-original-address": address });
      expect([refused.status, refused.headers["x-gatehouse-code"]]).toEqual([403, "address_not_allowed"]);
    }
  });

  it("hears who it is and where it goes, for Basic, a token and a certificate", async () => {
    const { pem } = selfMadeCertificate();
    // The clock of the tests stands still; the certificate is made by the real one.
    world.clock.advance(60_000);
    const certified = await createMachineClient(world.ctx, SYSTEM, {
      name: "certified",
      scopes: ["treehub:push"],
      certificatePem: pem,
    });
    const token = await access.tokens.issue(client.clientId, client.scopes);
    for (const [shown, { clientId }] of [
      [{ authorization: basicOf(client) }, client],
      [{ authorization: `Bearer ${token}` }, client],
      [{ "x-original-certificate": encodeURIComponent(pem) }, certified],
    ] as const) {
      expect(await ask({ ...original, ...shown })).toMatchObject({
        status: 204,
        headers: {
          "x-ats-namespace": world.ctx.namespaceId,
          "x-gatehouse-client": clientId,
          "x-gatehouse-scopes": "treehub:push",
          "x-gatehouse-upstream": "treehub",
          "x-gatehouse-path": `/api/v3/${OBJECT}?size=1`,
        },
      });
    }
  });

  it.each([
    ["nothing shown", {}, 401, "client_refused"],
    ["a wrong token", { authorization: "Bearer x" }, 401, "client_refused"],
    ["a broken certificate", { "x-original-certificate": "%" }, 401, "client_refused"],
    [
      "another scope's address",
      { basic: "", "x-original-method": "PUT", "x-original-uri": "/repo/api/v1/user_repo/targets" },
      403,
      "insufficient_scope",
    ],
    ["the keyserver", { basic: "", "x-original-uri": "/keyserver/api/v1/root/x" }, 403, "not_found"],
    ["a trick", { basic: "", "x-original-uri": "/treehub/x/../config" }, 403, "not_found"],
    ["no original address", { basic: "", "x-original-uri": "" }, 403, "not_found"],
    ["a wrong secret", { basic: "", "x-gatehouse-decision-secret": "wrong" }, 403, "decision_secret_wrong"],
    ["no secret", { basic: "", "x-gatehouse-decision-secret": "" }, 403, "decision_secret_wrong"],
  ] as const)("is refused for %s", async (_what, { basic, ...changes }: Record<string, string>, status, code) => {
    const shown = basic === undefined ? {} : { authorization: basicOf(client) };
    expect(await ask({ ...original, ...shown, ...changes })).toMatchObject({
      status,
      headers: { "x-gatehouse-code": code },
    });
  });
});
