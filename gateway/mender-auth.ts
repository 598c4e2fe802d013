import type { IncomingMessage, ServerResponse } from "node:http";
import { readClaims } from "#lib/contracts/mender.ts";
import type { Log } from "#lib/log/log.ts";
import type { CertificateFacts } from "#lib/pki/certificates.ts";
import {
  acceptPending,
  identityDigest,
  logOutcome,
  type MenderCtx,
  noteAccepted,
  type Preauthorization,
  type Proven,
  preauthorize,
} from "#services/mender/service.ts";
import { ATTEMPT_WINDOW_SECONDS, createAttemptLimiter } from "./attempt-limiter.ts";
import { type BoundedMap, createBoundedMap } from "./bounded-map.ts";
import type { DoorMetrics } from "./door-metrics.ts";
import { type HeldReply, sendAuthRequest } from "./mender-exchange.ts";
import { withLength } from "./mender-headers.ts";
import { type MenderReply, malformed, REPLIES, sendMenderReply } from "./mender-replies.ts";
import { type AuthRequest, isKeyOf, isSignedBy, readAuthRequest } from "./mender-request.ts";
import type { MenderUpstream } from "./mender-upstream.ts";

/** Answers authentication requests of devices that are admitted. */
export type MenderAuth = {
  answer(exchange: Exchange, from: Caller): Promise<void>;
};

type Exchange = { req: IncomingMessage; res: ServerResponse; expectsContinue: boolean };
type Caller = { leaf: CertificateFacts; deviceUuid: string; address: string; requestId: string; log: Log };

const BODY_MAX_BYTES = 1_048_576;
const PREAUTHORIZE_WITHIN_MS = 5_000;
const REMEMBERED = 20_000;
const REMEMBERED_FOR_MS = 300_000;
/** A device asks once each half minute at most; each new identity makes the server remember a device. */
const ATTEMPTS_A_MINUTE = 30;

type Auth = {
  readonly ctx: MenderCtx;
  readonly upstream: MenderUpstream;
  readonly metrics: DoorMetrics;
  /** Until when a request that went well need not be prepared again. */
  readonly settled: BoundedMap<number>;
  /** One preparation for all that ask the same at once. */
  readonly running: Map<string, Promise<Preauthorization>>;
};

/**
 * The order is the contract's: body, key, signature, preauthorization, and then the same bytes to the server, whatever came of the
 * preauthorization. Trouble of ours is a 5xx, never a 401, which would make the client drop the token it holds.
 *
 * @see docs/contracts/mender.md section 5.2 and 8
 */
export function createMenderAuth(options: Pick<Auth, "ctx" | "upstream" | "metrics">): MenderAuth {
  const auth: Auth = { ...options, settled: createBoundedMap(REMEMBERED), running: new Map() };
  const limiter = createAttemptLimiter(options.ctx.clock, ATTEMPTS_A_MINUTE);
  return {
    async answer({ req, res, expectsContinue }, caller) {
      const { requestId, log, leaf } = caller;
      const body = await readBody(req, res, expectsContinue);
      if (body === null) return sendMenderReply(res, REPLIES.tooLarge, requestId);
      if (!limiter.isOpen(leaf.fingerprint)) {
        res.setHeader("retry-after", ATTEMPT_WINDOW_SECONDS);
        return sendMenderReply(res, REPLIES.tooMany, requestId);
      }
      limiter.count(leaf.fingerprint);
      const proven = await prove(auth, req, { body, caller });
      if ("status" in proven) return sendMenderReply(res, proven, requestId);
      try {
        await passOn(auth, { req, res }, { body, proven, caller });
      } catch (err) {
        log.warn({ err }, "an authentication request could not be passed on");
        if (!res.closed) sendMenderReply(res, REPLIES.noUpstream, requestId);
      }
    },
  };
}

