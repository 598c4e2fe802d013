import http from "node:http";
import https from "node:https";
import type { Readable } from "node:stream";
import { finished } from "node:stream/promises";
import { z } from "zod";
import { AppError, isAppError } from "#lib/errors/app-error.ts";
import type { Breaker } from "./breaker.ts";

const LIMITS = { connectMs: 2_000, wholeMs: 15_000, uploadIdleMs: 60_000 };
const REPLY_MAX_BYTES = 16_777_216;

/** On whose behalf; a request's `Ctx` is one. */
export type BackendCall = { readonly namespaceId: string; readonly requestId: string; readonly signal?: AbortSignal };

export type BackendRequest = {
  method: "GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** Path and query below the service's base address. */
  path: string;
  json?: unknown;
  upload?: { body: Readable; contentType: string };
  headers?: Readonly<Record<string, string>>;
  /** Statuses of 400 and above that the caller reads itself. */
  accept?: readonly number[];
  /** Of the whole call, where 15 s are not right. */
  withinMs?: number;
  /** Asks whatever the breaker knows, and tells it. */
  isProbe?: true;
};

/** `version` is what the service says it is, at most 100 characters. */
export type BackendReply = { status: number; body: Buffer; version: string | null };

export type BackendClient = {
  /** As people know it: "director". */
  readonly name: string;
  send(call: BackendCall, request: BackendRequest): Promise<BackendReply>;
  close(): void;
};

/** @param options.token sent as a bearer token; null for a service that asks for none */
export function createBackendClient(options: {
  name: string;
  baseUrl: string;
  token: string | null;
  breaker: Breaker;
  limits?: Partial<typeof LIMITS>;
  /** Authorities its certificate may come from, where the system's own are not right. */
  ca?: readonly string[];
}): BackendClient {
  const limits = { ...LIMITS, ...options.limits };
  const base = new URL(options.baseUrl);
  const transport = base.protocol === "https:" ? https : http;
  const ca = options.ca === undefined ? {} : { ca: [...options.ca] };
  const agent = new transport.Agent({ keepAlive: true, maxSockets: 64, maxFreeSockets: 8, ...ca });
  const authorization = options.token === null ? {} : { authorization: `Bearer ${options.token}` };
  async function attempt(call: BackendCall, request: BackendRequest): Promise<BackendReply> {
    const json = request.json === undefined ? null : Buffer.from(JSON.stringify(request.json));
    const sent = transport.request({
      agent,
      method: request.method,
      host: base.hostname.replace(/^\[|\]$/g, ""),
      ...(base.port === "" ? {} : { port: base.port }),
      path: `${base.pathname.replace(/\/$/, "")}${request.path}`,
      headers: {
        accept: "application/json",
        ...authorization,
        "x-ats-namespace": call.namespaceId,
        "x-request-id": call.requestId,
        ...(json === null ? {} : { "content-type": "application/json", "content-length": json.length }),
        ...(request.upload === undefined ? {} : { "content-type": request.upload.contentType }),
        ...request.headers,
      },
    });
    return exchange(sent, {
      name: options.name,
      call,
      json,
      upload: request.upload?.body ?? null,
      limits: { ...limits, wholeMs: request.withinMs ?? limits.wholeMs },
    });
  }
  async function attempts(call: BackendCall, request: BackendRequest): Promise<BackendReply> {
    const mayRepeat = request.method === "GET" && request.isProbe !== true;
    try {
      const reply = await attempt(call, request);
      return mayRepeat && [502, 503, 504].includes(reply.status) ? await attempt(call, request) : reply;
    } catch (error) {
      if (!mayRepeat || !isAppError(error, "backend.unreachable") || call.signal?.aborted) throw error;
      return attempt(call, request);
    }
  }
  async function guarded(call: BackendCall, request: BackendRequest): Promise<BackendReply> {
    const isFailure = (error: unknown) => isUnanswered(error, call, request);
    if (request.isProbe !== true) return options.breaker.run(() => attempts(call, request), { isFailure });
    try {
      const reply = await attempts(call, request);
      options.breaker.record(true);
      return reply;
    } catch (error) {
      if (isFailure(error)) options.breaker.record(false);
      throw error;
    }
  }
  return {
    name: options.name,
    async send(call, request) {
      const reply = await guarded(call, request);
      if (reply.status < 300 || request.accept?.includes(reply.status)) return reply;
      throw refusal(options.name, reply);
    },
    close: () => agent.destroy(),
  };
}

