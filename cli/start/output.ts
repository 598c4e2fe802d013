import { createInterface } from "node:readline";
import type { Readable } from "node:stream";

/** Passes a part's lines on: to a person as readable text, to anything else exactly as the part wrote them. */
export function relayOutput(part: string, from: { stdout: Readable | null; stderr: Readable | null }): void {
  relay(from.stdout, process.stdout, process.stdout.isTTY ? (line) => readable(part, line) : (line) => line);
  relay(from.stderr, process.stderr, process.stderr.isTTY ? (line) => named(part, line) : (line) => line);
}

/** Where our own log goes: standard output, in words when a person reads it. */
export function readableIfTerminal(part: string): { write(line: string): void } {
  const shape = process.stdout.isTTY ? (line: string) => `${readable(part, line.trimEnd())}\n` : (line: string) => line;
  return { write: (line) => void process.stdout.write(shape(line)) };
}

function relay(from: Readable | null, to: NodeJS.WriteStream, shape: (line: string) => string): void {
  if (from === null) return;
  createInterface({ input: from, crlfDelay: Number.POSITIVE_INFINITY }).on("line", (line) => {
    to.write(`${shape(line)}\n`);
  });
}

const KNOWN_FIELDS = new Set(["level", "time", "part", "msg", "err", "pid", "hostname"]);
const COLOURS: Record<string, string> = { warn: "\x1b[33m", error: "\x1b[31m", fatal: "\x1b[31m" };

/** A log entry as a line for people; anything else as it is. */
export function readable(part: string, line: string): string {
  const entry = parseEntry(line);
  if (entry === null) return named(part, line);
  const level = String(entry.level ?? "info");
  const facts = Object.entries(entry).filter(([name]) => !KNOWN_FIELDS.has(name));
  const shown = facts.map(([name, value]) => `${name}=${typeof value === "string" ? value : JSON.stringify(value)}`);
  const time = String(entry.time ?? "").slice(11, 19);
  const words = [String(entry.msg ?? ""), ...shown, errorText(entry.err)].filter((word) => word !== "").join(" ");
  const colour = COLOURS[level] ?? "";
  return `${time} ${String(entry.part ?? part).padEnd(10)} ${colour}${words}${colour === "" ? "" : "\x1b[0m"}`;
}

function named(part: string, line: string): string {
  return `${" ".repeat(8)} ${part.padEnd(10)} ${line}`;
}

function errorText(error: unknown): string {
  if (typeof error !== "object" || error === null) return "";
  const { stack, message } = error as { stack?: unknown; message?: unknown };
  return `(${String(stack ?? message ?? "unknown error")})`;
}

function parseEntry(line: string): Record<string, unknown> | null {
  if (!line.startsWith("{")) return null;
  try {
    return JSON.parse(line) as Record<string, unknown>;
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}
