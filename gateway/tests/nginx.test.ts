import { randomBytes } from "node:crypto";
import https from "node:https";
import { afterAll, beforeAll, beforeEach, expect, it } from "vitest";
import { openDecisionPort } from "#gateway/decision-port.ts";
import { createDoorMetrics } from "#gateway/door-metrics.ts";
import { SYSTEM } from "#lib/authz/actor.ts";
import { MACHINE_HEADER, parseMachine, printMachine } from "#lib/http/machine-header.ts";
import { createMachineClient, type MachineClientMade, revokeMachineClient } from "#services/accounts/service.ts";
import { loadDoorCertificate } from "#services/authorities/service.ts";
import { type Credentials, type RecordingUpstream, SERVICES_TOKEN } from "#tests/harness/door.ts";
import { type DoorSite, openDoorSite } from "#tests/harness/door-site.ts";
import { eventually } from "#tests/harness/eventually.ts";
import type { IdentityWorld } from "#tests/harness/identity.ts";
import { startNginx, type TestNginx } from "#tests/harness/nginx.ts";
import { basicOf, openTestToolsDoor, selfMadeCertificate, type TestToolsDoor } from "#tests/harness/tools-door.ts";

const OBJECT = `objects/ab/${"c".repeat(62)}.filez`;
const SECRET = "decision-secret-0123456789abcdef0123";
let site: DoorSite;
let world: IdentityWorld;
let upstream: RecordingUpstream;
let tools: TestToolsDoor;
let decisions: Awaited<ReturnType<typeof openDecisionPort>>;
let nginx: TestNginx;
let pusher: MachineClientMade;
let token: string;

beforeAll(async () => {
  site = await openDoorSite();
  ({ world, upstream } = site);
  tools = await openTestToolsDoor(site.at);
  const { access } = tools;
  const { log } = world.ctx;
  const metrics = createDoorMetrics();
  const devices = () => Promise.reject(new Error("no proxy asks about devices here"));
  const ways = { DECISION_HOST: "127.0.0.1", DECISION_PORT: 0 };
  const isHealthy = () => true;
  decisions = await openDecisionPort({ ways, metrics, access, devices, decisionSecret: SECRET, log, isHealthy });
  nginx = await startNginx({
    ...(await loadDoorCertificate(world.ctx)),
    decisionPort: decisions.port,
    toolsPort: tools.door.port,
    servicesPort: Number(new URL(upstream.url).port),
    decisionSecret: SECRET,
    servicesToken: SERVICES_TOKEN,
  });
  pusher = await tools.client(["treehub:push", "repo:write"]);
  token = await tokenOf(pusher);
});
beforeEach(() => {
  upstream.requests.length = 0;
  upstream.answer = (_req, res) => res.writeHead(204).end();
});
afterAll(async () => {
  await nginx.close();
  await decisions.close();
  await tools.close();
  await site.close();
});

type Asked = { method?: string; path: string; headers?: Record<string, string>; body?: Buffer | string };

function through(asked: Asked, credentials?: Credentials): Promise<{ status: number | undefined; body: string }> {
  const own = credentials === undefined ? {} : { cert: credentials.pem, key: credentials.privateKeyPem };
  const options = { ...tools.tls, ...own, port: nginx.port, agent: false as const };
  return new Promise((done, fail) => {
    const req = https.request({ ...options, ...asked }, (res) => {
      let body = "";
      res.on("data", (chunk: Buffer) => (body += chunk));
      res.on("end", () => done({ status: res.statusCode, body }));
    });
    req.on("error", fail);
    req.end(asked.body);
  });
}

async function tokenOf(client: MachineClientMade): Promise<string> {
  const headers = { authorization: basicOf(client), "content-type": "application/x-www-form-urlencoded" };
  const body = "grant_type=client_credentials";
  const reply = await through({ method: "POST", path: "/token", headers, body });
  expect(reply.status).toBe(200);
  return (JSON.parse(reply.body) as { access_token: string }).access_token;
}
const bearer = (text: string) => ({ authorization: `Bearer ${text}` });

it("lets a push with a token from /token through, byte for byte, to the path that was judged", async () => {
  const body = randomBytes(3_000_000);
  const headers = { ...bearer(token), "content-type": "application/octet-stream" };
  const announced = { ...headers, "content-length": String(body.length), expect: "100-continue" };
  const reply = await through({ method: "POST", path: `/treehub/api/v3/${OBJECT}?size=1`, headers: announced, body });
  expect(reply.status).toBe(204);
  const [seen] = upstream.requests;
  expect(seen).toMatchObject({ method: "POST", url: `/api/v3/${OBJECT}?size=1` });
  expect(seen?.headers).toMatchObject({
    "content-length": String(body.length),
    "x-ats-namespace": world.ctx.namespaceId,
  });
  expect(seen?.body.equals(body)).toBe(true);
});

