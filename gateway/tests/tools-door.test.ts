import { randomBytes } from "node:crypto";
import http from "node:http";
import https from "node:https";
import { gzipSync } from "node:zlib";
import { SignJWT } from "jose";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { SYSTEM } from "#lib/authz/actor.ts";
import { type MachineClientMade, revokeMachineClient } from "#services/accounts/service.ts";
import { type RecordingUpstream, SERVICES_TOKEN } from "#tests/harness/door.ts";
import { type DoorSite, openDoorSite } from "#tests/harness/door-site.ts";
import { eventually } from "#tests/harness/eventually.ts";
import { expectRefusal, type IdentityWorld } from "#tests/harness/identity.ts";
import { listenLocally } from "#tests/harness/listen.ts";
import { basicOf, openTestToolsDoor, selfMadeCertificate, type TestToolsDoor } from "#tests/harness/tools-door.ts";

const OBJECT = `/treehub/api/v3/objects/ab/${"c".repeat(62)}.filez`;
let site: DoorSite;
let world: IdentityWorld;
let upstream: RecordingUpstream;
let tools: TestToolsDoor;
let pusher: MachineClientMade;
let token: string;
const bearer = (text: string) => ({ authorization: `Bearer ${text}` });

beforeAll(async () => {
  site = await openDoorSite();
  ({ world, upstream } = site);
  tools = await openTestToolsDoor(site.at);
  pusher = await tools.client(["treehub:push", "repo:write"]);
  token = await tools.token(pusher);
});
beforeEach(() => {
  upstream.requests.length = 0;
  upstream.answer = (_req, res) => res.writeHead(204).end();
});
afterAll(async () => {
  await tools.close();
  await site.close();
});

const ask = (body: string, headers: http.OutgoingHttpHeaders = {}) =>
  tools.request({ method: "POST", path: "/token", headers, body });

describe("POST /token", () => {
  it("gives a token for Basic credentials and a scope with raw blanks, as garage-push sends it", async () => {
    const reply = await ask("grant_type=client_credentials&scope=repo:write treehub:push", {
      authorization: basicOf(pusher),
      "content-type": "application/x-www-form-urlencoded",
    });
    expect(reply).toMatchObject({ status: 200, headers: { "cache-control": "no-store" } });
    const body = { token_type: "bearer", expires_in: 3_600, scope: "treehub:push repo:write" };
    expect(reply.json()).toMatchObject({ ...body, access_token: expect.stringMatching(/^[\w-]+\.[\w-]+\.[\w-]+$/) });
  });

  it("takes id and secret in the body, and gives all scopes when none is named", async () => {
    const { clientId, clientSecret } = pusher;
    const form = { grant_type: "client_credentials", client_id: clientId, client_secret: clientSecret };
    const reply = await ask(new URLSearchParams(form).toString());
    expect(reply.json()).toMatchObject({ scope: "treehub:push repo:write" });
  });

  it.each([
    ["another grant", "grant_type=password", true, 400, "unsupported_grant_type"],
    [
      "a scope the client does not have",
      "grant_type=client_credentials&scope=keys:offline",
      true,
      400,
      "invalid_scope",
    ],
    ["a scope that does not exist", "grant_type=client_credentials&scope=everything", true, 400, "invalid_scope"],
    ["a repeated parameter", "grant_type=client_credentials&scope=a&scope=b", true, 400, "invalid_request"],
    ["a secret shown twice", "grant_type=client_credentials&client_secret=x", true, 400, "invalid_request"],
    ["nobody", "grant_type=client_credentials", false, 401, "invalid_client"],
    ["too much", `grant_type=client_credentials&x=${"y".repeat(9_000)}`, true, 413, "invalid_request"],
  ] as const)("refuses %s in the shape of RFC 6749", async (_what, body, known, status, error) => {
    const reply = await ask(body, known ? { authorization: basicOf(pusher) } : {});
    expect([reply.status, reply.json()]).toEqual([status, { error, error_description: expect.any(String) }]);
    if (status === 401) expect(reply.headers["www-authenticate"]).toContain("Basic");
  });

  it("refuses a wrong secret, an unknown client and an access token in place of credentials", async () => {
    for (const authorization of [
      basicOf({ ...pusher, clientSecret: `${pusher.clientSecret}x` }),
      basicOf({ ...pusher, clientId: "gatehouse-none" }),
      `Bearer ${token}`,
      "Basic !",
    ]) {
      expect(await ask("grant_type=client_credentials", { authorization })).toMatchObject({ status: 401 });
    }
  });

  it("stops an address that keeps failing, and lets a token that was given out go on", async () => {
    const headers = { authorization: basicOf({ ...pusher, clientSecret: "wrong" }) };
    const statuses = new Set<number>();
    for (let round = 0; round < 130; round += 1) {
      statuses.add((await tools.request({ path: OBJECT, headers })).status);
    }
    expect([...statuses]).toEqual([401, 429]);
    const right = { authorization: basicOf(pusher) };
    expect(await ask("grant_type=client_credentials", right)).toMatchObject({ status: 429 });
    expect(await tools.request({ path: OBJECT, headers: bearer(token) })).toMatchObject({ status: 204 });
    world.clock.advance(61_000);
    expect(await ask("grant_type=client_credentials", right)).toMatchObject({ status: 200 });
  });
});

