import { setImmediate as nextTurn } from "node:timers/promises";
import type { AdmissionDecision } from "#lib/pki/admission.ts";
import type { CertificateFacts } from "#lib/pki/certificates.ts";
import { admitNewcomer, type IdentityCtx, recordPending, type Visit } from "#services/identity/service.ts";
import type { AdmissionBook } from "./admission-book.ts";
import type { DoorLog } from "./door-log.ts";
import type { Connected, LiveConnections } from "./live-connections.ts";
import type { Peer } from "./peer.ts";
import { createRounds } from "./rounds.ts";

/** What the door decides with, and where a decision leaves its traces. */
export type Admission = {
  readonly ctx: IdentityCtx;
  readonly book: AdmissionBook;
  readonly log: DoorLog;
  readonly live: LiveConnections;
  /** Newcomers that are being let in, by fingerprint: one visit does it for all that come meanwhile. */
  readonly arriving: Map<string, Promise<void>>;
};

/** The decision, with what it leaves behind: contacts, waiting newcomers, refused attempts. */
export async function decide(admission: Admission, peer: Peer): Promise<AdmissionDecision | null> {
  let decision = await admission.book.decide(peer);
  if (decision === null || typeof peer.leaf === "string" || peer.leaf === null) {
    if (decision !== null && !decision.admitted) admission.log.refused(peer, decision);
    return decision;
  }
  const { address } = peer;
  const leaf = peer.leaf;
  if (decision.admitted && decision.newcomer) {
    const { authorityId, deviceUuid, deviceId } = decision;
    await letIn(admission, { leaf, authorityId, address, device: { uuid: deviceUuid, id: deviceId } });
    decision = await admission.book.decide(peer);
    // Let in, and yet not on record: something else is at work on it. Better later than unrecorded.
    if (decision?.admitted === true && decision.newcomer) return null;
  } else if (!decision.admitted && decision.becomesPending && decision.authorityId !== null) {
    const { authorityId, device } = decision;
    await recordPending(admission.ctx, { leaf, authorityId, address, device });
  }
  if (decision !== null) leaveTrace(admission, { leaf, address }, decision);
  return decision;
}

/** A contact, or a refused attempt. */
export function leaveTrace(
  admission: Admission,
  peer: Peer & { leaf: CertificateFacts },
  decision: AdmissionDecision,
): void {
  const { address } = peer;
  const { fingerprint } = peer.leaf;
  if (decision.admitted) admission.log.visited({ fingerprint, deviceUuid: decision.deviceUuid, address });
  else if (WAITING.has(decision.code)) admission.log.visited({ fingerprint, deviceUuid: null, address });
  else admission.log.refused(peer, decision);
}

/**
 * Ends the live connections of certificates that may no longer come in, whatever they are in the middle of.
 *
 * A change that may concern all of them goes through all of them, once at a time: changes that come meanwhile share the next round, which
 * begins after each of them.
 *
 * @returns what ends them: given a changed certificate, or null for all; its result is how many it ended
 */
export function createCutter({
  book,
  live,
}: {
  book: AdmissionBook;
  live: Pick<LiveConnections, "connected">;
}): (changed: string | null) => Promise<number> {
  const cutAll = createRounds(() => cutRefused(book, live.connected(null)));
  return (changed) => (changed === null ? cutAll() : cutRefused(book, live.connected(changed)));
}

async function cutRefused(book: AdmissionBook, peers: readonly Connected[]): Promise<number> {
  const groups = [...Map.groupBy(peers, ({ leaf, address }) => `${leaf.fingerprint} ${address}`).values()];
  let cut = 0;
  let next = 0;
  const decideOne = async (group: readonly Connected[]) => {
    const [first] = group;
    if (first === undefined || (await book.judge(first))?.admitted === true) return;
    for (const peer of group) peer.cut();
    cut += group.length;
  };
  const work = async () => {
    while (next < groups.length) {
      const some = groups.slice(next, next + DECIDED_IN_A_TURN);
      next += DECIDED_IN_A_TURN;
      await Promise.all(some.map(decideOne));
      await nextTurn(); // requests that wait go in between
    }
  };
  await Promise.all(Array.from({ length: TURNS_AT_ONCE }, work));
  return cut;
}

/** What the database is asked about them goes together; few enough that neither a request nor the database's answer waits long behind them. */
const DECIDED_IN_A_TURN = 250;
/** One is decided while the database looks up the other. */
const TURNS_AT_ONCE = 2;

async function letIn(admission: Admission, visit: Visit): Promise<void> {
  const { fingerprint } = visit.leaf;
  const arriving =
    admission.arriving.get(fingerprint) ??
    admitNewcomer(admission.ctx, visit).finally(() => {
      admission.arriving.delete(fingerprint);
      admission.book.forget(fingerprint);
    });
  admission.arriving.set(fingerprint, arriving);
  await arriving;
}

/** These show among the certificates that wait for a person, not among the refused attempts. */
const WAITING: ReadonlySet<string> = new Set(["pending", "another_certificate_allowed"]);
