import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import net from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createTestDatabase, type TestDatabase } from "#tests/harness/database.ts";
import { eventually } from "#tests/harness/eventually.ts";
import { freePort } from "#tests/harness/free-port.ts";

/** A process of its own reads a thousand files before it says anything; beside other tests that takes a while. */
const STARTED_WITHIN_MS = 60_000;
const MAIN = fileURLToPath(new URL("../main.ts", import.meta.url));
const dataDir = mkdtempSync(join(tmpdir(), "gatehouse-gateway-"));
let database: TestDatabase;
const children: ChildProcess[] = [];

beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(async () => {
  for (const child of children) child.kill("SIGKILL");
  await database.drop();
  rmSync(dataDir, { recursive: true });
});

async function settings(): Promise<Record<string, string>> {
  return {
    PATH: process.env.PATH ?? "",
    DATA_DIR: dataDir,
    DATABASE_URL: database.url,
    DEVICE_DOOR_HOST: "127.0.0.1",
    DEVICE_DOOR_PORT: String(await freePort()),
    TOOLS_DOOR_HOST: "127.0.0.1",
    TOOLS_DOOR_PORT: String(await freePort()),
    DECISION_PORT: String(await freePort()),
    MASTER_KEY: "ab".repeat(32),
    SERVICES_TOKEN: "s".repeat(32),
    DECISION_SECRET: "d".repeat(32),
  };
}

function start(env: Record<string, string>) {
  const child = spawn(process.execPath, [MAIN], {
    env: { ...env, NODE_ENV: "production" },
    stdio: ["ignore", "pipe", "pipe"],
  });
  children.push(child);
  let said = "";
  let errors = "";
  child.stdout.on("data", (chunk: Buffer) => (said += chunk));
  child.stderr.on("data", (chunk: Buffer) => (errors += chunk));
  return { child, exit: once(child, "exit"), said: () => said, errors: () => errors };
}

describe("the gateway as a process of its own", { timeout: 2 * STARTED_WITHIN_MS }, () => {
  it("starts, says that it is healthy, keeps secrets out of its log, and stops at SIGTERM", async () => {
    const env = await settings();
    const gateway = start(env);
    await eventually(async () => {
      expect((await fetch(`http://127.0.0.1:${env.DECISION_PORT}/health`)).status).toBe(200);
    }, STARTED_WITHIN_MS);
    gateway.child.kill("SIGTERM");
    const [code] = await gateway.exit;
    expect(code).toBe(0);
    for (const secret of [env.MASTER_KEY, env.SERVICES_TOKEN, env.DECISION_SECRET, "PRIVATE KEY"]) {
      expect(gateway.said()).not.toContain(secret);
    }
  });

  it("refuses to start without its secrets, naming them all", async () => {
    const { SERVICES_TOKEN, DECISION_SECRET, ...env } = await settings();
    const gateway = start(env);
    const [code] = await gateway.exit;
    expect(code).toBe(1);
    for (const name of ["SERVICES_TOKEN", "DECISION_SECRET"]) expect(gateway.errors()).toContain(name);
  });

  it("ends with one sentence when its port is taken or its own certificate can't be read", async () => {
    const env = await settings();
    const taken = net.createServer().listen(Number(env.DEVICE_DOOR_PORT), "127.0.0.1");
    await once(taken, "listening");
    const blocked = start(env);
    expect((await blocked.exit)[0]).toBe(1);
    expect(blocked.errors()).toMatch(/^127\.0\.0\.1:\d+ is taken\. .*DEVICE_DOOR_PORT.*\.\n$/);
    taken.close();
    const own = start({ ...env, DEVICE_DOOR_CERT: "/nowhere/c.pem", DEVICE_DOOR_KEY: "/nowhere/k.pem" });
    expect((await own.exit)[0]).toBe(1);
    expect(own.errors()).toMatch(/^DEVICE_DOOR_CERT: .*\n$/);
  });
});
