import { createHash } from "node:crypto";
import type { Ctx } from "#lib/ctx.ts";
import { isAppError } from "#lib/errors/app-error.ts";
import { plainSerial } from "#lib/pki/crl.ts";
import {
  type IssuerDigests,
  isAskedAbout,
  issuerDigests,
  type OcspResponder,
  type OcspStatus,
  ocspError,
  signOcspResponse,
} from "#lib/pki/ocsp.ts";
import { type CertificateId, type OcspRequest, parseOcspRequest } from "#lib/pki/ocsp-request.ts";
import { listRevokingAuthorities, type RevokingAuthority } from "#services/authorities/service.ts";
import { openResponder } from "./responder.ts";
import { fallOf } from "./standing.ts";
import * as store from "./store.ts";

const VALID_MS = 3_600_000;
const REMEMBERED_ANSWERS = 5_000;
/** Anybody may ask, and must not keep the console from its database: who comes beyond that is told to try later. */
export const MOST_QUESTIONS = 32;

/** A signed answer, or one that says without signature why there is none. */
export type OcspAnswer = {
  readonly der: Buffer;
  /** Null: not to be kept by any cache. */
  readonly times: { readonly thisUpdate: Date; readonly nextUpdate: Date } | null;
};

/** What a process keeps between questions. */
export type OcspMemory = {
  /** Questions that the database is being asked about. */
  running: number;
  readonly answers: Map<string, { der: Buffer; thisUpdate: Date; nextUpdate: Date }>;
  readonly responders: Map<string, { responder: OcspResponder; until: Date }>;
  /** By hash and authority, whose certificate never changes. */
  readonly digests: Map<string, IssuerDigests>;
};

export function createOcspMemory(): OcspMemory {
  return { running: 0, answers: new Map(), responders: new Map(), digests: new Map() };
}

/**
 * Answers an OCSP request about certificates of the authorities whose keys are here. What the database says decides each time; only
 * the signature of an answer without nonce is used again, for half of its life.
 *
 * Several certificates in one request have to be of one authority: one signature stands for all. Those of others are `unknown`.
 *
 * @see RFC 6960 section 2.2 (unknown) and 2.3 (unsigned answers), RFC 5019 section 2.2.3 (unauthorized)
 */
export async function answerOcsp(ctx: Ctx, memory: OcspMemory, request: Buffer): Promise<OcspAnswer> {
  let parsed: OcspRequest;
  try {
    parsed = parseOcspRequest(request);
  } catch (error) {
    if (!isAppError(error, "pki.malformed") && !isAppError(error, "request.too_large")) throw error;
    return { der: ocspError("malformedRequest"), times: null };
  }
  if (memory.running >= MOST_QUESTIONS) return { der: ocspError("tryLater"), times: null };
  memory.running += 1;
  try {
    return await answerParsed(ctx, memory, parsed);
  } finally {
    memory.running -= 1;
  }
}

async function answerParsed(ctx: Ctx, memory: OcspMemory, parsed: OcspRequest): Promise<OcspAnswer> {
  const authorities = await listRevokingAuthorities(ctx);
  const now = ctx.clock();
  const authority = authorities.find((it) => it.notAfter > now && parsed.asked.some((id) => isAbout(memory, id, it)));
  if (authority === undefined) return { der: ocspError("unauthorized"), times: null };
  try {
    return await answerFor(ctx, memory, { authority, parsed });
  } catch (err) {
    ctx.log.error({ err, authorityId: authority.id }, "an OCSP question can't be answered");
    return { der: ocspError("tryLater"), times: null };
  }
}

