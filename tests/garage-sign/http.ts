import http from "node:http";
import https from "node:https";
import { buffer } from "node:stream/consumers";
import { setTimeout as delay } from "node:timers/promises";
import { gzipSync } from "node:zlib";

export type ToolOptions = {
  /** `tufrepo.url` of the credentials: everything before `api/v1/user_repo/`. */
  readonly repoUrl: string;
  /** Of every request but those to object storage, e.g. `authorization`. */
  readonly headers: () => Readonly<Record<string, string>> | Promise<Readonly<Record<string, string>>>;
  /** For https: the server's CA, the client's certificate. */
  readonly tls?: https.AgentOptions;
  /** Bodies from this size on are compressed. */
  readonly gzipMinBytes?: number;
  /** Where an upload address that the server gave out is reached from here. */
  readonly reach?: (uri: string) => string;
  /** The first pause before an upload call is sent again; it doubles. */
  readonly backOffMs?: number;
};

export type Answer = { status: number; headers: http.IncomingHttpHeaders; body: Buffer };

/** An answer that the tool ends with. */
export class ToolError extends Error {
  override readonly name = "ToolError";
  readonly status: number;
  readonly code: string | null;
  /** `cause` of the error body: reasons, or what is to be signed. */
  readonly reasons: unknown;

  constructor(what: string, { status, body }: Answer) {
    const error = parseError(body);
    super(`${what}: ${status} ${error.code ?? ""}`);
    this.status = status;
    this.code = error.code;
    this.reasons = error.cause;
  }
}

export type Connection = ReturnType<typeof connect>;

const GZIP_MIN_BYTES = 500_000;
const RETRIED = new Set([429, 500, 502, 503, 504]);
const RETRIES = 6;

/** The tool's way of talking: bearer header, gzip for what is long, back-off for upload calls. @see docs/contracts/aktualizr-client.md, garage-sign */
export function connect(options: ToolOptions) {
  const base = new URL(`${options.repoUrl.replace(/\/$/, "")}/api/v1/user_repo/`);
  const agent = base.protocol === "https:" ? new https.Agent(options.tls) : new http.Agent();

  async function send(
    method: string,
    url: URL,
    { headers = {}, body }: { headers?: Record<string, string>; body?: Buffer | undefined },
  ): Promise<Answer> {
    const own = url.hostname.endsWith(".amazonaws.com") ? {} : await options.headers();
    const request = url.protocol === "https:" ? https.request : http.request;
    return new Promise((resolve, reject) => {
      const length = body === undefined ? {} : { "content-length": `${body.length}` };
      const req = request(url, { method, agent, headers: { ...own, ...length, ...headers } });
      req.on("error", reject);
      req.on("response", (res) => {
        buffer(res).then(
          (received) => resolve({ status: res.statusCode ?? 0, headers: res.headers, body: received }),
          reject,
        );
      });
      req.end(body);
    });
  }

  type Content = { json?: unknown; body?: Buffer; headers?: Record<string, string> };
  async function call(method: string, path: string, content: Content = {}): Promise<Answer> {
    const plain = content.json === undefined ? undefined : Buffer.from(JSON.stringify(content.json));
    const isLong = plain !== undefined && plain.length >= (options.gzipMinBytes ?? GZIP_MIN_BYTES);
    const headers = {
      ...(plain === undefined ? {} : { "content-type": "application/json" }),
      ...(isLong ? { "content-encoding": "gzip" } : {}),
      ...content.headers,
    };
    return send(method, new URL(path, base), { headers, body: isLong ? gzipSync(plain) : (plain ?? content.body) });
  }

  /** Sent again when the server is busy or broken: only upload calls are. */
  async function persist(attempt: () => Promise<Answer>): Promise<Answer> {
    let pauseMs = options.backOffMs ?? 1_000;
    for (let left = RETRIES; ; left -= 1) {
      const answer = await attempt();
      if (!RETRIED.has(answer.status) || left === 0) return answer;
      await delay(pauseMs);
      pauseMs *= 2;
    }
  }

  const reach = (uri: string) => new URL((options.reach ?? ((same) => same))(uri));
  return { call, persist, put: (uri: string, content: Parameters<typeof send>[2]) => send("PUT", reach(uri), content) };
}

/** Any 2xx is success. */
export function expectSuccess(what: string, answer: Answer): Answer {
  if (answer.status >= 200 && answer.status < 300) return answer;
  throw new ToolError(what, answer);
}

function parseError(body: Buffer): { code: string | null; cause: unknown } {
  try {
    const { code, cause } = JSON.parse(body.toString("utf8")) as { code?: unknown; cause?: unknown };
    return { code: typeof code === "string" ? code : null, cause };
  } catch {
    return { code: null, cause: null };
  }
}
