import type { ManifestVerdict } from "#lib/uptane/manifest.ts";
import type { Completion, Outcome } from "./outcome.ts";
import type { AssignmentRow, PastAssignment } from "./store-assignments.ts";

export type VerifiedEcu = Extract<ManifestVerdict, { kind: "accepted" }>["ecus"][number];

/** The ECU whose own signed report shows the image that was assigned, and the key id of the signature that held. */
export type Proof = { readonly ecuSerial: string; readonly keyId: string };

export type ConcludedStep = {
  readonly completion: Completion;
  /** Whether the device is done with this correlation id: what the update and the fleet show ends here. */
  readonly conclusive: boolean;
  /** Set exactly when it is done and has what was assigned. */
  readonly proof: Proof | null;
  readonly filenames: readonly string[];
};

/**
 * What a manifest concludes, one step a correlation id (a later message for the same id replaces an earlier one).
 *
 * A success of the device's words alone proves nothing: "updated" needs an ECU whose own signed report names the assigned image, and none of
 * the device's assignments of that id still open.
 */
export function concludedSteps(of: {
  readonly outcome: Outcome<AssignmentRow>;
  readonly assignments: readonly AssignmentRow[];
  readonly ecus: readonly VerifiedEcu[];
  readonly past: readonly PastAssignment[];
}): ConcludedStep[] {
  const { outcome } = of;
  const last = new Map(outcome.completions.map((completion) => [completion.correlationId, completion]));
  const closed = new Set(outcome.closed.map(({ assignment }) => assignment));
  return [...last.values()].map((completion) => {
    const { correlationId } = completion;
    const own = of.assignments.filter((assignment) => assignment.correlationId === correlationId);
    const wanted = own.length > 0 ? own : of.past;
    const filenames = [...new Set(wanted.map(({ filename }) => filename))];
    if (!completion.result.success) return { completion, conclusive: true, proof: null, filenames };
    const done = own.every((assignment) => closed.has(assignment));
    const proof = done ? proofOf(wanted, of.ecus) : null;
    return { completion, conclusive: proof !== null, proof, filenames };
  });
}

/** The first of the assigned ECUs that has its image; null when one that reports has not. */
function proofOf(
  wanted: readonly { ecuSerial: string; filename: string; sha256: string }[],
  ecus: readonly VerifiedEcu[],
): Proof | null {
  const reports = new Map(ecus.map((ecu) => [ecu.serial, ecu]));
  const reported = wanted.flatMap((assignment) => {
    const ecu = reports.get(assignment.ecuSerial);
    return ecu === undefined ? [] : [{ assignment, ecu }];
  });
  const installed = reported.every(
    ({ assignment, ecu }) =>
      ecu.installedImage.filepath === assignment.filename && ecu.installedImage.sha256 === assignment.sha256,
  );
  const [first] = reported;
  if (!installed || first === undefined) return null;
  return { ecuSerial: first.ecu.serial, keyId: first.ecu.verifiedKeyId };
}