async function answerFor(
  ctx: Ctx,
  memory: OcspMemory,
  { authority, parsed }: { authority: RevokingAuthority; parsed: OcspRequest },
): Promise<OcspAnswer> {
  const now = ctx.clock();
  const answers = await readStatus(
    ctx,
    authority,
    parsed.asked.map((id) => ({ id, isOwn: isAbout(memory, id, authority) })),
  );
  const key = keyOf(authority.id, answers);
  const kept = parsed.nonce === null ? memory.answers.get(key) : undefined;
  if (kept !== undefined && now.getTime() - kept.thisUpdate.getTime() < VALID_MS / 2 && now >= kept.thisUpdate) {
    return { der: kept.der, times: kept };
  }
  const responder = await responderOf(ctx, memory, authority);
  const thisUpdate = new Date(Math.floor(now.getTime() / 1_000) * 1_000);
  const nextUpdate = new Date(thisUpdate.getTime() + VALID_MS);
  const der = signOcspResponse({ responder, answers, thisUpdate, nextUpdate, nonce: parsed.nonce });
  if (parsed.nonce !== null) return { der, times: null };
  remember(memory, key, { der, thisUpdate, nextUpdate });
  return { der, times: { thisUpdate, nextUpdate } };
}

function isAbout({ digests }: OcspMemory, id: CertificateId, authority: RevokingAuthority): boolean {
  return isAskedAbout(id, (hash) => {
    const key = `${hash} ${authority.id}`;
    const known = digests.get(key) ?? issuerDigests({ der: authority.certificateDer }, hash);
    digests.set(key, known);
    return known;
  });
}

async function readStatus(
  ctx: Ctx,
  authority: RevokingAuthority,
  asked: readonly { id: CertificateId; isOwn: boolean }[],
): Promise<(OcspStatus & { id: CertificateId })[]> {
  const own = asked.filter(({ isOwn }) => isOwn);
  const rows = await store.listBySerial(ctx.db, ctx.namespaceId, {
    authorityId: authority.id,
    serials: own.flatMap(({ id }) => spellings(id.serial)),
    now: ctx.clock(),
  });
  return asked.map(({ id, isOwn }) => {
    const found = isOwn ? rows.filter((row) => plainSerial(row.serialHex) === id.serial) : [];
    const falls = found.map((row) => fallOf(row, authority));
    const fallen = falls.find((fall) => fall !== null);
    // Two certificates with one serial are their authority's mistake: one that fell takes the other with it.
    if (fallen) return { id, status: "revoked", ...fallen };
    return { id, status: found.length === 0 ? "unknown" : "good" };
  });
}

/** A serial as parsers print it: with an even number of digits, or with as few as it has. */
function spellings(serial: string): string[] {
  const [sign, digits] = serial.startsWith("-") ? ["-", serial.slice(1)] : ["", serial];
  return [serial, `${sign}0${digits}`, `${sign}00${digits}`];
}

async function responderOf(ctx: Ctx, memory: OcspMemory, authority: RevokingAuthority): Promise<OcspResponder> {
  const known = memory.responders.get(authority.id);
  if (known !== undefined && ctx.clock() < known.until) return known.responder;
  const responder = await openResponder(ctx, authority);
  // Looked at hourly: another process may have replaced it.
  const until = new Date(ctx.clock().getTime() + VALID_MS);
  memory.responders.set(authority.id, { responder, until });
  return responder;
}

function keyOf(authorityId: string, answers: readonly (OcspStatus & { id: CertificateId })[]): string {
  const hash = createHash("sha256").update(authorityId);
  for (const answer of answers) {
    const fall = answer.status === "revoked" ? `${answer.reason} ${answer.at.toISOString()}` : "";
    hash.update(answer.id.der).update(`${answer.status} ${fall}`);
  }
  return hash.digest("hex");
}

function remember(memory: OcspMemory, key: string, answer: { der: Buffer; thisUpdate: Date; nextUpdate: Date }): void {
  memory.answers.delete(key);
  memory.answers.set(key, answer);
  const [oldest] = memory.answers.keys();
  if (memory.answers.size > REMEMBERED_ANSWERS && oldest !== undefined) memory.answers.delete(oldest);
}
