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
  const [user = 0, system = 0] = readTimes(pid);
  return user + system;
}

/** The same of a process with all its children, those that have ended too. */
export function familySeconds(pid: number): number {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8")
    .split(" ")
    .filter((text) => text !== "");
  const own = readTimes(pid).reduce((sum, seconds) => sum + seconds, 0);
  return children.reduce((sum, child) => sum + processorSeconds(Number(child)), own);
}

/** Of its own: for programs, for the system; then the same two of its children that have ended. */
function readTimes(pid: number): number[] {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ").at(-1)?.split(" ") ?? [];
  return fields.slice(11, 15).map((ticks) => Number(ticks) / 100);
}

export function parentOf(pid: number): number {
  return Number(/^PPid:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]);
}
