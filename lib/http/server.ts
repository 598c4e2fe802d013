import { randomUUID } from "node:crypto";
import { type FastifyInstance, type FastifyReply, type FastifyRequest, fastify } from "fastify";
import { type Ctx, DEFAULT_NAMESPACE } from "#lib/ctx.ts";
import { isDatabaseDown } from "#lib/db/client.ts";
import { AppError, isAppError } from "#lib/errors/app-error.ts";
import { MACHINE_HEADER, parseMachine } from "#lib/http/machine-header.ts";
import { collectMetrics } from "#lib/http/metrics.ts";
import { toOtaError } from "#lib/http/ota-errors.ts";
import { knownRoutes } from "#lib/http/routes.ts";
import { secretsEqual } from "#lib/keys/master-key.ts";
import { type Json, parseJsonBounded } from "#lib/uptane/json.ts";
import { VERSION } from "#lib/version.ts";

declare module "fastify" {
  interface FastifyRequest {
    /** The process's context with this request's namespace, id and log. */
    ctx: Ctx;
    /** The body's bytes as received, of a JSON body; null for any other. */
    rawBody: Buffer | null;
  }
  interface FastifyContextConfig {
    /** Answers without the services token: health and metrics. */
    open?: boolean;
  }
}

/** Generous for every JSON body of the contracts; a route may lower or raise it with its `bodyLimit`. */
const JSON_BODY_BYTES = 4_194_304;
const JSON_MAX_DEPTH = 64;
const JSON_MAX_NODES = 250_000;
/** A file name has up to 253 characters, each percent-encoded. */
const MAX_PARAM_LENGTH = 1_024;
const SOCKET_IDLE_MS = 120_000;

/**
 * The HTTP server of the embedded OTA Connect services: what contracts/README.md asks of every one of them.
 *
 * - Each call carries `Authorization: Bearer <SERVICES_TOKEN>`, else 401 `{code:"unauthorized"}` before its body is read.
 * - `req.ctx` has the namespace of `x-ats-namespace` (default when absent), the machine client for which a door asks, and the request id,
 *   which the reply echoes.
 * - JSON bodies are parsed within limits by the strict parser of lib/uptane; the bytes stay in `req.rawBody`.
 * - An `AppError` becomes the contract's error body; unknown routes, methods, content types and broken JSON become plain text.
 */
export function createOtaServer(options: { ctx: Ctx; servicesToken: string }): FastifyInstance {
  const app = fastify({
    logger: false,
    bodyLimit: JSON_BODY_BYTES,
    connectionTimeout: SOCKET_IDLE_MS,
    exposeHeadRoutes: false,
    genReqId: (raw) => acceptRequestId(raw.headers["x-request-id"]),
    frameworkErrors: (error, _req, reply) => sendPlain(reply, error.statusCode ?? 400, error.message),
    routerOptions: { maxParamLength: MAX_PARAM_LENGTH },
  });
  const routes = knownRoutes(app);
  app.decorateRequest("ctx");
  app.decorateRequest("rawBody", null);
  app.removeAllContentTypeParsers();
  app.addContentTypeParser("application/json", { parseAs: "buffer" }, async (req: FastifyRequest, body: Buffer) => {
    req.rawBody = body;
    return body.length === 0 ? undefined : parseBody(body);
  });
  app.addHook("onRequest", async (req, reply) => {
    reply.header("x-request-id", req.id);
    reply.header("x-ats-version", VERSION);
    req.ctx = { ...options.ctx, requestId: req.id, log: options.ctx.log.child({ requestId: req.id }) };
    if (req.routeOptions.config.open !== true) assertToken(req.headers.authorization, options.servicesToken);
    const machine = parseMachine(req.headers[MACHINE_HEADER]);
    const namespaceId = acceptNamespace(req.headers["x-ats-namespace"]);
    req.ctx = { ...req.ctx, namespaceId, ...(machine === null ? {} : { machine }) };
  });
  app.setNotFoundHandler((req, reply) => {
    const allowed = routes.methodsAt(req.url);
    if (allowed.length === 0) return sendPlain(reply, 404, "The requested resource could not be found.");
    reply.header("allow", allowed.join(", "));
    return sendPlain(reply, 405, `HTTP method not allowed, supported methods: ${allowed.join(", ")}`);
  });
  app.setErrorHandler((error, req, reply) => sendError(error, req, reply));
  addOperationalRoutes(app, options.ctx);
  closeConnectionsThatBecomeIdle(app);
  return app;
}

