import { getConsole } from "./context.ts";

/** Whether this install offers simulated devices at all; who may start one is a matter of permission. */
export async function readSimulationAllowed(): Promise<boolean> {
  return (await getConsole()).config.SIMULATED_DEVICES === "on";
}
