import { readFileSync, writeFileSync } from "node:fs";
import { cpus, loadavg, release, totalmem } from "node:os";

/** What a result can't be read without. */
export function describeMachine(): string {
  const [first] = cpus();
  const memory = `${(totalmem() / 2 ** 30).toFixed(1)} GiB`;
  const load = loadavg()
    .map((value) => value.toFixed(1))
    .join(" ");
  return `${cpus().length} × ${first?.model ?? "unknown processor"}, ${memory}, Linux ${release()}, Node ${process.versions.node}, load ${load}`;
}

/** The most memory a process has held since `reset`, as the kernel counts it. */
export function watchMemory(pid: number): { reset(): void; now(): number; peak(): number } {
  const read = (field: string) => {
    const found = new RegExp(`^${field}:\\s+(\\d+) kB`, "m").exec(readFileSync(`/proc/${pid}/status`, "utf8"));
    return Number(found?.[1] ?? Number.NaN) * 1_024;
  };
  return {
    reset: () => writeFileSync(`/proc/${pid}/clear_refs`, "5"),
    now: () => read("VmRSS"),
    peak: () => read("VmHWM"),
  };
}

/** Processor time that a process has used so far, in seconds. */
export function processorSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ").at(-1)?.split(" ") ?? [];
  return (Number(fields[11]) + Number(fields[12])) / 100;
}