describe("who comes through", () => {
  it("shows a token, or Basic credentials, or a client certificate bound to it", async () => {
    const credentials = selfMadeCertificate();
    // The clock of the tests stands still; the certificate is made by the real one.
    world.clock.advance(60_000);
    await tools.client(["treehub:read"], credentials.pem);
    expect(await tools.request({ path: OBJECT, headers: bearer(token) })).toMatchObject({ status: 204 });
    expect(await tools.request({ path: OBJECT, headers: { authorization: basicOf(pusher) } })).toMatchObject({
      status: 204,
    });
    expect(await tools.request({ path: OBJECT, credentials })).toMatchObject({ status: 204 });
    expect(await tools.request({ method: "DELETE", path: OBJECT, credentials })).toMatchObject({ status: 403 });
    const wrong = { path: OBJECT, credentials, headers: bearer("wrong") };
    expect(await tools.request(wrong)).toMatchObject({ status: 401 });
  });

  it("shows nothing, rubbish, another install's token, one without algorithm or one that has expired: 401, and no back end hears of it", async () => {
    const claims = () =>
      new SignJWT({ scope: "treehub:push" })
        .setIssuer("gatehouse")
        .setAudience("gatehouse-tools-door")
        .setSubject(pusher.clientId)
        .setExpirationTime("1h");
    const foreign = await claims().setProtectedHeader({ alg: "HS256", typ: "at+jwt" }).sign(randomBytes(32));
    const [, payload] = foreign.split(".");
    const none = `${Buffer.from('{"alg":"none","typ":"at+jwt"}').toString("base64url")}.${payload}.`;
    const credentials = selfMadeCertificate();
    const old = await tools.token(pusher);
    // A remembered one ends as well.
    expect(await tools.request({ path: OBJECT, headers: bearer(old) })).toMatchObject({ status: 204 });
    upstream.requests.length = 0;
    world.clock.advance(3_601_000);
    const tokens = ["", "x", foreign, none, old].map(bearer);
    for (const headers of [{}, ...tokens, { authorization: "Digest x" }]) {
      const reply = await tools.request({ path: OBJECT, headers });
      expect([headers, reply.status, reply.headers["www-authenticate"]]).toEqual([
        headers,
        401,
        expect.stringContaining("Bearer"),
      ]);
    }
    expect(await tools.request({ path: OBJECT, credentials })).toMatchObject({ status: 401 });
    expect(upstream.requests).toEqual([]);
    token = await tools.token(pusher);
  });

  it("has no more than its client's scopes and its token's", async () => {
    const narrow = await tools.token(pusher, "repo:write");
    const reader = await tools.token(await tools.client(["treehub:read", "repo:read"]));
    const key = `/repo/api/v1/user_repo/root/private_keys/${"d".repeat(64)}`;
    for (const [who, method, path, status] of [
      [narrow, "GET", OBJECT, 403],
      [reader, "GET", OBJECT, 204],
      [reader, "POST", OBJECT, 403],
      [reader, "PUT", "/repo/api/v1/user_repo/targets", 403],
      [token, "PUT", "/repo/api/v1/user_repo/targets", 204],
      [token, "GET", key, 403],
      [token, "POST", "/repo/api/v1/user_repo/root", 403],
      [await tools.token(await tools.client(["keys:offline"])), "GET", key, 204],
    ] as const) {
      const reply = await tools.request({ method, path, headers: bearer(who) });
      expect([method, path, reply.status]).toEqual([method, path, status]);
      if (status === 403) expect(reply.json()).toMatchObject({ code: "insufficient_scope" });
    }
  });

  it("is refused within a second after it was revoked, and its upload ends", async () => {
    const client = await tools.client(["treehub:push"]);
    const own = await tools.token(client);
    expect(await tools.request({ path: OBJECT, headers: bearer(own) })).toMatchObject({ status: 204 });
    const upload = https.request({
      ...tools.tls,
      agent: false,
      method: "POST",
      path: OBJECT,
      headers: { ...bearer(own), "content-length": 1_000 },
    });
    const ended = new Promise((done) => upload.once("error", done));
    upload.write("begin");
    await eventually(() => expect(tools.access.book.isFresh()).toBe(true));
    await revokeMachineClient(world.ctx, SYSTEM, client.id);
    await ended;
    await eventually(
      async () => expect((await tools.request({ path: OBJECT, headers: bearer(own) })).status).toBe(401),
      1_000,
    );
    expect(await ask("grant_type=client_credentials", { authorization: basicOf(client) })).toMatchObject({
      status: 401,
    });
    await expectRefusal(
      revokeMachineClient(world.ctx, SYSTEM, "0f8fad5b-d9cb-469f-a165-70867728950e"),
      "machine_client.not_found",
    );
  });
});

