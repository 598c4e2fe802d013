import type { Ctx } from "#lib/ctx.ts";
import type { KnownAuthority } from "#lib/pki/admission.ts";
import type { CertificateFacts } from "#lib/pki/certificates.ts";
import { isSignedBy } from "#lib/pki/issuer.ts";
import { listKnownAuthorities } from "#services/authorities/service.ts";
import type { AdmissionFacts, Claim } from "#services/identity/service.ts";
import { createBoundedMap } from "./bounded-map.ts";
import { createFactReader } from "./fact-reader.ts";
import { within } from "./within.ts";

/** What a gateway remembers of the database. Every read rejects when nothing is remembered and the database does not answer. */
export type FactMemory = {
  /** What is remembered and as good as the database; null when that has to be asked. */
  recall(fingerprint: string): AdmissionFacts | null;
  factsOf(claim: Claim): Promise<AdmissionFacts>;
  authorities(): Promise<KnownAuthority[]>;
  verifySignature(leaf: CertificateFacts, authority: CertificateFacts): boolean;
  forget(fingerprint: string): void;
  /** What was decided about a certificate is its own, whatever becomes of its authority. */
  forgetAuthorities(): void;
  forgetAll(): void;
};

/** More than can be connected at both doors, so that going through all of them finds them here. */
const REMEMBERED_CERTIFICATES = 50_000;
const READ_WITHIN_MS = 3_000;
/** How long a request waits for the database when there is a remembered answer to fall back to. */
const RECHECK_WITHIN_MS = 500;

/** @param isFollowing false while changes may be missed: then the database is asked first, and memory is the fall-back */
export function createFactMemory(ctx: Ctx, isFollowing: () => boolean): FactMemory {
  const facts = createBoundedMap<AdmissionFacts>(REMEMBERED_CERTIFICATES);
  const signatures = createBoundedMap<Map<string, boolean>>(REMEMBERED_CERTIFICATES);
  const ask = createFactReader(ctx);
  const reads = new Map<string, Promise<AdmissionFacts>>();
  let authorities: Promise<KnownAuthority[]> | null = null;
  let generation = 0;

  async function read(claim: Claim): Promise<AdmissionFacts> {
    const { leaf } = claim;
    const running = reads.get(leaf.fingerprint);
    if (running !== undefined) return running;
    const startedAt = generation;
    const reading = ask(claim);
    reads.set(leaf.fingerprint, reading);
    try {
      const found = await reading;
      // Read before a change, told after it: read again, and not to be remembered.
      if (generation !== startedAt) return await ask(claim);
      if (isSettled(found)) facts.set(leaf.fingerprint, found);
      return found;
    } finally {
      if (reads.get(leaf.fingerprint) === reading) reads.delete(leaf.fingerprint);
    }
  }

  return {
    recall: (fingerprint) => (isFollowing() ? (facts.get(fingerprint) ?? null) : null),
    async factsOf(claim) {
      const remembered = facts.get(claim.leaf.fingerprint);
      if (remembered !== undefined && isFollowing()) return remembered;
      const reading = read(claim);
      if (remembered === undefined) return within(reading, READ_WITHIN_MS);
      return within(reading, RECHECK_WITHIN_MS).catch(() => remembered);
    },
    async authorities() {
      authorities ??= listKnownAuthorities(ctx);
      const loading = authorities;
      try {
        return await within(loading, READ_WITHIN_MS);
      } catch (error) {
        if (authorities === loading) authorities = null;
        throw error;
      }
    },
    verifySignature(leaf, authority) {
      const byAuthority = signatures.get(leaf.fingerprint) ?? new Map<string, boolean>();
      const known = byAuthority.get(authority.fingerprint);
      if (known !== undefined) return known;
      const verified = isSignedBy(leaf, authority);
      signatures.set(leaf.fingerprint, byAuthority.set(authority.fingerprint, verified));
      return verified;
    },
    forget(fingerprint) {
      generation += 1;
      facts.delete(fingerprint);
      reads.delete(fingerprint);
    },
    forgetAuthorities() {
      reads.clear();
      authorities = null;
    },
    forgetAll() {
      generation += 1;
      facts.clear();
      reads.clear();
      authorities = null;
    },
  };
}

/** Newcomers and waiting certificates depend on other certificates too, so they are read each time. */
function isSettled(found: AdmissionFacts): boolean {
  return found.known !== null && found.known.state !== "pending" && !found.known.isUnusedRenewal;
}
