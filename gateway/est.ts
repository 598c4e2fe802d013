import type { IncomingMessage, ServerResponse } from "node:http";
import { isAppError } from "#lib/errors/app-error.ts";
import { requestAttributes } from "#lib/pki/pkcs7.ts";
import {
  type EnrolmentAnswer,
  enrolDevice,
  judgeToken,
  type Published,
  REQUEST_MAX_BYTES,
  readPublished,
  readPublishedFor,
  refuseEnrolment,
  renewCertificate,
} from "#services/enrolment/service.ts";
import { type Admission, decide } from "./admission.ts";
import { type AttemptLimiter, createAttemptLimiter } from "./attempt-limiter.ts";
import type { DoorMetrics } from "./door-metrics.ts";
import { EST_OPERATIONS, type EstPath, readEstPath } from "./est-path.ts";
import { ISSUED, sendBase64, sendCertificates, sendReason } from "./est-replies.ts";
import type { Peer } from "./peer.ts";
import { type DoorReply, NO_UPSTREAM, nowhere, TOO_LARGE, UNAVAILABLE, UPSTREAM_TOO_LATE } from "./replies.ts";
import { drain } from "./tls-door.ts";
import { readBasic } from "./tools-auth.ts";

/** Enrolment over secure transport: how devices get and renew their certificates without a person at the device. */
export type Est = {
  handle(exchange: Exchange, peer: Peer): Promise<void>;
};

type Exchange = { readonly req: IncomingMessage; readonly res: ServerResponse; readonly expectsContinue: boolean };

const FAILURES_PER_MINUTE = 60;
/** Not what we lack ourselves. */
const COUNTED: ReadonlySet<number> = new Set([400, 401, 403, 409, 429]);
const PUBLISHED_FOR_MS = 10_000;

type State = {
  readonly admission: Admission;
  readonly metrics: DoorMetrics;
  /** Counts refused attempts by address. */
  readonly failures: AttemptLimiter;
  readonly published: () => Promise<Published>;
};

/**
 * Serves `/.well-known/est` on the device door.
 *
 * What proves a device is an enrolment token, or a certificate that the door's one admission decision lets in; never the one when the other
 * was shown and is wrong. Certificates of authorities and wishes about requests are for everybody.
 *
 * @see RFC 7030 sections 3.2, 4.1, 4.2 and 4.5
 */
export function createEst(admission: Admission, metrics: DoorMetrics): Est {
  const { clock } = admission.ctx;
  const failures = createAttemptLimiter(clock, FAILURES_PER_MINUTE);
  const state: State = { admission, metrics, failures, published: rememberPublished(admission) };
  return { handle: (exchange, peer) => handle(state, exchange, peer) };
}

async function handle(state: State, exchange: Exchange, peer: Peer): Promise<void> {
  const { req, res } = exchange;
  const path = readEstPath(req.url ?? "");
  const method = path === null ? null : EST_OPERATIONS[path.operation];
  if (path === null || req.method !== method) {
    if (!exchange.expectsContinue) await drain(req);
    sendReason(res, path === null ? nowhere(404, []) : nowhere(405, method === null ? [] : [method]));
    return;
  }
  if (path.operation === "cacerts") return answerCertificates(state, { exchange, peer, path });
  if (path.operation === "csrattrs") return sendBase64(res, "application/csrattrs", requestAttributes());
  if (!state.failures.isOpen(peer.address)) {
    if (!exchange.expectsContinue) await drain(req);
    return sendReason(res, TOO_MANY);
  }
  const answer = await answerRequest(state, { exchange, peer, path });
  if ("certificateDer" in answer) {
    state.metrics.decided(path.operation === "simpleenroll" ? "enrolled" : "renewed");
    return sendCertificates(res, [{ der: answer.certificateDer }], ISSUED);
  }
  const reply = "refusal" in answer ? answer.refusal : answer.reply;
  state.metrics.decided(reply.code);
  if ("refusal" in answer) {
    state.admission.log.refused(peer, answer.refusal);
    if (COUNTED.has(answer.refusal.status)) state.failures.count(peer.address);
  }
  sendReason(res, reply);
}

async function answerCertificates(state: State, { exchange, peer, path: { label } }: Asked): Promise<void> {
  const { res } = exchange;
  const decision = peer.leaf === null ? null : await state.admission.book.decide(peer);
  const deviceUuid = decision?.admitted === true && !decision.newcomer && !decision.canary ? decision.deviceUuid : null;
  const { all, labels } = await (deviceUuid === null
    ? state.published()
    : readPublishedFor(state.admission.ctx, deviceUuid));
  const certificates = label === null ? all : labels.get(label);
  if (certificates === undefined) sendReason(res, nowhere(404, []));
  else sendCertificates(res, certificates);
}

