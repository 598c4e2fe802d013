import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { type CycleOutcome, runCycle } from "#device/cycle.ts";
import type { Device } from "#device/device.ts";
import { openDevice, type SimulatedDeviceOptions } from "#device/simulator.ts";
import { type ParsedManifest, parseManifest } from "#lib/uptane/manifest.ts";
import { startUptaneServer, type UptaneServer } from "#tests/harness/uptane-server.ts";

/** A server and one device on a disk of its own; `restart` opens the same disk again, as after a power cut. */
export type Bench = {
  readonly server: UptaneServer;
  readonly device: Device;
  readonly stateDir: string;
  cycle(): Promise<CycleOutcome>;
  restart(changes?: Partial<SimulatedDeviceOptions>): Promise<Device>;
  manifests(): ParsedManifest[];
  close(): Promise<void>;
};

/** Before the vectors' expiry, whatever the day the tests run. */
export const NOW = new Date("2026-08-01T00:00:00Z");

export async function openBench(changes: Partial<SimulatedDeviceOptions> = {}): Promise<Bench> {
  const server = await startUptaneServer();
  const stateDir = await mkdtemp(join(tmpdir(), "gatehouse-device-"));
  const stopping = new AbortController();
  const options: SimulatedDeviceOptions = {
    files: server.files,
    stateDir,
    hardwareId: "rpi4",
    installSeconds: 0,
    retryDelayMs: 1,
    clock: () => NOW,
    log: { info: () => undefined, warn: () => undefined },
    ...changes,
  };
  const bench = {
    server,
    stateDir,
    device: await openDevice(options, stopping.signal),
    cycle: () => runCycle(bench.device),
    async restart(again: Partial<SimulatedDeviceOptions> = {}) {
      bench.device = await openDevice({ ...options, ...again }, stopping.signal);
      return bench.device;
    },
    manifests: () => server.bodies("PUT", "/director/manifest").map((body) => parseManifest(body)),
    async close() {
      stopping.abort();
      await server.close();
      await rm(stateDir, { recursive: true, force: true });
    },
  };
  return bench;
}

/** Publishes an image for the device's hardware and assigns it to its primary, or to all its ECUs. */
export function offer(bench: Bench, filename: string, content: Buffer, who: "primary" | "all" = "primary"): void {
  const ecus = bench.device.ecus.filter((ecu) => who === "all" || ecu.primary);
  bench.server.repository.publish(filename, { content, hardwareIds: [...new Set(ecus.map((ecu) => ecu.hardwareId))] });
  const named = Object.fromEntries(ecus.map((ecu) => [ecu.serial, ecu.hardwareId]));
  bench.server.repository.assign({ filename, ecus: named });
}

/** Polls, and gives up after a time that only a fault can take. */
export async function until(isDone: () => boolean): Promise<void> {
  const deadline = Date.now() + 30_000;
  while (!isDone()) {
    if (Date.now() > deadline) throw new Error("did not happen in time");
    await setTimeout(2);
  }
}
