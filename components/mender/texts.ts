import type { Tone } from "#components/ui/status.tsx";
import type { MenderOutcome } from "#lib/contracts/console/mender.ts";
import type { MenderDeviceStatus } from "#lib/contracts/mender.ts";

/** The compiler refuses a state without its look. */
export const MENDER_STATUS: Readonly<Record<MenderDeviceStatus, { tone: Tone; word: string }>> = {
  accepted: { tone: "ok", word: "accepted" },
  preauthorized: { tone: "idle", word: "preauthorized" },
  pending: { tone: "warn", word: "pending" },
  rejected: { tone: "bad", word: "rejected" },
  noauth: { tone: "idle", word: "without keys" },
};

export const MENDER_OUTCOME: Readonly<Record<MenderOutcome, { tone: Tone; word: string }>> = {
  preauthorized: { tone: "ok", word: "Preauthorized" },
  already_known: { tone: "ok", word: "Known" },
  accepted: { tone: "ok", word: "Accepted" },
  rotated: { tone: "ok", word: "New key" },
  rotation_waits: { tone: "idle", word: "New key asked" },
  rotation_off: { tone: "warn", word: "New key waits" },
  rotation_unproven: { tone: "warn", word: "New key unproven" },
  identity_of_another: { tone: "bad", word: "Another's identity" },
  rejected_in_mender: { tone: "warn", word: "Rejected there" },
  limit_reached: { tone: "bad", word: "Device limit" },
  key_mismatch: { tone: "bad", word: "Another key" },
  bad_signature: { tone: "bad", word: "Bad signature" },
  token_of_another: { tone: "bad", word: "Another's token" },
  forbidden: { tone: "bad", word: "Lacks permission" },
  sign_in_refused: { tone: "bad", word: "No sign-in" },
  unavailable: { tone: "warn", word: "Not asked" },
  refused: { tone: "bad", word: "Refused there" },
  revocation_rejected: { tone: "ok", word: "Revoked there too" },
  revocation_found: { tone: "ok", word: "Out there already" },
  revocation_waits: { tone: "warn", word: "Revocation waits" },
};

/** Why an update can't be launched for a device that is known from the Mender server alone. */
export const UPDATED_BY_MENDER = "The Mender server updates this device: make a deployment there.";
