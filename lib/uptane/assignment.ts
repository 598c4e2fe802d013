import { AppError } from "#lib/errors/app-error.ts";
import type { Hashes, Target, TargetFormat } from "#lib/uptane/roles.ts";
import type { VerifiedDirectorTargets, VerifiedImageTargets } from "#lib/uptane/verify.ts";

/** An ECU of the vehicle and what it runs; `installed` is null where nothing was ever installed through us. */
export type VehicleEcu = {
  readonly serial: string;
  readonly hardwareId: string;
  readonly installed: { readonly filename: string; readonly sha256: string; readonly length: number } | null;
};

/** What the director wants on which ECUs, in the order of the document. */
export type AssignedTarget = { readonly target: Target; readonly serials: readonly string[] };

/** An assignment that both repositories agree on and that may be downloaded. */
export type MatchedTarget = {
  readonly filename: string;
  readonly length: number;
  readonly sha256: string;
  readonly format: TargetFormat;
  /** Where to fetch it instead of the image repository; null for the default address. */
  readonly uri: string | null;
  readonly serials: readonly string[];
};

/**
 * The director's half of the rules: every ECU it names is ours, with that very hardware id, and a file that is
 * installed already has not changed under its name. A device that finds otherwise stops without any report. That no ECU is
 * named twice was proven by `verifyDirectorTargets`.
 *
 * @throws AppError `uptane.unknown_ecu` | `uptane.hardware_mismatch` | `uptane.target_mismatch`
 * @see contracts/uptane-metadata.md section 8, rules 2 and 7
 */
export function assignTargets(
  director: VerifiedDirectorTargets,
  ecus: readonly VehicleEcu[],
): readonly AssignedTarget[] {
  const bySerial = new Map(ecus.map((ecu) => [ecu.serial, ecu]));
  const assigned: AssignedTarget[] = [];
  for (const target of director.signed.targets.values()) {
    const named = target.ecuIdentifiers ?? new Map<string, string>();
    for (const [serial, hardwareId] of named) {
      assertOurs(bySerial.get(serial), { serial, hardwareId, target });
    }
    assigned.push({ target, serials: [...named.keys()] });
  }
  return assigned;
}

/**
 * All rules: the director's half, then for each of its targets one of the image repository with equal name, length and
 * hash that lists every hardware id concerned. `ecuIdentifiers` stand only on the director's side, `hardwareIds` only on the
 * image repository's: a mixture is a mismatch. Delegations are not followed.
 *
 * @throws AppError as {@link assignTargets}
 * @see contracts/uptane-metadata.md section 8, rules 4 and 5; contracts/aktualizr-client.md section 5, "Per-target fields"
 */
export function matchTargets(
  director: VerifiedDirectorTargets,
  image: VerifiedImageTargets,
  ecus: readonly VehicleEcu[],
): readonly MatchedTarget[] {
  return assignTargets(director, ecus).map((assigned) => {
    const offered = image.signed.targets.get(assigned.target.filename);
    if (offered === undefined) throw mismatch("The image repository does not list the target.", assigned.target);
    assertSameImage(assigned.target, offered);
    return toMatched(assigned, offered);
  });
}

function assertOurs(
  ecu: VehicleEcu | undefined,
  named: { readonly serial: string; readonly hardwareId: string; readonly target: Target },
): void {
  if (ecu === undefined) throw refusal("uptane.unknown_ecu", "The targets name an ECU that is not here.", named.serial);
  if (ecu.hardwareId !== named.hardwareId) {
    throw refusal("uptane.hardware_mismatch", "The targets name another hardware id for an ECU.", named.serial);
  }
  const { installed } = ecu;
  if (installed?.filename !== named.target.filename) return;
  const sha256 = named.target.hashes.sha256;
  if (installed.length !== named.target.length || (sha256 !== undefined && sha256 !== installed.sha256)) {
    throw mismatch("An installed file changed its content under the same name.", named.target);
  }
}

function assertSameImage(wanted: Target, offered: Target): void {
  if (wanted.hardwareIds !== null || offered.ecuIdentifiers !== null) {
    throw mismatch("A target carries a field of the other repository.", wanted);
  }
  if (wanted.length !== offered.length) throw mismatch("The repositories disagree on the length.", wanted);
  if (!agree(wanted.hashes, offered.hashes)) throw mismatch("The repositories disagree on the hash.", wanted);
  for (const hardwareId of wanted.ecuIdentifiers?.values() ?? []) {
    if (!offered.hardwareIds?.includes(hardwareId)) {
      throw new AppError("uptane.hardware_mismatch", "The image is not made for the hardware it is assigned to.", {
        context: { filename: wanted.filename, hardwareId },
      });
    }
  }
}

/** At least one hash in common, and none in conflict. */
function agree(left: Hashes, right: Hashes): boolean {
  let common = 0;
  for (const name of ["sha256", "sha512"] as const) {
    const [one, other] = [left[name], right[name]];
    if (one === undefined || other === undefined) continue;
    if (one !== other) return false;
    common += 1;
  }
  return common > 0;
}

function toMatched({ target, serials }: AssignedTarget, offered: Target): MatchedTarget {
  const sha256 = target.hashes.sha256 ?? offered.hashes.sha256;
  if (sha256 === undefined) throw mismatch("A target has no sha256 hash.", target);
  return {
    filename: target.filename,
    length: target.length,
    sha256,
    format: target.targetFormat ?? (target.length === 0 ? "OSTREE" : "BINARY"),
    uri: usableUri(target.uri) ?? usableUri(offered.uri),
    serials,
  };
}

/** The placeholder means "none" to devices. */
function usableUri(uri: string | null): string | null {
  return uri === null || uri === "" || uri === "https://example.com/" ? null : uri;
}

function mismatch(message: string, target: Target): AppError {
  return new AppError("uptane.target_mismatch", message, { context: { filename: target.filename } });
}

function refusal(code: "uptane.unknown_ecu" | "uptane.hardware_mismatch", message: string, serial: string): AppError {
  return new AppError(code, message, { context: { serial } });
}