it("takes Basic credentials and a client certificate as the tools door does", async () => {
  const credentials = selfMadeCertificate();
  // The clock of the tests stands still; the certificate is made by the real one.
  world.clock.advance(60_000);
  expect((await through({ path: `/treehub/${OBJECT}` }, credentials)).status).toBe(401);
  await tools.client(["treehub:read"], credentials.pem);
  await eventually(async () => expect((await through({ path: `/treehub/${OBJECT}` }, credentials)).status).toBe(204));
  expect((await through({ path: `/treehub/${OBJECT}`, headers: { authorization: basicOf(pusher) } })).status).toBe(204);
});

it("refuses nobody with 401, another scope and unknown addresses with 403, and asks no back end", async () => {
  for (const [path, headers, status] of [
    [`/treehub/${OBJECT}`, {}, 401],
    [`/treehub/${OBJECT}`, bearer("x"), 401],
    [`/repo/api/v1/user_repo/root/private_keys/${"d".repeat(64)}`, bearer(token), 403],
    ["/repo/api/v1/root/x", bearer(token), 403],
    ["/treehub/x/%2e%2e/config", bearer(token), 403],
    ["/treehub//config", bearer(token), 403],
    ["/authorize", bearer(token), 404],
    ["/api/v1/user_repo/root.json", bearer(token), 404],
  ] as const) {
    expect([path, (await through({ path, headers })).status]).toEqual([path, status]);
  }
  expect(upstream.requests).toEqual([]);
});

it("refuses a revoked client within a second", async () => {
  const client = await tools.client(["treehub:push"]);
  const headers = bearer(await tokenOf(client));
  expect((await through({ path: `/treehub/${OBJECT}`, headers })).status).toBe(204);
  await revokeMachineClient(world.ctx, SYSTEM, client.id);
  await eventually(
    async () => expect((await through({ path: `/treehub/${OBJECT}`, headers })).status).toBe(401),
    1_000,
  );
});

it("lets a client with networks through from those only, at the door and by nginx: with a token, with its secret, and for a new token", async () => {
  const path = `/treehub/${OBJECT}`;
  const make = (network: string) =>
    createMachineClient(world.ctx, SYSTEM, { name: "ci", scopes: ["treehub:push"], sourceNetworks: [network] });
  const [near, far] = [await make("127.0.0.0/8"), await make("192.0.2.0/24")];
  expect((await tools.request({ path, headers: { authorization: basicOf(near) } })).status).toBe(204);
  expect((await through({ path, headers: { authorization: basicOf(near) } })).status).toBe(204);
  const issued = await tools.access.tokens.issue(far.clientId, far.scopes);
  for (const headers of [{ authorization: basicOf(far) }, bearer(issued)]) {
    const reply = await tools.request({ path, headers });
    expect(reply).toMatchObject({ status: 403, headers: { "x-gatehouse-code": "address_not_allowed" } });
    expect((await through({ path, headers })).status).toBe(403);
  }
  const refused = await tools.request({
    method: "POST",
    path: "/token",
    headers: { authorization: basicOf(far) },
    body: "grant_type=client_credentials",
  });
  expect([refused.status, refused.json()]).toEqual([401, expect.objectContaining({ error: "invalid_client" })]);
  // Who has not proved to be that client does not learn that it is bound to a network.
  const wrong = { authorization: basicOf({ clientId: far.clientId, clientSecret: near.clientSecret }) };
  expect((await tools.request({ path, headers: wrong })).status).toBe(401);
});

it("ignores what a client says of its identity, its path and the decision", async () => {
  const forged = {
    "x-ats-namespace": "evil",
    "x-gatehouse-client": "evil",
    [MACHINE_HEADER]: printMachine({ id: "evil", name: "evil", address: null }),
    "x-gatehouse-scopes": "evil keys:offline",
    "x-gatehouse-upstream": "director",
    "x-gatehouse-path": "/evil",
    "x-gatehouse-decision-secret": SECRET,
    "x-original-method": "GET",
    "x-original-uri": "/treehub/config",
    "x-original-certificate": "evil",
    "x-forwarded-for": "evil",
  };
  const put = { method: "PUT", path: `/repo/api/v1/user_repo/root/rotate`, headers: { ...bearer(token), ...forged } };
  expect((await through(put)).status).toBe(403);
  const get = { path: `/treehub/${OBJECT}`, headers: { ...bearer(token), ...forged } };
  expect((await through(get)).status).toBe(204);
  const [seen] = upstream.requests;
  expect(seen?.url).toBe(`/api/v3/${OBJECT}`);
  expect(JSON.stringify(seen?.headers)).not.toContain("evil");
  expect(seen?.headers).toMatchObject({
    authorization: `Bearer ${SERVICES_TOKEN}`,
    "x-ats-namespace": world.ctx.namespaceId,
  });
  expect(parseMachine(seen?.headers[MACHINE_HEADER])).toMatchObject({ id: pusher.id, address: "127.0.0.1" });
});

it("keeps secrets out of its log", () => {
  for (const secret of [SECRET, SERVICES_TOKEN, pusher.clientSecret, token]) expect(nginx.log()).not.toContain(secret);
});
