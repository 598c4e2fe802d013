import { runCycle } from "#device/cycle.ts";
import type { DeviceLog } from "#device/device.ts";
import { openDevice, type SimulatedDeviceOptions } from "#device/simulator.ts";

/** One line a message: name, text, and the plain values of its context. */
export function printingLog(name: string, print: (line: string) => void): DeviceLog {
  const write = (context: Readonly<Record<string, unknown>>, message: string) => {
    const details = Object.entries(context)
      .filter(([, value]) => value !== null && value !== undefined && !(value instanceof Error))
      .map(([key, value]) => `${key}=${Array.isArray(value) ? value.join(",") : String(value)}`);
    print([`${name}:`, message, ...details].join(" "));
  };
  return { info: write, warn: write };
}

/** One poll. @returns whether it got through to its end, whatever the end was */
export async function runOnce(options: SimulatedDeviceOptions): Promise<boolean> {
  const device = await openDevice(options, new AbortController().signal);
  const outcome = await runCycle(device);
  if (outcome.kind === "stopped") options.log.warn({ ...outcome.error.context }, outcome.error.message);
  else options.log.info({}, outcome.kind);
  return outcome.kind !== "stopped";
}
