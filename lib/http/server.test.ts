import type { FastifyInstance } from "fastify";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { AppError } from "#lib/errors/app-error.ts";
import { createOtaServer } from "#lib/http/server.ts";
import { createTestCtx } from "#tests/harness/ctx.ts";

const TOKEN = "t".repeat(40);
const bearer = { authorization: `Bearer ${TOKEN}` };
let app: FastifyInstance;

beforeAll(async () => {
  const ctx = createTestCtx("postgresql://nobody@127.0.0.1:1/none", { settings: { LOG_LEVEL: "error" } });
  app = createOtaServer({ ctx: { ...ctx, log: ctx.log.child({}, { level: "silent" }) }, servicesToken: TOKEN });
  app.get("/who", async (req) => ({ ns: req.ctx.namespaceId, id: req.ctx.requestId }));
  app.post("/echo", async (req) => ({ body: req.body, raw: req.rawBody?.toString("utf8") ?? null }));
  app.get("/app-error", async () => {
    throw new AppError("ota.missing_entity", "Missing entity: Thing");
  });
  app.get("/bug", async () => {
    throw new Error("secret detail");
  });
  await app.ready();
});

afterAll(() => app.close());

describe("the door of the embedded services", () => {
  it("refuses a call without the token, with a wrong one, or with a prefix of it", async () => {
    for (const authorization of [undefined, "Bearer wrong", `Bearer ${TOKEN.slice(1)}`, `Basic ${TOKEN}`]) {
      const reply = await app.inject({
        url: "/who",
        ...(authorization === undefined ? {} : { headers: { authorization } }),
      });
      expect([reply.statusCode, reply.json().code]).toEqual([401, "unauthorized"]);
    }
  });

  it("refuses before it reads the body, also at unknown addresses", async () => {
    const broken = await app.inject({
      method: "POST",
      url: "/echo",
      headers: { "content-type": "application/json" },
      payload: "{",
    });
    const unknown = await app.inject({ url: "/nothing-here" });
    expect([broken.statusCode, unknown.statusCode]).toEqual([401, 401]);
  });

  it("answers health without the token and says when the database is away", async () => {
    const reply = await app.inject({ url: "/health" });
    expect([reply.statusCode, reply.json().status]).toEqual([503, "DOWN"]);
    expect((await app.inject({ url: "/health/version" })).json().name).toBe("gatehouse");
    expect((await app.inject({ url: "/metrics" })).body).toContain("gatehouse_http_request_seconds_count");
  });
});

describe("what a request carries", () => {
  it("takes the namespace from the header and default without it", async () => {
    const named = await app.inject({ url: "/who", headers: { ...bearer, "x-ats-namespace": "east" } });
    const absent = await app.inject({ url: "/who", headers: bearer });
    expect([named.json().ns, absent.json().ns]).toEqual(["east", "default"]);
  });

  it("refuses a namespace that is no single word", async () => {
    const reply = await app.inject({ url: "/who", headers: { ...bearer, "x-ats-namespace": "a b" } });
    expect([reply.statusCode, reply.json().code]).toEqual([400, "invalid_entity"]);
  });

  it("keeps a request id and echoes it, but replaces one that could forge log lines", async () => {
    const kept = await app.inject({ url: "/who", headers: { ...bearer, "x-request-id": "req-1" } });
    expect([kept.json().id, kept.headers["x-request-id"]]).toEqual(["req-1", "req-1"]);
    const forged = await app.inject({ url: "/who", headers: { ...bearer, "x-request-id": 'a" b' } });
    expect(forged.headers["x-request-id"]).toMatch(/^[0-9a-f-]{36}$/);
    expect(forged.headers["x-ats-version"]).toBeTypeOf("string");
  });
});

describe("bodies", () => {
  const post = (payload: string | Buffer, type = "application/json") =>
    app.inject({ method: "POST", url: "/echo", headers: { ...bearer, "content-type": type }, payload });

  it("keeps the bytes of a JSON body as they came", async () => {
    expect((await post('{ "a" : 1 }')).json()).toEqual({ body: { a: 1 }, raw: '{ "a" : 1 }' });
  });

  it("takes an empty JSON body as none", async () => {
    expect((await post("")).json()).toEqual({ raw: "" });
  });

  it.each(["{", '{"a":1,"a":2}', "nope", "\u00ff"])("answers 400 in plain text to broken JSON %j", async (payload) => {
    const reply = await post(Buffer.from(payload, "latin1"));
    expect([reply.statusCode, reply.headers["content-type"]]).toEqual([400, "text/plain; charset=utf-8"]);
  });

  it("refuses a body nested too deeply or too long", async () => {
    expect((await post("[".repeat(10_000))).statusCode).toBe(413);
    expect((await post(`"${"x".repeat(4_194_304)}"`)).statusCode).toBe(413);
  });

  it("answers 415 to another content type, 404 to an unknown address and 405 to another method", async () => {
    expect((await post("a=1", "application/x-www-form-urlencoded")).statusCode).toBe(415);
    expect((await app.inject({ url: "/nothing", headers: bearer })).statusCode).toBe(404);
    const method = await app.inject({ method: "PUT", url: "/echo?x=1", headers: bearer });
    expect([method.statusCode, method.headers.allow]).toEqual([405, "POST"]);
  });
});

describe("errors", () => {
  it("have the contract's shape", async () => {
    const reply = await app.inject({ url: "/app-error", headers: bearer });
    expect(reply.statusCode).toBe(404);
    expect(reply.json()).toMatchObject({ code: "missing_entity", description: "Missing entity: Thing", cause: null });
  });

  it("tell nothing of an unknown error but an id", async () => {
    const reply = await app.inject({ url: "/bug", headers: bearer });
    expect([reply.statusCode, reply.json().code]).toEqual([500, "internal_server_error"]);
    expect(reply.body).not.toContain("secret detail");
    expect(reply.json().errorId).toMatch(/^[0-9a-f-]{36}$/);
  });

  it("refuse broken percent-encoding without a crash", async () => {
    expect((await app.inject({ url: "/%zz", headers: bearer })).statusCode).toBe(400);
  });
});
