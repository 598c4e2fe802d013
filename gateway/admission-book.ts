import type { Ctx } from "#lib/ctx.ts";
import { ADMISSION_CHANNEL } from "#lib/db/events.ts";
import { type AdmissionCode, type AdmissionDecision, decideAdmission } from "#lib/pki/admission.ts";
import type { CertificateFacts } from "#lib/pki/certificates.ts";
import { createFactMemory, type FactMemory } from "./fact-memory.ts";
import { type Follower, openFollower } from "./follower.ts";
import type { Peer } from "./peer.ts";

export type AdmissionBook = {
  /** The decision on this peer now; null when nobody can know: answer 503. What measures revocation is refused. */
  decide(peer: Peer): Promise<AdmissionDecision | null>;
  /** The same, and what measures revocation is admitted as such: it may learn this, and do nothing else. */
  judge(peer: Peer): Promise<AdmissionDecision | null>;
  /** Forgets what is known of a certificate whose record this process has just changed. */
  forget(fingerprint: string): void;
  /** Calls back when decisions may have changed. Ask again then, and cut. */
  follow(onChange: (change: AnnouncedChange) => void): void;
  /** False once the database has not been heard from for ADMISSION_STALE_SECONDS. */
  isFresh(): boolean;
  close(): Promise<void>;
};

/** Of this certificate, or of all (null). `number` is null after a reconnection, when any number of changes may have been missed. */
export type AnnouncedChange = { readonly fingerprint: string | null; readonly number: string | null };

/** Announced on the channel instead of a fingerprint: an authority changed. Behind a `#` stands the number of the change. */
const AUTHORITY = "*";

/**
 * Opens the gateway's memory of who may come in.
 *
 * It trusts what it remembers only while it follows the database's notifications. While the connection is lost it asks the
 * database each time, and falls back to its memory until that is ADMISSION_STALE_SECONDS old.
 */
export async function openAdmissionBook(ctx: Ctx, databaseUrl: string): Promise<AdmissionBook> {
  let follower: Follower | null = null;
  let announce: (change: AnnouncedChange) => void = () => undefined;
  const memory = createFactMemory(ctx, () => follower?.isFollowing() ?? false);
  const following = await openFollower(ctx, {
    databaseUrl,
    channel: ADMISSION_CHANNEL,
    onChange(announced) {
      const [target = AUTHORITY, number = null] = announced?.split("#") ?? [];
      const fingerprint = target === AUTHORITY ? null : target;
      if (announced === null) memory.forgetAll();
      else if (fingerprint === null) memory.forgetAuthorities();
      else memory.forget(fingerprint);
      announce({ fingerprint, number: number !== null && /^\d{1,18}$/.test(number) ? number : null });
    },
  });
  follower = following;
  const { isFresh } = following;

  async function judge({ leaf, address }: Peer): Promise<AdmissionDecision | null> {
    if (leaf === null || leaf === "malformed") {
      return decideAdmission({ leaf, address, authorities: [], now: ctx.clock(), ...NOTHING_KNOWN });
    }
    if (!isFresh()) return null;
    try {
      return await decideFresh(ctx, memory, { leaf, address });
    } catch (err) {
      ctx.log.warn({ err, fingerprint: leaf.fingerprint }, "admission can't be decided");
      return null;
    }
  }

  return {
    isFresh,
    forget: memory.forget,
    follow(onChange) {
      announce = onChange;
    },
    judge,
    async decide(peer) {
      const decision = await judge(peer);
      return decision?.admitted === true && decision.canary ? NOT_A_DEVICE : decision;
    },
    close: following.close,
  };
}

async function decideFresh(
  ctx: Ctx,
  memory: FactMemory,
  { leaf, address }: { leaf: CertificateFacts; address: string },
): Promise<AdmissionDecision> {
  const { verifySignature } = memory;
  const question = { leaf, address, authorities: await memory.authorities(), now: ctx.clock(), verifySignature };
  const recalled = memory.recall(leaf.fingerprint);
  if (recalled !== null) return decideAdmission({ ...question, ...recalled });
  // Strangers are refused without asking the database, so that they cost it nothing; so are the devices of an authority that is out.
  const stranger = decideAdmission({ ...question, ...NOTHING_KNOWN });
  const { authorityId } = stranger;
  if (authorityId === null || (!stranger.admitted && OF_THE_AUTHORITY.has(stranger.code))) return stranger;
  const device = stranger.admitted ? { uuid: stranger.deviceUuid, id: stranger.deviceId } : stranger.device;
  return decideAdmission({ ...question, ...(await memory.factsOf({ leaf, device, authorityId })) });
}

/** Asked before anything that is known of the certificate itself. */
const OF_THE_AUTHORITY: ReadonlySet<string> = new Set<AdmissionCode>(["authority_revoked", "authority_expired"]);

const NOT_A_DEVICE: AdmissionDecision = {
  admitted: false,
  code: "wrong_usage",
  sentence: "This certificate measures how soon a revocation is in force. It opens nothing.",
  status: 403,
  becomesPending: false,
  authorityId: null,
  device: null,
};

const NOTHING_KNOWN = { known: null, allowlisted: false, otherAllowedCount: 0, newcomersLastHour: 0 } as const;
