import { parseArgs } from "node:util";
import type { FailAt } from "#device/device.ts";
import { issueByCommand, obtainDevices } from "#device/obtain.ts";
import { startSimulatedDevice } from "#device/simulator.ts";
import { printingLog, runOnce } from "#device/terminal.ts";
import { isAppError } from "#lib/errors/app-error.ts";

const USAGE = `Runs simulated devices against this install.

  npm run device -- [--count 1] [--hardware rpi4] [--secondaries 0] [--interval 5]
                    [--fail install|download|verify] [--dir ./data/devices] [--pending] [--once]

  --pending   their certificates wait for approval instead of being let in at once
  --once      one poll of each device, then exit (1 when one did not get through)
Devices and their state stay in --dir and are used again.`;

async function main(): Promise<number> {
  const options = readOptions(process.argv.slice(2));
  if (options === null) {
    console.error(USAGE);
    return 2;
  }
  const { fail, interval, once } = options;
  const devices = await obtainDevices(options, { say: (line) => console.log(line), issue: issueByCommand });
  const runs = devices.map((device) => ({
    ...device,
    fail,
    intervalSeconds: interval,
    log: printingLog(device.name, (line) => console.log(line)),
  }));
  if (once) return (await Promise.all(runs.map(runOnce))).every(Boolean) ? 0 : 1;
  const handles = runs.map(startSimulatedDevice);
  const stop = () => {
    for (const handle of handles) void handle.stop();
  };
  process.once("SIGINT", stop);
  process.once("SIGTERM", stop);
  await Promise.all(handles.map((handle) => handle.finished));
  return 0;
}

type Options = {
  readonly count: number;
  readonly hardware: string;
  readonly secondaries: number;
  readonly interval: number;
  readonly fail: FailAt | null;
  readonly dir: string;
  readonly pending: boolean;
  readonly once: boolean;
};

/** @returns null when the command line makes no sense */
function readOptions(words: readonly string[]): Options | null {
  try {
    const { values } = parseArgs({
      args: [...words],
      options: {
        count: { type: "string", default: "1" },
        hardware: { type: "string", default: "rpi4" },
        secondaries: { type: "string", default: "0" },
        interval: { type: "string", default: "5" },
        fail: { type: "string" },
        dir: { type: "string", default: "./data/devices" },
        pending: { type: "boolean", default: false },
        once: { type: "boolean", default: false },
      },
    });
    const [count, secondaries, interval] = [Number(values.count), Number(values.secondaries), Number(values.interval)];
    const fail = values.fail ?? null;
    if (!isWithin(count, 1, 1_000) || !isWithin(secondaries, 0, 20) || !(interval > 0 && interval <= 86_400))
      return null;
    if (fail !== null && fail !== "install" && fail !== "download" && fail !== "verify") return null;
    const { hardware, dir, pending, once } = values;
    return { count, hardware, secondaries, interval, fail, dir, pending, once };
  } catch (error) {
    if (error instanceof TypeError) return null;
    throw error;
  }
}

function isWithin(value: number, least: number, most: number): boolean {
  return Number.isInteger(value) && value >= least && value <= most;
}

try {
  process.exitCode = await main();
} catch (error) {
  if (!isAppError(error)) throw error;
  console.error(error.message);
  process.exitCode = 1;
}
