import type { Ctx } from "#lib/ctx.ts";
import type { KnownAuthority } from "#lib/pki/admission.ts";
import type { CertificateFacts } from "#lib/pki/certificates.ts";
import { isSignedBy } from "#lib/pki/issuer.ts";
import { listKnownAuthorities } from "#services/authorities/service.ts";
import { type AdmissionFacts, type Claim, readAdmissionFacts } from "#services/identity/service.ts";
import { createBoundedMap } from "./bounded-map.ts";
import { within } from "./within.ts";

/** What a gateway remembers of the database. Every read rejects when nothing is remembered and the database does not answer. */
export type FactMemory = {
  factsOf(claim: Claim): Promise<AdmissionFacts>;
  authorities(): Promise<KnownAuthority[]>;
  verifySignature(leaf: CertificateFacts, authority: CertificateFacts): boolean;
  forget(fingerprint: string): void;
  forgetAll(): void;
};

const REMEMBERED_CERTIFICATES = 20_000;
const READ_WITHIN_MS = 3_000;
/** How long a request waits for the database when there is a remembered answer to fall back to. */
const RECHECK_WITHIN_MS = 500;

/** @param isFollowing false while changes may be missed: then the database is asked first, and memory is the fall-back */
export function createFactMemory(ctx: Ctx, isFollowing: () => boolean): FactMemory {
  const facts = createBoundedMap<AdmissionFacts>(REMEMBERED_CERTIFICATES);
  const signatures = createBoundedMap<boolean>(REMEMBERED_CERTIFICATES);
  const reads = new Map<string, Promise<AdmissionFacts>>();
  let authorities: Promise<KnownAuthority[]> | null = null;
  let generation = 0;

  async function read(claim: Claim): Promise<AdmissionFacts> {
    const { leaf } = claim;
    const ask = () => readAdmissionFacts(ctx.db, ctx.namespaceId, claim, ctx.clock());
    const running = reads.get(leaf.fingerprint);
    if (running !== undefined) return running;
    const startedAt = generation;
    const reading = ask();
    reads.set(leaf.fingerprint, reading);
    try {
      const found = await reading;
      // Read before a change, told after it: read again, and not to be remembered.
      if (generation !== startedAt) return await ask();
      if (isSettled(found)) facts.set(leaf.fingerprint, found);
      return found;
    } finally {
      if (reads.get(leaf.fingerprint) === reading) reads.delete(leaf.fingerprint);
    }
  }

  return {
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
      const key = `${leaf.fingerprint}${authority.fingerprint}`;
      const known = signatures.get(key);
      if (known !== undefined) return known;
      const verified = isSignedBy(leaf, authority);
      signatures.set(key, verified);
      return verified;
    },
    forget(fingerprint) {
      generation += 1;
      facts.delete(fingerprint);
      reads.delete(fingerprint);
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
