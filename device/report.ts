import type { Device } from "#device/device.ts";
import { isOk } from "#device/http.ts";
import { isAppError } from "#lib/errors/app-error.ts";
import { buildEcuManifest, buildManifest, type InstallationReport } from "#lib/uptane/manifest.ts";

/** SHA-256 of nothing, which stands for "no image known". */
const EMPTY_SHA256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/**
 * Sends the signed manifest, with the report of a finished update when one is pending. The counter is stored before the
 * manifest leaves, so that no number is used twice. The report stays until a manifest is accepted and is sent unchanged.
 *
 * Assembling a manifest that reports a failure forgets the director's metadata, which is how the device comes to look at the
 * assignment anew.
 *
 * @returns false when the manifest was refused or the gateway not reached; the cycle goes on to metadata anyway
 * @see contracts/aktualizr-client.md section 7; contracts/uptane-metadata.md section 8, rule 6
 */
export async function putManifest(device: Device): Promise<boolean> {
  const { state } = device.store;
  const report = state.pendingReport;
  state.reportCounter += 1;
  if (report !== null && !report.result.success) state.director.targets = null;
  await device.store.save();
  const body = signedManifest(device, report);
  if (!(await isAccepted(device, body))) return false;
  if (report !== null) {
    state.pendingReport = null;
    await device.store.save();
    device.log.info({ correlationId: report.correlationId, code: report.result.code }, "reported the outcome");
  }
  return true;
}

function signedManifest(device: Device, report: InstallationReport | null): Buffer {
  const { state } = device.store;
  const ecus = device.ecus.map((ecu) => {
    const installed = state.installed[ecu.serial];
    const installedImage =
      installed === undefined
        ? { filepath: ecu.primary ? "unknown" : "noimage", sha256: EMPTY_SHA256, length: 0 }
        : { filepath: installed.filename, sha256: installed.sha256, length: installed.length };
    const counter = ecu.primary ? { reportCounter: state.reportCounter } : {};
    return [ecu.serial, buildEcuManifest({ serial: ecu.serial, installedImage, ...counter }, ecu.signer)] as const;
  });
  const { serial, signer } = device.primary;
  return buildManifest({ primarySerial: serial, ecus: Object.fromEntries(ecus), report }, signer);
}

async function isAccepted(device: Device, body: Buffer): Promise<boolean> {
  try {
    const reply = await device.http.call({ method: "PUT", path: "/director/manifest", body });
    if (!isOk(reply.status)) device.log.warn({ status: reply.status }, "the manifest was refused");
    return isOk(reply.status);
  } catch (error) {
    if (isAppError(error)) return false;
    throw error;
  }
}