/** @returns the proven request, or what is answered instead */
async function prove(
  auth: Auth,
  req: IncomingMessage,
  { body, caller }: { body: Buffer; caller: Caller },
): Promise<Proven | MenderReply> {
  const request = readAuthRequest(body);
  if (typeof request === "string") return malformed(request);
  const signature = req.headers["x-men-signature"];
  if (typeof signature !== "string" || signature === "") return malformed("missing request signature header");
  if (auth.ctx.config.MENDER_KEY_MATCH === "strict" && !isKeyOf(request, caller.leaf)) {
    await logRefusal(auth, { caller, request, outcome: "key_mismatch" });
    return REPLIES.keyMismatch;
  }
  if (!isSignedBy(body, signature, request.key)) {
    await logRefusal(auth, { caller, request, outcome: "bad_signature" });
    return REPLIES.badSignature;
  }
  const { key: _, ...signed } = request;
  return { ...signed, fingerprint: caller.leaf.fingerprint, deviceUuid: caller.deviceUuid };
}

async function logRefusal(
  { ctx, metrics }: Auth,
  it: { caller: Caller; request: AuthRequest; outcome: "key_mismatch" | "bad_signature" },
): Promise<void> {
  const { caller, request, outcome } = it;
  const { deviceUuid, leaf, log } = caller;
  metrics.preauthorized(outcome);
  const attempt = { deviceUuid, fingerprint: leaf.fingerprint, keySha256: "", identityText: request.identityText };
  await logOutcome(ctx, attempt, { outcome }).catch((err) => log.warn({ err }, "a refusal could not be recorded"));
}

async function passOn(
  auth: Auth,
  { req, res }: Pick<Exchange, "req" | "res">,
  { body, proven, caller }: { body: Buffer; proven: Proven; caller: Caller },
): Promise<void> {
  const { ctx, upstream } = auth;
  const key = `${identityDigest(proven.identity)}${proven.keySha256}${proven.fingerprint}`;
  const prepared = await prepare(auth, key, proven);
  if (res.closed) return;
  const gone = new AbortController();
  res.once("close", () => gone.abort());
  const send = () => sendAuthRequest(upstream, req, { ...caller, body, signal: gone.signal });
  let reply = await send();
  if (reply.status === 401) {
    auth.settled.delete(key);
    const waiting = prepared?.acceptAfterRefusal ?? null;
    if (waiting !== null && (await acceptPending(ctx, proven, waiting.menderDeviceId))) reply = await send();
  }
  if (reply.status === 200) await note(ctx, proven, { reply, log: caller.log });
  if (res.headersSent || res.closed) return;
  res.writeHead(reply.status, withLength(reply.headers, reply.body.length));
  res.end(reply.body);
}

/** null: it went well a moment ago. */
async function prepare(auth: Auth, key: string, proven: Proven): Promise<Preauthorization | null> {
  const { ctx, settled, running } = auth;
  const until = settled.get(key);
  if (until !== undefined && ctx.clock().getTime() < until) return null;
  const shared =
    running.get(key) ??
    preauthorize({ ...ctx, signal: AbortSignal.timeout(PREAUTHORIZE_WITHIN_MS) }, proven).finally(() => {
      running.delete(key);
    });
  running.set(key, shared);
  const done = await shared;
  auth.metrics.preauthorized(done.outcome);
  if (done.isSettled) settled.set(key, ctx.clock().getTime() + REMEMBERED_FOR_MS);
  return done;
}

/** What Mender calls the device is in the token that it gave. */
async function note(ctx: MenderCtx, proven: Proven, { reply, log }: { reply: HeldReply; log: Log }): Promise<void> {
  const { sub, jti } = readClaims(reply.body.toString("utf8"));
  if (sub === undefined || jti === undefined) return;
  await noteAccepted(ctx, proven, { menderDeviceId: sub, authSetId: jti }).catch((err) =>
    log.warn({ err }, "what Mender calls a device could not be recorded"),
  );
}

/** null when it is larger than the server takes. */
async function readBody(req: IncomingMessage, res: ServerResponse, expectsContinue: boolean): Promise<Buffer | null> {
  if (Number(req.headers["content-length"] ?? 0) > BODY_MAX_BYTES) return null;
  if (expectsContinue) res.writeContinue();
  const chunks: Buffer[] = [];
  let length = 0;
  return new Promise((done, fail) => {
    req.on("data", (chunk: Buffer) => {
      length += chunk.length;
      if (length > BODY_MAX_BYTES) done(null);
      else chunks.push(chunk);
    });
    req.once("end", () => done(Buffer.concat(chunks)));
    req.once("error", fail);
    req.once("close", () => fail(new Error("the device went away")));
  });
}