describe("what passes", () => {
  it("carries our identity headers, the tools' conditions, and nothing else of the client's", async () => {
    const body = gzipSync(randomBytes(1_000));
    upstream.answer = (_req, res) =>
      res
        .writeHead(200, {
          "x-ats-role-checksum": "sum",
          "x-ats-tuf-repo-id": "id",
          server: "secret",
          "content-length": 2,
        })
        .end("{}");
    const reply = await tools.request({
      method: "PUT",
      path: "/repo/api/v1/user_repo/targets",
      body,
      headers: {
        ...bearer(token),
        "content-encoding": "gzip",
        "content-type": "application/json",
        "x-ats-role-checksum": "old",
        "x-ats-ostree-force": "true",
        "x-ats-namespace": "evil",
        "x-forwarded-for": "evil",
        cookie: "evil",
      },
    });
    expect(reply.headers).toMatchObject({ "x-ats-role-checksum": "sum", "x-ats-tuf-repo-id": "id" });
    expect(reply.headers.server).toBeUndefined();
    const [seen] = upstream.requests;
    expect(seen?.body.equals(body)).toBe(true);
    expect(JSON.stringify(seen?.headers)).not.toContain("evil");
    expect(seen?.headers).toMatchObject({
      authorization: `Bearer ${SERVICES_TOKEN}`,
      "x-ats-namespace": world.ctx.namespaceId,
      "content-encoding": "gzip",
      "x-ats-role-checksum": "old",
      "x-ats-ostree-force": "true",
    });
  });

  it("streams thirty uploads of one client at once, announced with Expect, byte for byte", async () => {
    const agent = new https.Agent({ keepAlive: true, maxSockets: 30 });
    const bodies = Array.from({ length: 60 }, () => randomBytes(300_000));
    const replies = await Promise.all(
      bodies.map((body, index) =>
        tools.request({
          method: "POST",
          path: OBJECT.replace("/ab/", `/${index.toString(16).padStart(2, "0")}/`),
          headers: { ...bearer(token), "content-length": body.length, expect: "100-continue" },
          body,
          agent,
        }),
      ),
    );
    agent.destroy();
    expect(new Set(replies.map(({ status }) => status))).toEqual(new Set([204]));
    for (const { url, body } of upstream.requests) {
      const index = Number.parseInt(url.split("/")[4] ?? "", 16);
      expect(bodies[index]?.equals(body)).toBe(true);
    }
    expect(upstream.requests).toHaveLength(60);
  });

  it("holds a client back while the back end does not read, in bounded memory", async () => {
    const size = 96 * 1024 * 1024;
    let resume: (() => void) | null = null;
    let received = 0;
    const slow = http.createServer((req, res) => {
      resume = () => {
        req.on("data", (chunk: Buffer) => (received += chunk.length));
        req.on("end", () => res.writeHead(204).end());
      };
    });
    const { url: upstreamUrl } = await listenLocally(slow);
    const other = await openTestToolsDoor({ ...site.at, upstreamUrl });
    const chunk = Buffer.alloc(1024 * 1024);
    let written = 0;
    const status = new Promise<number | undefined>((done, fail) => {
      const req = https.request(
        {
          ...other.tls,
          agent: false,
          method: "POST",
          path: OBJECT,
          headers: { ...bearer(token), "content-length": size },
        },
        (res) => done(res.resume().statusCode),
      );
      req.on("error", fail);
      const more = () => {
        while (written < size) {
          written += chunk.length;
          if (!req.write(chunk)) return void req.once("drain", more);
        }
        req.end();
      };
      more();
    });
    let before = -1;
    await eventually(() => {
      const same = resume !== null && written === before;
      before = written;
      expect(same).toBe(true);
    });
    expect(written).toBeLessThan(size / 2);
    const readOn: () => void = resume ?? (() => undefined);
    readOn();
    expect(await status).toBe(204);
    expect(received).toBe(size);
    await other.close();
    slow.close();
  }, 40_000);

  it("tells a client without the scope so before it sends a body it announced", async () => {
    const reader = await tools.token(await tools.client(["treehub:read"]));
    const asked = await new Promise<{ status: number | undefined; continued: boolean }>((done, fail) => {
      let continued = false;
      const headers = { ...bearer(reader), expect: "100-continue", "content-length": 10_000_000 };
      const req = https.request({ ...tools.tls, agent: false, method: "POST", path: OBJECT, headers }, (res) => {
        done({ status: res.statusCode, continued });
        req.destroy();
      });
      req.on("continue", () => (continued = true));
      req.on("error", fail);
      req.flushHeaders();
    });
    expect(asked).toEqual({ status: 403, continued: false });
  });

  it.each([
    ["https://bucket.example/x?signature=y", 302],
    ["/deltas/ab/cd", 502],
    [undefined, 502],
  ])("is a redirect to object storage at %s as %d", async (location, status) => {
    upstream.answer = (_req, res) => res.writeHead(302, location === undefined ? {} : { location }).end();
    const reply = await tools.request({ path: OBJECT, headers: bearer(token) });
    expect([reply.status, reply.headers.location]).toEqual([status, status === 302 ? location : undefined]);
  });

  it.each([401, 403])("is never the back end's own %d, which is about our token", async (status) => {
    upstream.answer = (_req, res) => res.writeHead(status).end();
    expect(await tools.request({ path: OBJECT, headers: bearer(token) })).toMatchObject({ status: 502 });
  });

  it("asks a back end that broke a kept-open connection again only when it reads", async () => {
    const asked: string[] = [];
    upstream.answer = (req, res) => {
      asked.push(req.method ?? "");
      if (asked.length === 2) res.destroy();
      else res.writeHead(204).end();
    };
    for (const [method, expected, statuses] of [
      ["GET", ["GET", "GET", "GET"], [204, 204]],
      ["DELETE", ["GET", "DELETE"], [204, 503]],
    ] as const) {
      asked.length = 0;
      const first = await tools.request({ path: OBJECT, headers: bearer(token) });
      const second = await tools.request({ method, path: OBJECT, headers: bearer(token) });
      expect([asked, [first.status, second.status]]).toEqual([expected, statuses]);
    }
  });

  it("is bounded: a ref's body, an object's declared length", async () => {
    const ref = { method: "POST", path: "/treehub/refs/heads/main", headers: bearer(token), body: "x".repeat(5_000) };
    expect(await tools.request(ref)).toMatchObject({ status: 413 });
    const headers = { ...bearer(token), "content-length": 3 * 1024 ** 3 + 1, expect: "100-continue" };
    const status = await new Promise((done, fail) => {
      const req = https.request({ ...tools.tls, agent: false, method: "POST", path: OBJECT, headers }, (res) => {
        done(res.statusCode);
        req.destroy();
      });
      req.on("error", fail);
      req.flushHeaders();
    });
    expect(status).toBe(413);
    expect(upstream.requests).toEqual([]);
  });

  it("is nothing at addresses that are not listed", async () => {
    for (const [path, status] of [
      ["/repo/api/v1/root/x", 404],
      ["/", 404],
      ["/treehub/../token", 400],
    ] as const) {
      expect(await tools.request({ path, headers: bearer(token) })).toMatchObject({ status });
    }
  });
});
