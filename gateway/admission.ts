import type { AdmissionDecision } from "#lib/pki/admission.ts";
import type { CertificateFacts } from "#lib/pki/certificates.ts";
import { admitNewcomer, type IdentityCtx, recordPending, type Visit } from "#services/identity/service.ts";
import type { AdmissionBook } from "./admission-book.ts";
import type { DoorLog } from "./door-log.ts";
import type { LiveConnections } from "./live-connections.ts";
import type { Peer } from "./peer.ts";

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
 * @returns how many it ended
 */
export async function cutRefused(admission: Admission, changed: string | null): Promise<number> {
  const peers = admission.live.connected(changed);
  let cut = 0;
  let next = 0;
  const work = async () => {
    for (let peer = peers[next++]; peer !== undefined; peer = peers[next++]) {
      const decision = await admission.book.judge(peer);
      if (decision?.admitted === true) continue;
      peer.cut();
      cut += 1;
    }
  };
  // After a change of everything each is read anew: some at a time, so that the last does not wait for all before it.
  await Promise.all(Array.from({ length: CUT_AT_A_TIME }, work));
  return cut;
}

const CUT_AT_A_TIME = 16;

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
