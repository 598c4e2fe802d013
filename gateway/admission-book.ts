import { randomUUID } from "node:crypto";
import type { Ctx } from "#lib/ctx.ts";
import { ADMISSION_CHANNEL, notify } from "#lib/db/events.ts";
import { listen } from "#lib/db/listen.ts";
import { type AdmissionDecision, decideAdmission, type KnownAuthority } from "#lib/pki/admission.ts";
import type { CertificateFacts } from "#lib/pki/certificates.ts";
import { isSignedBy } from "#lib/pki/issuer.ts";
import { type AdmissionFacts, listKnownAuthorities, readAdmissionFacts } from "#services/identity/service.ts";
import { createBoundedMap } from "./bounded-map.ts";

export type AdmissionBook = {
  /** The decision on this leaf now; null when nobody can know: answer 503. */
  decide(leaf: CertificateFacts | "malformed" | null): Promise<AdmissionDecision | null>;
  /** Forgets what is known of a certificate whose record this process has just changed. */
  forget(fingerprint: string): void;
  /** Calls back when decisions may have changed: with the fingerprint, or null for all. Ask again then, and cut. */
  follow(onChange: (fingerprint: string | null) => void): void;
  /** False once the database has not been heard from for ADMISSION_STALE_SECONDS. */
  isFresh(): boolean;
  close(): Promise<void>;
};

const REMEMBERED_CERTIFICATES = 20_000;
const READ_WITHIN_MS = 3_000;
/** How long a request waits for the database when there is a remembered answer to fall back to. */
const RECHECK_WITHIN_MS = 500;

/**
 * Opens the gateway's memory of who may come in.
 *
 * It trusts what it remembers only while it follows the database's notifications; a ping that travels through the database and back
 * proves that it does, even when a connection hangs without breaking. While the connection is lost it asks the database each
 * time, and falls back to its memory until that is ADMISSION_STALE_SECONDS old.
 */
export async function openAdmissionBook(ctx: Ctx, databaseUrl: string): Promise<AdmissionBook> {
  const staleMs = ctx.config.ADMISSION_STALE_SECONDS * 1_000;
  const facts = createBoundedMap<AdmissionFacts>(REMEMBERED_CERTIFICATES);
  const signatures = createBoundedMap<boolean>(REMEMBERED_CERTIFICATES);
  const reads = new Map<string, Promise<AdmissionFacts>>();
  const ping = `ping:${randomUUID()}`;
  let authorities: Promise<KnownAuthority[]> | null = null;
  let heardAt = Number.NEGATIVE_INFINITY;
  let generation = 0;
  let announce: (fingerprint: string | null) => void = () => undefined;

  function forget(fingerprint: string): void {
    generation += 1;
    facts.delete(fingerprint);
    reads.delete(fingerprint);
  }

  function forgetAll(): void {
    generation += 1;
    facts.clear();
    reads.clear();
    authorities = null;
    announce(null);
  }

  const listener = await listen({
    databaseUrl,
    channels: [ADMISSION_CHANNEL],
    log: ctx.log,
    onNotify(_channel, payload) {
      if (payload === ping) heardAt = performance.now();
      else if (payload === "*") forgetAll();
      else if (!payload.startsWith("ping:")) {
        forget(payload);
        announce(payload);
      }
    },
    onReconnect() {
      heardAt = performance.now();
      forgetAll();
    },
  });
  const pinging = setInterval(
    () => notify(ctx.db, ADMISSION_CHANNEL, ping).catch((err) => ctx.log.warn({ err }, "the database does not answer")),
    Math.min(2_000, staleMs / 4),
  );

  async function readFacts(leaf: CertificateFacts): Promise<AdmissionFacts> {
    const running = reads.get(leaf.fingerprint);
    if (running !== undefined) return running;
    const startedAt = generation;
    const reading = readAdmissionFacts(ctx.db, ctx.namespaceId, leaf);
    reads.set(leaf.fingerprint, reading);
    try {
      const found = await reading;
      // Read before a change, told after it: read again, and not to be remembered.
      if (generation !== startedAt) return await readAdmissionFacts(ctx.db, ctx.namespaceId, leaf);
      if (isSettled(found)) facts.set(leaf.fingerprint, found);
      return found;
    } finally {
      if (reads.get(leaf.fingerprint) === reading) reads.delete(leaf.fingerprint);
    }
  }

  async function factsOf(leaf: CertificateFacts): Promise<AdmissionFacts> {
    const remembered = facts.get(leaf.fingerprint);
    if (remembered !== undefined && listener.connected()) return remembered;
    const read = readFacts(leaf);
    if (remembered === undefined) return within(read, READ_WITHIN_MS);
    return within(read, RECHECK_WITHIN_MS).catch(() => remembered);
  }

  function verifySignature(leaf: CertificateFacts, authority: CertificateFacts): boolean {
    const key = `${leaf.fingerprint}${authority.fingerprint}`;
    const known = signatures.get(key);
    if (known !== undefined) return known;
    const verified = isSignedBy(leaf, authority);
    signatures.set(key, verified);
    return verified;
  }

  async function knownAuthorities(): Promise<KnownAuthority[]> {
    authorities ??= listKnownAuthorities(ctx);
    const loading = authorities;
    try {
      return await within(loading, READ_WITHIN_MS);
    } catch (error) {
      if (authorities === loading) authorities = null;
      throw error;
    }
  }

  async function decideFresh(leaf: CertificateFacts): Promise<AdmissionDecision> {
    const question = { leaf, authorities: await knownAuthorities(), now: ctx.clock(), verifySignature };
    // Strangers are refused without asking the database, so that they cost it nothing.
    const stranger = decideAdmission({ ...question, ...NOTHING_KNOWN });
    if (!stranger.admitted && stranger.authorityId === null) return stranger;
    return decideAdmission({ ...question, ...(await factsOf(leaf)) });
  }

  const isFresh = () => performance.now() - heardAt <= staleMs;
  return {
    forget,
    isFresh,
    follow(onChange) {
      announce = onChange;
    },
    async decide(leaf) {
      if (leaf === null || leaf === "malformed") {
        return decideAdmission({ leaf, authorities: [], now: ctx.clock(), ...NOTHING_KNOWN });
      }
      if (!isFresh()) return null;
      try {
        return await decideFresh(leaf);
      } catch (err) {
        ctx.log.warn({ err, fingerprint: leaf.fingerprint }, "admission can't be decided");
        return null;
      }
    },
    async close() {
      clearInterval(pinging);
      await listener.close();
    },
  };
}

/** Newcomers and waiting certificates depend on other certificates too, so they are read each time. */
function isSettled(found: AdmissionFacts): boolean {
  return found.known !== null && found.known.state !== "pending";
}

const NOTHING_KNOWN = { known: null, allowlisted: false, otherAllowedCount: 0 } as const;

/** Rejects when `work` takes longer; the work itself goes on. */
async function within<T>(work: Promise<T>, milliseconds: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${milliseconds} ms`)), milliseconds);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
