import { type ChildProcess, spawn } from "node:child_process";
import { mkdir, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type CredentialOrder, obtainDevices } from "#device/obtain.ts";
import { type Bench, openBench, until } from "#device/tests/bench.ts";

let bench: Bench;
let dir: string;
const children: ChildProcess[] = [];

beforeEach(async () => {
  bench = await openBench();
  dir = join(bench.stateDir, "devices");
});
afterEach(async () => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
  await bench.close();
});

const wanted = (changes = {}) => ({ count: 2, hardware: "rpi4", secondaries: 0, dir, pending: false, ...changes });

async function issue({ out }: CredentialOrder): Promise<void> {
  await mkdir(out, { recursive: true });
  for (const [name, content] of Object.entries(bench.server.files)) await writeFile(join(out, name), content);
}

const obtain = async (changes = {}, issuer = issue) => {
  const orders: CredentialOrder[] = [];
  const spying = (order: CredentialOrder) => {
    orders.push(order);
    return issuer(order);
  };
  const devices = await obtainDevices(wanted(changes), { say: () => undefined, issue: spying });
  return { orders, names: devices.map((device) => device.name).sort() };
};

describe("devices of a folder", () => {
  it("are issued once and used again, and only the missing ones are new", async () => {
    const first = await obtain();
    expect(first.orders.map((order) => order.name).sort()).toEqual(first.names);
    expect((await obtain()).orders).toEqual([]);
    const third = await obtain({ count: 3 });
    expect(third.orders).toHaveLength(1);
    expect(third.names).toEqual(expect.arrayContaining(first.names));
  });

  it("are not used for other hardware, other secondaries, or a different way in", async () => {
    await obtain();
    for (const changes of [{ hardware: "rpi5" }, { secondaries: 1 }, { pending: true }]) {
      expect((await obtain(changes)).orders).toHaveLength(2);
    }
  });

  it("are not left half made when they cannot be issued", async () => {
    const refuse = () => Promise.reject(new Error("no"));
    await expect(obtain({}, refuse)).rejects.toThrow();
    expect(await readdir(dir)).toEqual([]);
  });
});

describe("the command", { timeout: 60_000 }, () => {
  it.each([
    ["--bogus"],
    ["--count", "0"],
    ["--count", "x"],
    ["--fail", "always"],
    ["--interval", "0"],
    ["--secondaries", "-1"],
  ])("explains itself and exits with 2 on %s %s", async (...words) => {
    const { code, output } = await run(words).ended;
    expect(code).toBe(2);
    expect(output()).toContain("npm run device");
  });

  it("polls until Ctrl-C and then ends cleanly", async () => {
    await obtain({ count: 1 });
    const running = run(["--dir", dir, "--interval", "0.05"]);
    await until(() => bench.server.bodies("PUT", "/director/manifest").length >= 2);
    running.child.kill("SIGINT");
    const { code, output } = await running.ended;
    expect(code).toBe(0);
    expect(output()).toContain("registered its ECUs");
  });

  it("exits with 1 after one poll that did not get through", async () => {
    await obtain({ count: 1 });
    bench.server.answer("POST /director/ecus", 403);
    expect((await run(["--dir", dir, "--once"]).ended).code).toBe(1);
    expect((await run(["--dir", dir, "--once"]).ended).code).toBe(0);
  });
});

type Ended = { readonly code: number | null; output(): string };

function run(words: readonly string[]): { readonly child: ChildProcess; readonly ended: Promise<Ended> } {
  const script = join(import.meta.dirname, "..", "main.ts");
  const child = spawn(process.execPath, [script, ...words], { stdio: ["ignore", "pipe", "pipe"] });
  children.push(child);
  const chunks: Buffer[] = [];
  child.stdout.on("data", (chunk: Buffer) => chunks.push(chunk));
  child.stderr.on("data", (chunk: Buffer) => chunks.push(chunk));
  const output = () => Buffer.concat(chunks).toString();
  return { child, ended: new Promise((resolve) => child.on("close", (code) => resolve({ code, output }))) };
}
