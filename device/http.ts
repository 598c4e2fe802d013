import type { IncomingMessage } from "node:http";
import { type RequestOptions, request } from "node:https";
import { type ConnectionOptions, createSecureContext, type SecureContext } from "node:tls";
import { CREDENTIAL_FILES, type CredentialFiles, gatewayUrl } from "#device/credentials.ts";
import { pause } from "#device/pause.ts";
import { AppError, isAppError } from "#lib/errors/app-error.ts";

export type Call = {
  readonly method: "GET" | "PUT" | "POST";
  /** Below the gateway's address, with a leading slash. */
  readonly path: string;
  readonly body?: Uint8Array;
  readonly contentType?: string;
  readonly maxBytes?: number;
};

export type Reply = { readonly status: number; readonly body: Buffer };

export type DeviceHttp = {
  readonly gatewayUrl: string;
  /**
   * One call, repeated like the real client: up to three tries a second apart when the connection fails, the status is
   * 500 or above, or the reply is too large; any 4xx is final and answered as it is.
   *
   * @throws AppError `backend.unreachable` | `backend.timeout` | `uptane.too_large` after the last try
   */
  call(call: Call): Promise<Reply>;
  /** One GET of a whole address without retry, for downloads; the caller reads the stream. */
  open(url: string, headers: Record<string, string>): Promise<IncomingMessage>;
};

/** True for what the client takes as success: 200 to 399. */
export function isOk(status: number): boolean {
  return status >= 200 && status < 400;
}

const CALL_TIMEOUT_MS = 60_000;
const IDLE_TIMEOUT_MS = 60_000;
const MAX_REDIRECTS = 10;
const MAX_TRIES = 3;
const DEFAULT_MAX_BYTES = 65_536;

/**
 * Mutual TLS to the gateway, a new connection for every request and no session resumption, as devices do it. Only the CA
 * that came with the credentials is trusted.
 *
 * @param options.retryDelayMs between tries; a second in the real client
 * @throws AppError `start.failed` when the credentials are unusable
 * @see contracts/aktualizr-client.md section 1
 */
export function createDeviceHttp(
  files: CredentialFiles,
  options: { readonly signal: AbortSignal; readonly retryDelayMs?: number | undefined },
): DeviceHttp {
  const base = gatewayUrl(files);
  const secureContext = openContext(files);
  const send = (outgoing: Outgoing) => follow({ ...outgoing, secureContext }, 0);

  async function attempt(call: Call): Promise<Reply> {
    const signal = AbortSignal.any([options.signal, AbortSignal.timeout(CALL_TIMEOUT_MS)]);
    const headers: Record<string, string> =
      call.body === undefined
        ? {}
        : { "content-type": call.contentType ?? "application/json", "content-length": String(call.body.byteLength) };
    try {
      const res = await send({ method: call.method, url: base + call.path, headers, body: call.body, signal });
      return { status: res.statusCode ?? 0, body: await readBody(res, call.maxBytes ?? DEFAULT_MAX_BYTES) };
    } catch (cause) {
      throw failure(cause, options.signal);
    }
  }

  return {
    gatewayUrl: base,
    async call(call) {
      for (let tried = 1; ; tried += 1) {
        const outcome = await settle(attempt(call));
        if (tried === MAX_TRIES || (outcome.reply !== null && outcome.reply.status < 500)) return unwrap(outcome);
        if (outcome.reply === null && !isRepeatable(outcome.error)) throw outcome.error;
        await pause(options.retryDelayMs ?? 1_000, options.signal);
      }
    },
    async open(url, headers) {
      try {
        return await send({ method: "GET", url, headers, body: undefined, signal: options.signal });
      } catch (cause) {
        throw failure(cause, options.signal);
      }
    },
  };
}

type Outgoing = {
  readonly method: string;
  readonly url: string;
  readonly headers: Record<string, string>;
  readonly body: Uint8Array | undefined;
  readonly signal: AbortSignal;
};

