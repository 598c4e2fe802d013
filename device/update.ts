import type { Device } from "#device/device.ts";
import { fetchDirector, fetchImageRepository } from "#device/metadata.ts";
import { AppError, isAppError } from "#lib/errors/app-error.ts";
import { assignTargets, type MatchedTarget, matchTargets, type VehicleEcu } from "#lib/uptane/assignment.ts";

export type Update = {
  /** Null when the director sent none; then failures before installing are never reported. */
  readonly correlationId: string | null;
  /** Only what is not installed yet, with at least one ECU each. */
  readonly targets: readonly MatchedTarget[];
};

export type UpdateCheck =
  | { readonly kind: "nothing" }
  | { readonly kind: "update"; readonly update: Update }
  /** The repositories contradict each other: the one metadata failure that a device reports. */
  | { readonly kind: "mismatch"; readonly correlationId: string | null; readonly error: AppError };

/**
 * Looks for work: director first, and the image repository only when the director lists something that is not installed.
 *
 * @throws AppError what `fetchDirector` and `fetchImageRepository` throw | `uptane.unknown_ecu` | `uptane.hardware_mismatch` |
 *   `uptane.target_mismatch`: the device then keeps what it runs and reports nothing
 * @see contracts/uptane-metadata.md section 8; contracts/aktualizr-client.md section 3
 */
export async function findUpdate(device: Device): Promise<UpdateCheck> {
  const vehicle = vehicleOf(device);
  const { fetched, effective } = await fetchDirector(device);
  assignTargets(fetched, vehicle);
  const assigned = assignTargets(effective, vehicle);
  const isPending = assigned.some(({ target, serials }) =>
    serials.some((serial) => !isInstalled(device, serial, { filename: target.filename, sha256: target.hashes.sha256 })),
  );
  if (!isPending) return { kind: "nothing" };
  const image = await fetchImageRepository(device);
  const { correlationId } = effective.signed;
  try {
    if (device.fail === "verify") throw new AppError("uptane.target_mismatch", "This device was told to fail here.");
    const targets = matchTargets(effective, image, vehicle).map((target) => ({
      ...target,
      serials: target.serials.filter((serial) => !isInstalled(device, serial, target)),
    }));
    return { kind: "update", update: { correlationId, targets: targets.filter(({ serials }) => serials.length > 0) } };
  } catch (error) {
    if (isAppError(error)) return { kind: "mismatch", correlationId, error };
    throw error;
  }
}

function vehicleOf(device: Device): readonly VehicleEcu[] {
  return device.ecus.map(({ serial, hardwareId }) => ({
    serial,
    hardwareId,
    installed: device.store.state.installed[serial] ?? null,
  }));
}

function isInstalled(
  device: Device,
  serial: string,
  target: { readonly filename: string; readonly sha256: string | undefined },
): boolean {
  const installed = device.store.state.installed[serial];
  return installed?.filename === target.filename && (target.sha256 === undefined || installed.sha256 === target.sha256);
}
