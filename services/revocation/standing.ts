import { REASON_CODES, type ReasonName } from "#lib/pki/crl.ts";
import type { RevokingAuthority } from "#services/authorities/service.ts";
import type { StandingRow } from "./store.ts";

/** Why a certificate no longer counts, in the words of RFC 5280; null while it may still be good. */
export type Fall = { readonly at: Date; readonly reason: ReasonName };

/**
 * What lists and answers say of a certificate. One that waits for a person is not revoked: it was never let in, which is no
 * statement of its authority.
 */
export function fallOf(row: StandingRow, authority: Pick<RevokingAuthority, "revoked">): Fall | null {
  const own = fallOfCertificate(row);
  if (own !== null || authority.revoked === null) return own;
  return { at: authority.revoked.at, reason: reasonOf(authority.revoked.reason) };
}

function fallOfCertificate({ state, reason, at }: StandingRow): Fall | null {
  switch (state) {
    case "pending":
    case "allowed":
      return null;
    case "held":
      return { at, reason: "certificateHold" };
    case "superseded":
      return { at, reason: "superseded" };
    case "rejected":
      return { at, reason: "privilegeWithdrawn" };
    case "revoked":
      // On hold is what can be released, and in a delta only it can be taken back.
      return { at, reason: reason === "certificateHold" ? "unspecified" : reasonOf(reason) };
    default:
      // A state of a later version lets nobody in.
      return { at, reason: "unspecified" };
  }
}

function reasonOf(text: string | null): ReasonName {
  return text !== null && text in REASON_CODES && text !== "removeFromCRL" ? (text as ReasonName) : "unspecified"; // its own key
}
