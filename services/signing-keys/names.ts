import type { KeyCheck, RepositoryName } from "#lib/contracts/console/keys.ts";
import type { RehearsalCheck, RehearsalStep } from "#lib/uptane/rehearsal.ts";

/** As people know them, in checks, warnings and the audit log. */
export const REPOSITORY_NAME: Readonly<Record<RepositoryName, string>> = {
  image: "image repository",
  director: "director repository",
};

const STEP_NAME: Readonly<Record<RehearsalStep, string>> = {
  root: "The root that devices trust now",
  next_root: "From it to the new root",
  timestamp: "Timestamp",
  snapshot: "Snapshot",
  targets: "Targets",
};

export function toCheck({ step, state, detail }: RehearsalCheck): KeyCheck {
  return { name: STEP_NAME[step], state, detail };
}
