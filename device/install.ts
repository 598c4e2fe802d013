import { copyFile, open, rm } from "node:fs/promises";
import { join } from "node:path";
import type { Device } from "#device/device.ts";
import { downloadTarget } from "#device/download.ts";
import type { Ecu } from "#device/ecus.ts";
import { flushEvents, queueEvent } from "#device/events.ts";
import { makeFolder, moveDurably } from "#device/files.ts";
import { pause } from "#device/pause.ts";
import type { Update } from "#device/update.ts";
import { type AppError, isAppError } from "#lib/errors/app-error.ts";
import type { MatchedTarget } from "#lib/uptane/assignment.ts";
import type { InstallationResult } from "#lib/uptane/manifest.ts";

/** How an update ended; what is to be reported is stored by then. */
export type UpdateOutcome =
  | { readonly kind: "installed" }
  | { readonly kind: "failed"; readonly code: string; readonly cause: AppError | null };

type Job = { readonly ecu: Ecu; readonly target: MatchedTarget; readonly path: string };

/**
 * Downloads everything, then installs ECU by ECU, with an event at each step, and stores the report. Each ECU's result is
 * durable before the next begins, so that a device that loses power in the middle goes on where it was.
 *
 * @see contracts/aktualizr-client.md section 3, 7 and 8
 */
export async function carryOut(device: Device, update: Update): Promise<UpdateOutcome> {
  const jobs: Job[] = [];
  for (const target of update.targets) {
    const ecus = device.ecus.filter((ecu) => target.serials.includes(ecu.serial));
    try {
      const path = await downloadWithEvents(device, { target, ecus, correlationId: update.correlationId });
      jobs.push(...ecus.map((ecu) => ({ ecu, target, path })));
    } catch (error) {
      if (!isAppError(error)) throw error;
      await storeFailure(device, {
        correlationId: update.correlationId,
        code: "DOWNLOAD_FAILED",
        description: error.message,
      });
      return { kind: "failed", code: "DOWNLOAD_FAILED", cause: error };
    }
  }
  return installAll(device, jobs, update.correlationId);
}

/** A failure before any ECU was touched; without correlation id it is never reported. */
export async function storeFailure(
  device: Device,
  failure: { readonly correlationId: string | null; readonly code: string; readonly description: string },
): Promise<void> {
  const { correlationId, code, description } = failure;
  if (correlationId === null) return;
  device.store.state.pendingReport = {
    correlationId,
    result: { success: false, code, description },
    items: [],
    rawReport: "",
  };
  await device.store.save();
}

async function downloadWithEvents(
  device: Device,
  work: { readonly target: MatchedTarget; readonly ecus: readonly Ecu[]; readonly correlationId: string | null },
): Promise<string> {
  const { target, ecus, correlationId } = work;
  const tell = async (type: "EcuDownloadStarted" | "EcuDownloadCompleted", success?: boolean) => {
    const outcome = success === undefined ? {} : { success };
    for (const ecu of ecus) queueEvent(device, type, { ecu: ecu.serial, correlationId, ...outcome });
    await flushEvents(device);
  };
  device.log.info({ filename: target.filename, correlationId }, "downloading");
  await tell("EcuDownloadStarted");
  try {
    const path = await downloadTarget(device, target);
    await tell("EcuDownloadCompleted", true);
    return path;
  } catch (error) {
    if (isAppError(error)) await tell("EcuDownloadCompleted", false);
    throw error;
  }
}

async function installAll(device: Device, jobs: readonly Job[], correlationId: string | null): Promise<UpdateOutcome> {
  const { state } = device.store;
  const kept = state.progress?.correlationId === (correlationId ?? "") ? state.progress.items : [];
  const waiting = new Set(jobs.map(({ ecu }) => ecu.serial));
  const items = kept.filter((item) => !waiting.has(item.ecu));
  state.progress = { correlationId: correlationId ?? "", items };
  for (const [index, job] of jobs.entries()) {
    queueEvent(device, "EcuInstallationStarted", { ecu: job.ecu.serial, correlationId });
    device.log.info({ filename: job.target.filename, ecu: job.ecu.serial }, "installing");
    await flushEvents(device);
    await pause(device.installSeconds * 1_000, device.signal);
    const result = await install(device, job);
    items.push({ ecu: job.ecu.serial, result });
    queueEvent(device, "EcuInstallationCompleted", { ecu: job.ecu.serial, correlationId, success: result.success });
    // The last result and the report are stored at once: there is no moment in which the outcome could be lost.
    if (index === jobs.length - 1) storeReport(device, items, correlationId);
    await flushEvents(device);
  }
  await clearDownloads(jobs);
  const code = state.pendingReport?.result.code ?? "OK";
  return code === "OK" ? { kind: "installed" } : { kind: "failed", code, cause: null };
}

async function install(device: Device, { ecu, target, path }: Job): Promise<InstallationResult> {
  if (device.fail === "install") {
    return { success: false, code: "INSTALL_FAILED", description: "This device was told to fail its installations." };
  }
  const folder = join(device.store.dir, "images", ecu.serial);
  const beside = join(folder, "image.new");
  await makeFolder(folder);
  await copyFile(path, beside);
  const file = await open(beside, "r+");
  try {
    await file.sync();
  } finally {
    await file.close();
  }
  await moveDurably(beside, join(folder, "image"));
  const { filename, sha256, length } = target;
  device.store.state.installed[ecu.serial] = { filename, sha256, length };
  return { success: true, code: "OK", description: "Installing binary image was successful" };
}

function storeReport(
  device: Device,
  items: readonly { readonly ecu: string; readonly result: InstallationResult }[],
  correlationId: string | null,
): void {
  const { state } = device.store;
  const failed = items
    .filter((item) => !item.result.success)
    .map((item) => `${hardwareIdOf(device, item.ecu)}:${item.result.code}`);
  const success = failed.length === 0;
  state.progress = null;
  state.pendingReport = {
    correlationId: correlationId ?? "",
    result: { success, code: success ? "OK" : failed.join("|"), description: "" },
    items: [...items],
    rawReport: "",
  };
}

function hardwareIdOf(device: Device, serial: string): string {
  return device.ecus.find((ecu) => ecu.serial === serial)?.hardwareId ?? "";
}

async function clearDownloads(jobs: readonly Job[]): Promise<void> {
  for (const path of new Set(jobs.map((job) => job.path))) await rm(path, { force: true });
}
