import { isAppError } from "#lib/errors/app-error.ts";
import { METADATA_LIMITS } from "#lib/uptane/limits.ts";
import {
  assertRootUnexpired,
  type VerifiedRoot,
  type VerifiedSnapshot,
  verifyDirectorTargets,
  verifyImageTargets,
  verifyInitialRoot,
  verifyNextRoot,
  verifySnapshot,
  verifyTimestamp,
} from "#lib/uptane/verify.ts";

export const REHEARSAL_STEPS = ["root", "next_root", "timestamp", "snapshot", "targets"] as const;
export type RehearsalStep = (typeof REHEARSAL_STEPS)[number];

/** `failed` where a device would stop; `not_reached` after that. */
export type RehearsalCheck = {
  readonly step: RehearsalStep;
  readonly state: "passed" | "failed" | "not_reached";
  readonly detail: string;
};

/** Documents exactly as devices would get them. */
export type Rehearsed = {
  /** The root that devices trust now. */
  readonly root: Uint8Array;
  readonly nextRoot: Uint8Array;
  readonly now: Date;
} & (
  | {
      readonly repository: "image";
      readonly timestamp: Uint8Array;
      readonly snapshot: Uint8Array;
      readonly targets: Uint8Array;
    }
  /** A device takes the director's root and targets, nothing else; null where only the roots are looked at. */
  | { readonly repository: "director"; readonly targets: Uint8Array | null }
);

/**
 * Does what a device does that trusts `root` and finds everything else new: walks to the next root, then takes each document under
 * its keys. It stops at the first that a device would refuse.
 *
 * @see TUF 1.0.31 section 5.3 to 5.6; contracts/aktualizr-client.md section 5
 */
export function rehearse(rehearsed: Rehearsed): RehearsalCheck[] {
  const checks: RehearsalCheck[] = [];
  const steps = REHEARSAL_STEPS.filter(
    (step) => rehearsed.repository === "image" || !(step === "timestamp" || step === "snapshot"),
  ).filter((step) => step !== "targets" || rehearsed.targets !== null);
  const pass = <T>(step: RehearsalStep, verify: () => T, detail: string): T => {
    const verified = verify();
    checks.push({ step, state: "passed", detail });
    return verified;
  };
  try {
    walk(rehearsed, pass);
  } catch (error) {
    if (!isAppError(error)) throw error;
    const [failed, ...rest] = steps.slice(checks.length);
    if (failed === undefined) throw error;
    checks.push({ step: failed, state: "failed", detail: error.message });
    checks.push(...rest.map((step) => ({ step, state: "not_reached" as const, detail: "A device stops before it." })));
  }
  return checks;
}

type Pass = <T>(step: RehearsalStep, verify: () => T, detail: string) => T;

function walk(rehearsed: Rehearsed, pass: Pass): void {
  const { now, nextRoot } = rehearsed;
  const trusted = pass("root", () => verifyInitialRoot(rehearsed.root), "The root in force signs itself.");
  const root = pass(
    "next_root",
    () => {
      const next = verifyNextRoot(trusted, nextRoot);
      assertRootUnexpired(next, now);
      return next;
    },
    `Signed by old and new root keys; ${sizeOf(nextRoot, "root")}.`,
  );
  if (rehearsed.repository === "director") {
    const { targets: bytes } = rehearsed;
    if (bytes === null) return;
    pass("targets", () => verifyDirectorTargets({ bytes, root, now }), "A device's targets verify under the new keys.");
    return;
  }
  const snapshot = toSnapshot(rehearsed, root, pass);
  const { targets: bytes } = rehearsed;
  pass(
    "targets",
    () => verifyImageTargets({ bytes, root, now, snapshot }),
    `Verified under the new keys; ${sizeOf(bytes, "imageTargets")}.`,
  );
}

function toSnapshot(
  { now, ...rehearsed }: Rehearsed & { repository: "image" },
  root: VerifiedRoot,
  pass: Pass,
): VerifiedSnapshot {
  const timestamp = pass(
    "timestamp",
    () => verifyTimestamp({ bytes: rehearsed.timestamp, root, now }),
    `Verified under the new root; ${sizeOf(rehearsed.timestamp, "timestamp")}.`,
  );
  return pass(
    "snapshot",
    () => verifySnapshot({ bytes: rehearsed.snapshot, root, now, timestamp }),
    `It is the one that the timestamp names; ${sizeOf(rehearsed.snapshot, "snapshot")}.`,
  );
}

function sizeOf(bytes: Uint8Array, limit: keyof typeof METADATA_LIMITS): string {
  const kib = (count: number) => `${(count / 1_024).toFixed(count < 10_240 ? 1 : 0)} KiB`;
  return `${kib(bytes.byteLength)} of the ${kib(METADATA_LIMITS[limit].maxBytes)} that devices take`;
}