/** @throws AppError `backend.invalid_reply` */
export function parseReply<T extends z.ZodType>(client: BackendClient, reply: BackendReply, schema: T): z.infer<T> {
  try {
    return schema.parse(JSON.parse(reply.body.toString("utf8")));
  } catch (cause) {
    throw new AppError(
      "backend.invalid_reply",
      `The ${client.name} answered something that its contract does not allow.`,
      {
        cause,
        context: { service: client.name, status: reply.status },
      },
    );
  }
}

function exchange(
  sent: http.ClientRequest,
  options: {
    name: string;
    call: BackendCall;
    json: Buffer | null;
    upload: Readable | null;
    limits: typeof LIMITS;
  },
): Promise<BackendReply> {
  const { name, call, upload, limits } = options;
  return new Promise((resolve, reject) => {
    let broken: unknown; // why we ended it ourselves: the socket then only knows that it was closed
    const breakOff = (why: unknown) => {
      broken ??= why;
      sent.destroy();
    };
    const connecting = setTimeout(() => breakOff(silent(name)), limits.connectMs);
    const whole = upload === null ? setTimeout(() => breakOff(slow(name)), limits.wholeMs) : undefined;
    if (upload !== null) sent.setTimeout(limits.uploadIdleMs, () => breakOff(slow(name)));
    const abort = () => breakOff(new AppError("backend.unreachable", `The call to the ${name} was given up.`));
    call.signal?.addEventListener("abort", abort, { once: true });
    const settle = (end: () => void) => {
      clearTimeout(connecting);
      clearTimeout(whole);
      call.signal?.removeEventListener("abort", abort);
      end();
    };
    const fail = (error: unknown) => settle(() => reject(broken ?? translate(name, error)));
    const connected = () => clearTimeout(connecting);
    sent.once("socket", (socket) => (socket.connecting ? socket.once("connect", connected) : connected()));
    sent.on("error", fail);
    sent.once("response", (res) => {
      collect(res, name).then((body) => {
        settle(() => resolve({ status: res.statusCode ?? 0, body, version: versionOf(res) }));
        if (!sent.writableFinished) sent.destroy(); // it answered before it had all: nothing more to send
      }, fail);
    });
    if (call.signal?.aborted) abort();
    if (upload === null) {
      sent.end(options.json ?? undefined);
      return;
    }
    // The body's own failure (the browser went away) ends the call, with that failure as its outcome.
    upload.once("error", breakOff);
    sent.once("close", () => upload.destroy());
    upload.pipe(sent);
  });
}

/** An upload may be silent because of whoever uploads, and a caller who left says nothing about the service. */
function isUnanswered(error: unknown, call: BackendCall, request: BackendRequest): boolean {
  if (call.signal?.aborted) return false;
  if (isAppError(error, "backend.unreachable")) return true;
  return isAppError(error, "backend.timeout") && request.upload === undefined;
}

function versionOf({ headers }: http.IncomingMessage): string | null {
  const version = headers["x-ats-version"];
  return typeof version === "string" && version !== "" ? version.slice(0, 100) : null;
}

async function collect(res: http.IncomingMessage, name: string): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  res.on("data", (chunk: Buffer) => {
    length += chunk.length;
    if (length > REPLY_MAX_BYTES) {
      res.destroy(new AppError("backend.invalid_reply", `The ${name}'s answer is too long to be right.`));
    } else chunks.push(chunk);
  });
  await finished(res);
  return Buffer.concat(chunks);
}

function translate(name: string, error: unknown): unknown {
  if (error instanceof AppError) return error;
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  // Not the network's doing: the body that was being sent broke.
  if (!/^(E[A-Z_]+|HPE_.*|CERT_.*|UNABLE_TO_.*|DEPTH_ZERO.*|SELF_SIGNED.*)$/.test(code)) return error;
  return new AppError("backend.unreachable", `The ${name} does not answer (${code}).`, {
    cause: error,
    context: { service: name, reason: code },
  });
}

function silent(name: string): AppError {
  return new AppError("backend.unreachable", `The ${name} does not answer: no connection in time.`, {
    context: { service: name, reason: "connect_timeout" },
  });
}

function slow(name: string): AppError {
  return new AppError("backend.timeout", `The ${name} took too long. Whether it did what it was asked is not known.`, {
    context: { service: name },
  });
}

const OtaError = z.object({ code: z.string().max(200), description: z.string().max(5_000) });

/** The error of a reply that says no. */
export function refusal(name: string, reply: BackendReply): AppError {
  const parsed = OtaError.safeParse(tryJson(reply.body));
  const code = parsed.success ? parsed.data.code : null;
  const why = parsed.success ? parsed.data.description : `status ${reply.status}`;
  return new AppError("backend.refused", `The ${name} refused: ${why}`, {
    context: { service: name, status: reply.status, code },
  });
}

function tryJson(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString("utf8"));
  } catch {
    return null; // plain text answers are allowed by the contract
  }
}
