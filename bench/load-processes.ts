import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Order, Report } from "./load.ts";

const PROGRAM = fileURLToPath(new URL("./load.ts", import.meta.url));

/** Runs the order in so many processes at once, each with its own share of the devices. @returns what they did together */
export async function runLoad(order: Order, processes: number): Promise<Report> {
  const folder = mkdtempSync(join(tmpdir(), "gatehouse-load-"));
  try {
    const reports = await Promise.all(
      Array.from({ length: processes }, async (_, index) => {
        const file = join(folder, `${index}.json`);
        const devices = order.devices.filter((_device, at) => at % processes === index);
        writeFileSync(file, JSON.stringify({ ...order, devices }), { mode: 0o600 });
        const child = spawn(process.execPath, [PROGRAM, file], { stdio: ["ignore", "pipe", "inherit"] });
        let said = "";
        child.stdout.on("data", (chunk: Buffer) => (said += chunk));
        await once(child, "close");
        return JSON.parse(said) as Report; // what bench/load.ts prints
      }),
    );
    return {
      done: reports.reduce((sum, { done }) => sum + done, 0),
      failed: reports.reduce((sum, { failed }) => sum + failed, 0),
      seconds: Math.max(...reports.map(({ seconds }) => seconds)),
    };
  } finally {
    rmSync(folder, { recursive: true });
  }
}
