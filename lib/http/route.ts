import type { z } from "zod";
import { type Actor, requirePermission } from "#lib/authz/actor.ts";
import type { BackendCtx } from "#lib/backends/backends.ts";
import type { Endpoint, Method } from "#lib/contracts/console/endpoint.ts";
import { type Console, consoleLog, getConsole } from "#lib/data/context.ts";
import { ctxOfRequest, findActor, readRequestFacts } from "#lib/data/request.ts";
import { isDatabaseDown } from "#lib/db/client.ts";
import { AppError } from "#lib/errors/app-error.ts";
import { assertOwnOrigin } from "./origin.ts";
import { API_HEADERS, problemResponse } from "./problem-response.ts";
import { parseParams, parseQuery, readJsonBody } from "./request-input.ts";

/** One method of a console API address, and the contract's row that it answers. */
export type ApiHandler = ((req: Request) => Promise<Response>) & { readonly endpoint: Endpoint };

type Given<P extends z.ZodType, Q extends z.ZodType, B extends z.ZodType> = {
  console: Console;
  ctx: BackendCtx;
  /** For streams: what the contract's schemas do not read. Its `signal` ends with the caller's interest. */
  req: Request;
  params: z.infer<P>;
  query: z.infer<Q>;
  body: z.infer<B>;
};

/** What a route may answer: the reply's content, that with the endpoint's other status, or bytes of its own. */
type Answer<R extends z.ZodType> = z.input<R> | WithStatus<R> | Response;
type WithStatus<R extends z.ZodType> = { readonly [OTHER_STATUS]: true; readonly content: z.input<R> };

const OTHER_STATUS = Symbol("answered with the endpoint's other status");

/** Answers with the endpoint's `otherStatus` (a dry run that creates nothing). */
export function withOtherStatus<T>(content: T): { readonly [OTHER_STATUS]: true; readonly content: T } {
  return { [OTHER_STATUS]: true, content };
}

/**
 * A handler of the console API. In this order, so that nobody learns more than they may: who asks (401), from which site and
 * with which permission (403), then address, query and body (400, 413, 415), then the use case, which asks for the permission again.
 * The reply is narrowed by the contract's schema: what it does not name does not leave.
 */
export function route<P extends z.ZodType, Q extends z.ZodType, B extends z.ZodType, R extends z.ZodType>(
  endpoint: Endpoint<P, Q, B, R>,
  run: (given: Given<P, Q, B> & { actor: Actor }) => Promise<Answer<R>>,
): ApiHandler {
  if (endpoint.permission === "public") throw new Error(`${endpoint.path} is public: use publicRoute`);
  const { permission } = endpoint;
  return handler(endpoint, async (given) => {
    const actor = await findActor(given.console, given.ctx, given.req.headers);
    if (actor === null) throw new AppError("auth.required", "Sign in, or send an API token as a bearer token.");
    if (actor.kind === "user") assertOwnOrigin(given.req, given.console.config.publicUrl, true);
    requirePermission(actor, permission);
    return run({ ...(await readInput(endpoint, given)), actor });
  });
}

/** A handler that needs no sign-in. */
export function publicRoute<P extends z.ZodType, Q extends z.ZodType, B extends z.ZodType, R extends z.ZodType>(
  endpoint: Endpoint<P, Q, B, R>,
  run: (given: Given<P, Q, B> & { address: string }) => Promise<Answer<R>>,
): ApiHandler {
  if (endpoint.permission !== "public") throw new Error(`${endpoint.path} is not public: use route`);
  return handler(endpoint, async (given) => {
    assertOwnOrigin(given.req, given.console.config.publicUrl, false);
    const { address } = readRequestFacts(given.req.headers);
    return run({ ...(await readInput(endpoint, given)), address });
  });
}