type Outcome = { readonly reply: Reply } | { readonly reply: null; readonly error: unknown };

async function settle(attempt: Promise<Reply>): Promise<Outcome> {
  try {
    return { reply: await attempt };
  } catch (error) {
    return { reply: null, error };
  }
}

function unwrap(outcome: Outcome): Reply {
  if (outcome.reply === null) throw outcome.error;
  return outcome.reply;
}

function isRepeatable(error: unknown): boolean {
  return (
    isAppError(error, "backend.unreachable") ||
    isAppError(error, "backend.timeout") ||
    isAppError(error, "uptane.too_large")
  );
}

function openContext(files: CredentialFiles): SecureContext {
  // An empty text counts as "none" in TLS: the device would come without a certificate, or trust every public CA.
  const missing = CREDENTIAL_FILES.find((name) => files[name].trim() === "");
  if (missing !== undefined) throw new AppError("start.failed", `The credential file ${missing} is empty.`);
  try {
    return createSecureContext({
      key: files["pkey.pem"],
      cert: files["client.pem"],
      ca: files["root.crt"],
      minVersion: "TLSv1.2",
    });
  } catch (cause) {
    throw new AppError("start.failed", "The device's key, certificate or CA cannot be used.", { cause });
  }
}

async function follow(
  outgoing: Outgoing & { secureContext: SecureContext },
  redirects: number,
): Promise<IncomingMessage> {
  const res = await exchange(outgoing);
  const status = res.statusCode ?? 0;
  const { location } = res.headers;
  if (location === undefined || ![301, 302, 303, 307, 308].includes(status)) return res;
  res.resume();
  if (redirects >= MAX_REDIRECTS) throw new AppError("backend.unreachable", "The server redirects without end.");
  const url = new URL(location, outgoing.url).href;
  // The client turns a redirected write into a GET without body on 302 and 303 only.
  const loses = status === 302 || status === 303;
  const next = loses ? { ...outgoing, method: "GET", body: undefined, headers: {} } : outgoing;
  return follow({ ...next, url }, redirects + 1);
}

function exchange(outgoing: Outgoing & { secureContext: SecureContext }): Promise<IncomingMessage> {
  const { method, url, headers, body, signal, secureContext } = outgoing;
  if (!url.startsWith("https://")) throw new AppError("backend.unreachable", "Only https addresses are fetched.");
  return new Promise((resolve, reject) => {
    const options: RequestOptions & Pick<ConnectionOptions, "secureContext"> = {
      method,
      agent: false,
      secureContext,
      signal,
      headers: { "user-agent": "Gatehouse-Simulated-Device/1", accept: "*/*", ...headers },
    };
    const req = request(url, options);
    req.on("response", resolve);
    req.on("error", reject);
    req.setTimeout(IDLE_TIMEOUT_MS, () => req.destroy(new AppError("backend.timeout", "The server went silent.")));
    req.end(body);
  });
}

async function readBody(res: IncomingMessage, maxBytes: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let total = 0;
  for await (const chunk of res) {
    const bytes = Buffer.from(chunk);
    total += bytes.length;
    if (total > maxBytes) {
      res.destroy();
      throw new AppError("uptane.too_large", `The reply is larger than ${maxBytes} bytes.`, { context: { maxBytes } });
    }
    chunks.push(bytes);
  }
  return Buffer.concat(chunks);
}

/** Our own stop passes through as it is; everything else a socket can throw means that the gateway was not reached. */
function failure(cause: unknown, stop: AbortSignal): unknown {
  if (stop.aborted) return stop.reason;
  if (isAppError(cause)) return cause;
  if (cause instanceof Error && cause.name === "TimeoutError") {
    return new AppError("backend.timeout", "The server did not answer in time.", { cause });
  }
  const reason = cause instanceof Error && "code" in cause ? String(cause.code) : null;
  return new AppError("backend.unreachable", "The server cannot be reached.", { cause, context: { reason } });
}
