import { describeDevice, registerEcus } from "#device/announce.ts";
import type { Device } from "#device/device.ts";
import { flushEvents } from "#device/events.ts";
import { carryOut, storeFailure } from "#device/install.ts";
import { putManifest } from "#device/report.ts";
import { findUpdate, type UpdateCheck } from "#device/update.ts";
import { type AppError, isAppError } from "#lib/errors/app-error.ts";

/** What a cycle came to. `stopped` means that it ended early and the device goes on with what it runs. */
export type CycleOutcome =
  | { readonly kind: "idle" }
  | { readonly kind: "installed"; readonly filenames: readonly string[] }
  | { readonly kind: "failed"; readonly code: string; readonly cause: AppError | null }
  | { readonly kind: "stopped"; readonly error: AppError };

/**
 * One poll, in the client's order: registration and facts where they changed, queued events, manifest, director, and when
 * there is something to do image repository, download, installation, manifest with the report.
 *
 * @returns never rejects for what the server does or says; rejects when the device is stopped or its disk fails
 * @see contracts/aktualizr-client.md section 3
 */
export async function runCycle(device: Device): Promise<CycleOutcome> {
  try {
    await registerEcus(device);
    await describeDevice(device);
  } catch (error) {
    if (isAppError(error)) return { kind: "stopped", error };
    throw error;
  }
  await flushEvents(device);
  await putManifest(device);
  return checkAndCarryOut(device);
}

async function checkAndCarryOut(device: Device): Promise<CycleOutcome> {
  let check: UpdateCheck;
  try {
    check = await findUpdate(device);
  } catch (error) {
    if (!isAppError(error)) throw error;
    // The client sends a second manifest when the metadata step fails, even with nothing to report.
    await putManifest(device);
    return { kind: "stopped", error };
  }
  if (check.kind === "nothing") return { kind: "idle" };
  if (check.kind === "mismatch") {
    const { correlationId, error } = check;
    const description = "Metadata verification failed.";
    await storeFailure(device, { correlationId, code: "VERIFICATION_FAILED", description });
    await putManifest(device);
    return { kind: "failed", code: "VERIFICATION_FAILED", cause: error };
  }
  const outcome = await carryOut(device, check.update);
  await putManifest(device);
  if (outcome.kind === "failed") return outcome;
  return { kind: "installed", filenames: check.update.targets.map((target) => target.filename) };
}