/** A handler outside the contract's table (next-auth, health): only its errors are ours. */
export function plainRoute<A extends unknown[]>(
  run: (req: Request, ...rest: A) => Promise<Response>,
): (req: Request, ...rest: A) => Promise<Response> {
  return async (req, ...rest) => {
    try {
      return await run(req, ...rest);
    } catch (error) {
      return refuse(error, req);
    }
  };
}

const VERBS = ["GET", "POST", "PUT", "PATCH", "DELETE"] as const;
type Verb = (typeof VERBS)[number];
type Exported = (req: Request) => Promise<Response>;

/** What a route file exports: the methods it has, and for every other one a refusal that names them. */
export function methods(...handlers: ApiHandler[]): Record<Verb | "OPTIONS", Exported> {
  const allow = [...handlers.map(({ endpoint }) => endpoint.method), "OPTIONS"].join(", ");
  const byVerb = new Map<Method | Verb, Exported>(handlers.map((it) => [it.endpoint.method, it]));
  const refused: Exported = async (req) => {
    const response = await refuse(new AppError("request.method_not_allowed", `This address has ${allow}.`), req);
    response.headers.set("allow", allow);
    return response;
  };
  const told: Exported = async () => new Response(null, { status: 204, headers: { ...API_HEADERS, allow } });
  const of = (verb: Verb) => byVerb.get(verb) ?? refused;
  return {
    GET: of("GET"),
    POST: of("POST"),
    PUT: of("PUT"),
    PATCH: of("PATCH"),
    DELETE: of("DELETE"),
    OPTIONS: told,
  };
}

/** Every unknown address below /api. */
export const notFound: Exported = async (req) =>
  refuse(new AppError("request.not_found", "There is nothing at this address."), req);

type Bare = { console: Console; ctx: BackendCtx; req: Request };

function handler<P extends z.ZodType, Q extends z.ZodType, B extends z.ZodType, R extends z.ZodType>(
  endpoint: Endpoint<P, Q, B, R>,
  run: (given: Bare) => Promise<Answer<R>>,
): ApiHandler {
  const handle = async (req: Request) => {
    try {
      const console = await getConsole();
      const ctx = ctxOfRequest(console, req.headers);
      return toResponse(endpoint, await run({ console, ctx, req }), ctx.requestId);
    } catch (error) {
      return refuse(error, req);
    }
  };
  // Endpoint's parameters only say what `run` was given; who reads the row later needs them no more.
  return Object.assign(handle, { endpoint: endpoint as Endpoint });
}

async function readInput<P extends z.ZodType, Q extends z.ZodType, B extends z.ZodType>(
  endpoint: Endpoint<P, Q, B>,
  given: Bare,
): Promise<Given<P, Q, B>> {
  const url = new URL(given.req.url);
  const params = parseParams(endpoint, url.pathname);
  const query = parseQuery(endpoint, url.searchParams);
  const body = await readJsonBody(endpoint, given.req);
  return { ...given, params, query, body };
}

function toResponse<R extends z.ZodType>(
  endpoint: Endpoint<z.ZodType, z.ZodType, z.ZodType, R>,
  answer: Answer<R>,
  requestId: string,
): Response {
  if (answer instanceof Response) return answer;
  const other = isWithStatus<R>(answer);
  const content = endpoint.reply.parse(other ? answer.content : answer);
  const status = other ? endpoint.otherStatus : endpoint.status;
  return Response.json(content, { status: status ?? 200, headers: { ...API_HEADERS, "x-request-id": requestId } });
}

function isWithStatus<R extends z.ZodType>(answer: Answer<R>): answer is WithStatus<R> {
  return typeof answer === "object" && answer !== null && OTHER_STATUS in answer;
}

async function refuse(error: unknown, req: Request): Promise<Response> {
  const { requestId } = readRequestFacts(req.headers);
  const known = isDatabaseDown(error)
    ? new AppError("database.unreachable", "The database does not answer. Try again in a moment.", { cause: error })
    : error;
  return problemResponse(known, { requestId, log: await consoleLog() });
}
