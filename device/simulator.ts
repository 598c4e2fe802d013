import type { CredentialFiles } from "#device/credentials.ts";
import { type CycleOutcome, runCycle } from "#device/cycle.ts";
import type { Device, DeviceLog, FailAt } from "#device/device.ts";
import { openEcus } from "#device/ecus.ts";
import { createDeviceHttp } from "#device/http.ts";
import { pause } from "#device/pause.ts";
import { openDeviceStore } from "#device/state.ts";
import { AppError, isAppError } from "#lib/errors/app-error.ts";
import { assertAsciiName } from "#lib/uptane/canonical.ts";

export type SimulatedDeviceOptions = {
  readonly files: CredentialFiles;
  /** The device's disk. Two devices must not share it, nor one device run twice on it. */
  readonly stateDir: string;
  readonly hardwareId: string;
  readonly secondaries?: number;
  readonly intervalSeconds?: number;
  /** How long an installation takes, so that people can see it happen. */
  readonly installSeconds?: number;
  readonly fail?: FailAt | null;
  readonly log: DeviceLog;
  readonly clock?: () => Date;
  /** Between tries of a call; the real client waits a second. */
  readonly retryDelayMs?: number;
};

export type SimulatedDeviceHandle = {
  /** Resolves when the device has stopped; never rejects. */
  readonly finished: Promise<void>;
  /** Stops at the next await, as a power cut would, and resolves when nothing is being written any more. */
  stop(): Promise<void>;
};

/**
 * Runs a device that speaks the real protocol and nothing else, until it is stopped. Trouble with the server or the disk is
 * logged once per change, and the next poll tries again.
 */
export function startSimulatedDevice(options: SimulatedDeviceOptions): SimulatedDeviceHandle {
  const stopping = new AbortController();
  const finished = runUntilStopped(options, stopping.signal);
  return {
    finished,
    stop() {
      stopping.abort();
      return finished;
    },
  };
}

/**
 * Opens the device's disk and credentials without starting to poll.
 *
 * @throws AppError `start.failed` | `uptane.not_canonical` for a hardware id that is not ASCII
 */
export async function openDevice(options: SimulatedDeviceOptions, signal: AbortSignal): Promise<Device> {
  const { files, stateDir, hardwareId, retryDelayMs } = options;
  assertAsciiName(hardwareId, "hardware id");
  const http = createDeviceHttp(files, { signal, retryDelayMs });
  const store = await openDeviceStore(stateDir);
  const ecus = await openEcus(stateDir, { hardwareId, secondaries: options.secondaries ?? 0 });
  const primary = ecus.find((ecu) => ecu.primary);
  if (primary === undefined) throw new AppError("start.failed", "The device has no primary ECU.");
  return {
    http,
    store,
    ecus,
    primary,
    signal,
    intervalSeconds: options.intervalSeconds ?? 5,
    installSeconds: options.installSeconds ?? 2,
    retryDelayMs: retryDelayMs ?? 1_000,
    fail: options.fail ?? null,
    clock: options.clock ?? (() => new Date()),
    log: options.log,
    run: { described: false },
  };
}

async function runUntilStopped(options: SimulatedDeviceOptions, signal: AbortSignal): Promise<void> {
  const tell = changesOnly(options.log);
  let device: Device | null = null;
  while (!signal.aborted) {
    try {
      device ??= await openDevice(options, signal);
      tell(await runCycle(device));
    } catch (error) {
      if (signal.aborted) return;
      tell({ kind: "stopped", error: asAppError(error) });
    }
    await pause((options.intervalSeconds ?? 5) * 1_000, signal).catch(() => undefined);
  }
}

/** Says what changed since the last poll, so that an idle or waiting device does not fill the log. */
function changesOnly(log: DeviceLog): (outcome: CycleOutcome) => void {
  let last = "";
  return (outcome) => {
    const now = summary(outcome);
    if (now === last && outcome.kind !== "installed") return;
    const recovered = last.startsWith("stopped") && outcome.kind === "idle";
    last = now;
    if (outcome.kind === "installed") log.info({ filenames: outcome.filenames }, "installed");
    else if (outcome.kind === "failed") log.warn({ code: outcome.code, err: outcome.cause }, "the update failed");
    else if (outcome.kind === "stopped")
      log.warn({ code: outcome.error.code, ...outcome.error.context }, outcome.error.message);
    else if (recovered) log.info({}, "polling again");
    else log.info({}, "polling");
  };
}

function summary(outcome: CycleOutcome): string {
  if (outcome.kind === "stopped") return `stopped ${outcome.error.code} ${JSON.stringify(outcome.error.context)}`;
  return outcome.kind === "failed" ? `failed ${outcome.code}` : outcome.kind;
}

function asAppError(error: unknown): AppError {
  if (isAppError(error)) return error;
  return new AppError("internal.error", "The simulated device had a fault of its own.", { cause: error });
}
