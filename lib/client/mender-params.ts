import { parseAsString } from "nuqs/server";
import type { MenderOutcome } from "#lib/contracts/console/mender.ts";

export const MENDER_PAGE_SIZE = 50;

/** The state of the Mender log in the URL. */
export const menderLogParams = {
  q: parseAsString.withDefault(""),
  show: parseAsString.withDefault(""),
  device: parseAsString.withDefault(""),
  cursor: parseAsString.withDefault(""),
};

export type OutcomeGroup = "in" | "waiting" | "refused" | "trouble" | "revoked";

/** Groups of outcomes that people look for. */
const OUTCOME_GROUPS: Readonly<Record<OutcomeGroup, readonly MenderOutcome[]>> = {
  in: ["preauthorized", "already_known", "accepted", "rotated"],
  waiting: ["rotation_waits", "rotation_off", "rotation_unproven", "rejected_in_mender", "limit_reached"],
  refused: ["key_mismatch", "bad_signature", "token_of_another", "identity_of_another"],
  trouble: ["forbidden", "sign_in_refused", "unavailable", "refused"],
  revoked: ["revocation_rejected", "revocation_found", "revocation_waits"],
};

/** null: all of them. */
export function groupOf(show: string): OutcomeGroup | null {
  return show === "in" || show === "waiting" || show === "refused" || show === "trouble" || show === "revoked"
    ? show
    : null;
}

export function toMenderLogQuery(params: { q: string; show: string; device: string; cursor: string }) {
  const { q, device, cursor } = params;
  const group = groupOf(params.show);
  const outcome = group === null ? "" : OUTCOME_GROUPS[group].join(",");
  return { q, deviceUuid: device, cursor, outcome, limit: MENDER_PAGE_SIZE };
}
