import { randomUUID } from "node:crypto";
import type { Ctx } from "#lib/ctx.ts";
import { ADMISSION_CHANNEL, notify } from "#lib/db/events.ts";
import { type Listener, listen } from "#lib/db/listen.ts";
import { type AdmissionDecision, decideAdmission } from "#lib/pki/admission.ts";
import type { CertificateFacts } from "#lib/pki/certificates.ts";
import { createFactMemory, type FactMemory } from "./fact-memory.ts";

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

/** Announced on the channel instead of a fingerprint: an authority changed. */
const EVERYTHING = "*";
const PING = "ping:";
const PING_EVERY_MS = 2_000;

/**
 * Opens the gateway's memory of who may come in.
 *
 * It trusts what it remembers only while it follows the database's notifications; a ping that travels through the database and back
 * proves that it does, even when a connection hangs without breaking. While the connection is lost it asks the database each
 * time, and falls back to its memory until that is ADMISSION_STALE_SECONDS old.
 */
export async function openAdmissionBook(ctx: Ctx, databaseUrl: string): Promise<AdmissionBook> {
  const staleMs = ctx.config.ADMISSION_STALE_SECONDS * 1_000;
  const ping = `${PING}${randomUUID()}`;
  let listener: Listener | null = null;
  let heardAt = Number.NEGATIVE_INFINITY;
  let announce: (fingerprint: string | null) => void = () => undefined;
  const memory = createFactMemory(ctx, () => listener?.connected() ?? false);

  function changed(fingerprint: string | null): void {
    if (fingerprint === null) memory.forgetAll();
    else memory.forget(fingerprint);
    announce(fingerprint);
  }

  listener = await listen({
    databaseUrl,
    channels: [ADMISSION_CHANNEL],
    log: ctx.log,
    onNotify(_channel, payload) {
      if (payload === ping) heardAt = performance.now();
      else if (!payload.startsWith(PING)) changed(payload === EVERYTHING ? null : payload);
    },
    onReconnect() {
      heardAt = performance.now();
      changed(null);
    },
  });
  const following = listener;
  const pinging = setInterval(
    () => notify(ctx.db, ADMISSION_CHANNEL, ping).catch((err) => ctx.log.warn({ err }, "the database does not answer")),
    Math.min(PING_EVERY_MS, staleMs / 4),
  );
  const isFresh = () => performance.now() - heardAt <= staleMs;

  return {
    isFresh,
    forget: memory.forget,
    follow(onChange) {
      announce = onChange;
    },
    async decide(leaf) {
      if (leaf === null || leaf === "malformed") {
        return decideAdmission({ leaf, authorities: [], now: ctx.clock(), ...NOTHING_KNOWN });
      }
      if (!isFresh()) return null;
      try {
        return await decideFresh(ctx, memory, leaf);
      } catch (err) {
        ctx.log.warn({ err, fingerprint: leaf.fingerprint }, "admission can't be decided");
        return null;
      }
    },
    async close() {
      clearInterval(pinging);
      await following.close();
    },
  };
}

async function decideFresh(ctx: Ctx, memory: FactMemory, leaf: CertificateFacts): Promise<AdmissionDecision> {
  const { verifySignature } = memory;
  const question = { leaf, authorities: await memory.authorities(), now: ctx.clock(), verifySignature };
  // Strangers are refused without asking the database, so that they cost it nothing.
  const stranger = decideAdmission({ ...question, ...NOTHING_KNOWN });
  if (!stranger.admitted && stranger.authorityId === null) return stranger;
  return decideAdmission({ ...question, ...(await memory.factsOf(leaf)) });
}

const NOTHING_KNOWN = { known: null, allowlisted: false, otherAllowedCount: 0 } as const;