/** While closing, Node closes what is idle at that moment only; a kept-open connection that ends its answer later would hold the process. */
function closeConnectionsThatBecomeIdle(app: FastifyInstance): void {
  app.addHook("preClose", async () => {
    const timer = setInterval(() => app.server.closeIdleConnections(), 50);
    app.server.once("close", () => clearInterval(timer));
    timer.unref();
  });
}

function addOperationalRoutes(app: FastifyInstance, ctx: Ctx): void {
  const open = { config: { open: true } };
  const metrics = collectMetrics(app);
  app.get("/health", open, async (_req, reply) => {
    try {
      await ctx.db.$queryRaw`SELECT 1`;
      return { status: "OK" };
    } catch (cause) {
      ctx.log.warn({ err: cause }, "health check: the database does not answer");
      return reply.code(503).send({ status: "DOWN", database: "unreachable" });
    }
  });
  app.get("/health/version", open, async () => ({ name: "gatehouse", version: VERSION }));
  app.get("/metrics", open, async (_req, reply) =>
    reply.type("text/plain; version=0.0.4; charset=utf-8").send(metrics.render()),
  );
}

/** @throws AppError `ota.malformed_body` | `uptane.too_large` */
function parseBody(body: Buffer): Json {
  try {
    return parseJsonBounded(body, { maxBytes: body.length, maxDepth: JSON_MAX_DEPTH, maxNodes: JSON_MAX_NODES });
  } catch (cause) {
    if (!isAppError(cause, "uptane.malformed")) throw cause;
    throw new AppError("ota.malformed_body", `The request content was malformed: ${cause.message}`, { cause });
  }
}

function acceptRequestId(given: string | string[] | undefined): string {
  return typeof given === "string" && /^[A-Za-z0-9._:-]{1,128}$/.test(given) ? given : randomUUID();
}

/** @throws AppError `ota.invalid_entity` */
function acceptNamespace(given: string | string[] | undefined): string {
  if (given === undefined || given === "") return DEFAULT_NAMESPACE;
  if (typeof given === "string" && /^[\x21-\x7e]{1,200}$/.test(given)) return given;
  throw new AppError("ota.invalid_entity", "x-ats-namespace must be one word of at most 200 printable characters.");
}

/** @throws AppError `ota.unauthorized` */
function assertToken(given: string | undefined, servicesToken: string): void {
  const token = /^Bearer (\S+)$/i.exec(given ?? "")?.[1];
  if (token !== undefined && secretsEqual(token, servicesToken)) return;
  throw new AppError("ota.unauthorized", "These services answer only to calls that carry SERVICES_TOKEN.");
}

/**
 * Error handler of target downloads: status and an empty body, because a device writes whatever it gets into the file and
 * resumes after it.
 *
 * @see contracts/aktualizr-client.md section 6
 */
export function sendErrorWithoutBody(error: unknown, req: FastifyRequest, reply: FastifyReply): FastifyReply {
  const { status } = translate(error, req);
  return reply.code(status).removeHeader("content-type").header("content-length", 0).send();
}

function sendError(error: unknown, req: FastifyRequest, reply: FastifyReply): FastifyReply {
  if (isAppError(error, "ota.malformed_body")) return sendPlain(reply, 400, error.message);
  const framework = frameworkStatus(error);
  if (framework !== null) return sendPlain(reply, framework.status, framework.text);
  const { status, body, retryAfterSeconds } = translate(error, req);
  if (retryAfterSeconds !== null) reply.header("retry-after", retryAfterSeconds);
  return reply.code(status).type("application/json").send(body);
}

function translate(error: unknown, req: FastifyRequest): ReturnType<typeof toOtaError> {
  const known = isDatabaseDown(error)
    ? new AppError("internal.unavailable", "The database does not answer right now.", { cause: error })
    : error;
  const translated = toOtaError(known);
  const { status, body, retryAfterSeconds } = translated;
  const facts = { err: known, errorId: body.errorId, method: req.method, route: req.routeOptions.url, status };
  if (status >= 500 && status !== 501 && retryAfterSeconds === null) req.ctx.log.error(facts, "request failed");
  else req.ctx.log.debug(facts, "request refused");
  return translated;
}

/** What Fastify itself refuses before a handler runs. */
function frameworkStatus(error: unknown): { status: number; text: string } | null {
  if (!(error instanceof Error) || !("code" in error) || typeof error.code !== "string") return null;
  if (!error.code.startsWith("FST_ERR_")) return null;
  const status = "statusCode" in error && typeof error.statusCode === "number" ? error.statusCode : 500;
  return status < 500 ? { status, text: error.message } : null;
}

function sendPlain(reply: FastifyReply, status: number, text: string): FastifyReply {
  return reply.code(status).type("text/plain; charset=utf-8").send(text);
}
