import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { connect, type TLSSocket } from "node:tls";
import { fileURLToPath } from "node:url";
import type { System } from "#tests/harness/system.ts";

const PROGRAM = fileURLToPath(new URL("../../device/main.ts", import.meta.url));

export type Fleet = {
  /** Where the devices and their credentials are. */
  readonly dir: string;
  /** Everything the devices have printed. */
  output(): string;
  stop(): Promise<void>;
};

/** Runs simulated devices as `npm run device` does. */
export function runDevices(system: System, dir: string, ...options: string[]): Fleet {
  const child = spawn(process.execPath, [PROGRAM, "--interval", "1", "--dir", dir, ...options], {
    env: { ...process.env, ...system.env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const said: string[] = [];
  child.stdout.on("data", (chunk: Buffer) => said.push(chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => said.push(chunk.toString()));
  return { dir, output: () => said.join(""), stop: () => end(child) };
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const closed = once(child, "close");
  child.kill("SIGTERM");
  await closed;
}

/** The credentials folder of the only device in `dir`; null while it is being made. */
export function findCredentials(dir: string): string | null {
  const names = readdirSync(dir, { withFileTypes: true }).filter((entry) => !entry.name.startsWith("."));
  const [first] = names;
  return first === undefined ? null : join(dir, first.name, "credentials");
}

export type DoorSocket = {
  /** The status of one request on this connection. */
  get(path: string): Promise<number>;
  /** When the door ended it; null while it is open. */
  closedAt(): number | null;
  close(): void;
};

/** A connection of our own to the device door, kept open between requests. */
export async function openDoor(system: System, credentials: string): Promise<DoorSocket> {
  const read = (name: string) => readFileSync(join(credentials, name));
  const socket = connect({
    host: system.door.host,
    port: system.door.port,
    cert: read("client.pem"),
    key: read("pkey.pem"),
    ca: read("root.crt"),
  });
  let closed: number | null = null;
  socket.on("close", () => {
    closed = performance.now();
  });
  socket.on("error", () => undefined);
  await once(socket, "secureConnect");
  return {
    get: (path) => ask(socket, `GET ${path} HTTP/1.1\r\nHost: ${system.door.host}\r\n\r\n`),
    closedAt: () => closed,
    close: () => socket.destroy(),
  };
}

async function ask(socket: TLSSocket, request: string): Promise<number> {
  socket.write(request);
  const signal = AbortSignal.timeout(10_000);
  const [head] = (await once(socket, "data", { signal })) as [Buffer];
  return Number(/^HTTP\/1\.1 (\d{3})/.exec(head.toString("latin1"))?.[1]);
}

/** The status that a new connection gets. */
export async function knock(system: System, credentials: string): Promise<number> {
  const socket = await openDoor(system, credentials);
  try {
    return await socket.get("/director/1.root.json");
  } finally {
    socket.close();
  }
}