type Asked = { readonly exchange: Exchange; readonly peer: Peer; readonly path: EstPath };
type Answer = EnrolmentAnswer | { readonly reply: DoorReply };

async function answerRequest(state: State, asked: Asked): Promise<Answer> {
  const { exchange, peer } = asked;
  const authorization = asked.path.operation === "simpleenroll" ? exchange.req.headers.authorization : undefined;
  if (authorization === undefined && peer.leaf === null) {
    if (!exchange.expectsContinue) await drain(exchange.req);
    // Some clients ask without anything first, to be told what to show: that is no attempt.
    return { reply: asked.path.operation === "simpleenroll" ? NOT_AUTHENTICATED : NO_CERTIFICATE };
  }
  const body = await readBody(exchange);
  if (!Buffer.isBuffer(body)) return { reply: body };
  try {
    return await (authorization === undefined
      ? byCertificate(state, asked, body)
      : byToken(state, asked, { authorization, body }));
  } catch (error) {
    if (!isAppError(error) || !error.code.startsWith("backend.")) throw error;
    state.admission.ctx.log.warn({ err: error }, "a device could not be enrolled");
    return { reply: error.code === "backend.timeout" ? UPSTREAM_TOO_LATE : NO_UPSTREAM };
  }
}

async function byToken(
  { admission: { ctx } }: State,
  { path, peer: { address } }: Asked,
  { authorization, body }: { authorization: string; body: Buffer },
): Promise<Answer> {
  const bearer = /^bearer +([A-Za-z0-9._~+/=-]+)$/i.exec(authorization)?.[1];
  const basic = readBasic(authorization);
  const judged = await judgeToken(ctx, bearer ?? basic?.secret ?? "");
  if ("refusal" in judged) return judged;
  return enrolDevice(ctx, judged, { body, label: path.label, wish: basic?.clientId ?? null, address });
}

/** The refusals of the admission decision leave their traces there. */
async function byCertificate({ admission }: State, { peer, path }: Asked, body: Buffer): Promise<Answer> {
  const decision = await decide(admission, peer);
  if (decision === null) return { reply: UNAVAILABLE };
  if (!decision.admitted) {
    const { status, code, sentence } = decision;
    return { reply: { status, code, sentence, close: true } };
  }
  // What measures revocation is no device, and gets nothing that outlives its hour.
  if (decision.canary) return refuseEnrolment("renewal_not_in_place");
  return renewCertificate(admission.ctx, { fingerprint: decision.fingerprint, body, label: path.label });
}

/** Reads to the end, so that the reply reaches a client that is still sending; keeps what fits. */
async function readBody({ req, res, expectsContinue }: Exchange): Promise<Buffer | DoorReply> {
  if (!/^application\/pkcs10\s*(;|$)/i.test(req.headers["content-type"] ?? "")) {
    if (!expectsContinue) await drain(req);
    return WRONG_TYPE;
  }
  if (expectsContinue) res.writeContinue();
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of req as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > 64 * REQUEST_MAX_BYTES) break;
    if (bytes <= REQUEST_MAX_BYTES) chunks.push(chunk);
  }
  return bytes > REQUEST_MAX_BYTES ? TOO_LARGE : Buffer.concat(chunks);
}

/** Anybody may ask for these, so the database is asked every few seconds at most. */
function rememberPublished({ ctx }: Admission): () => Promise<Published> {
  let kept: { readonly until: number; readonly published: Promise<Published> } | null = null;
  return () => {
    const now = performance.now();
    if (kept !== null && now < kept.until) return kept.published;
    const published = readPublished(ctx);
    kept = { until: now + PUBLISHED_FOR_MS, published };
    published.catch(() => {
      kept = null;
    });
    return published;
  };
}

const NOT_AUTHENTICATED: DoorReply = {
  status: 401,
  code: "not_authenticated",
  sentence: "Show an enrolment token by HTTP Basic or Bearer, or a certificate that is let in here.",
};

const NO_CERTIFICATE: DoorReply = {
  status: 403,
  code: "no_certificate",
  sentence: "A certificate is renewed over a connection that shows it, and none was shown.",
};

const WRONG_TYPE: DoorReply = {
  status: 400,
  code: "wrong_content_type",
  sentence: "The body must be a PKCS#10 request in base64, with content type application/pkcs10.",
};

const TOO_MANY: DoorReply = {
  status: 429,
  code: "too_many_attempts",
  sentence: "Too many attempts were refused from this address. Try again in a minute.",
};
