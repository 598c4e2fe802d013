import type { RevocationReason } from "#lib/contracts/console/certificates.ts";

/** The reasons of RFC 5280, section 5.3.1, in words. */
export const REASONS: Readonly<Record<RevocationReason, string>> = {
  keyCompromise: "The key may be known to others",
  cessationOfOperation: "The device is out of service",
  superseded: "Replaced by another certificate",
  affiliationChanged: "It belongs to somebody else now",
  privilegeWithdrawn: "It is no longer permitted",
  certificateHold: "On hold",
  cACompromise: "The authority's key may be known to others",
  aACompromise: "The attribute authority's key may be known to others",
  unspecified: "No reason given",
};

const TELL_NOTHING: ReadonlySet<string> = new Set(["certificateHold", "unspecified"] satisfies RevocationReason[]);

/** A reason in words; one that a later version stored stays as it is. */
export function reasonInWords(reason: string): string {
  return Object.entries(REASONS).find(([known]) => known === reason)?.[1] ?? reason;
}

/**
 * What a sentence about a revocation ends with, its full stop included: ": the key may be known to others. Note: stolen from the depot."
 *
 * @param reason what says no more than that it was revoked or held is left out
 */
export function becauseOf(reason: string | null, note: string | null): string {
  const words = reason === null || TELL_NOTHING.has(reason) ? "" : reasonInWords(reason);
  const text = note?.trim() ?? "";
  const why = words === "" ? "" : `: ${words.charAt(0).toLowerCase()}${words.slice(1)}`;
  return `${why}.${text === "" ? "" : ` Note: ${text}${/[.!?]$/.test(text) ? "" : "."}`}`;
}
