import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdtempSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { createEmptyDatabase, createTestDatabase, type TestDatabase } from "#tests/harness/database.ts";
import { freePort } from "#tests/harness/free-port.ts";

const TOKEN = randomBytes(20).toString("hex");
const MASTER_KEY = randomBytes(32).toString("hex");
let database: TestDatabase;
let started: ChildProcess[] = [];

beforeAll(async () => {
  database = await createTestDatabase();
});

afterEach(() => {
  for (const child of started) child.kill("SIGKILL");
  started = [];
});

afterAll(() => database.drop());

type Part = { child: ChildProcess; output: () => string; exit: Promise<number | null>; url: string };

async function start(settings: Record<string, string | undefined> = {}): Promise<Part> {
  const port = settings.SERVICES_PORT ?? String(await freePort());
  const env = {
    PATH: process.env.PATH,
    DATABASE_URL: database.url,
    DATA_DIR: mkdtempSync(join(tmpdir(), "gatehouse-test-")),
    MASTER_KEY,
    SERVICES_TOKEN: TOKEN,
    SERVICES_PORT: port,
    ...settings,
  };
  const given = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== undefined));
  const child = spawn(process.execPath, ["services/main.ts"], { env: given as NodeJS.ProcessEnv, stdio: "pipe" });
  started.push(child);
  let output = "";
  child.stdout.on("data", (chunk) => (output += chunk));
  child.stderr.on("data", (chunk) => (output += chunk));
  const exit = new Promise<number | null>((resolve) => child.once("exit", (code) => resolve(code)));
  return { child, output: () => output, exit, url: `http://127.0.0.1:${port}` };
}

async function ready(part: Part): Promise<void> {
  const health = () =>
    fetch(`${part.url}/health`).then(
      ({ status }) => status,
      () => 0,
    );
  await expect.poll(health, { timeout: 15_000, interval: 100 }).toBe(200);
}

describe("the services started alone", () => {
  it("serve the repositories, and end within seconds on SIGTERM with a connection kept open", async () => {
    const part = await start();
    await ready(part);
    const headers = { authorization: `Bearer ${TOKEN}` };
    const root = await fetch(`${part.url}/api/v1/user_repo/1.root.json`, { headers });
    expect([root.status, (await root.json()).signed._type]).toEqual([200, "Root"]);
    const asked = Date.now();
    part.child.kill("SIGTERM");
    expect(await part.exit).toBe(0);
    expect(Date.now() - asked).toBeLessThan(4_500);
  });

  it("refuse a master key that is not the database's, in one sentence", async () => {
    const first = await start();
    await ready(first);
    const second = await start({ MASTER_KEY: randomBytes(32).toString("hex") });
    expect(await second.exit).toBe(1);
    expect(second.output()).toMatch(/^MASTER_KEY is not the one[^\n]*\n$/);
  });

  it("refuse to start without their secrets and name each", async () => {
    const part = await start({ MASTER_KEY: undefined, SERVICES_TOKEN: undefined });
    expect(await part.exit).toBe(1);
    expect(part.output()).toMatch(/MASTER_KEY is not set/);
    expect(part.output()).toMatch(/SERVICES_TOKEN is not set/);
  });

  it("say which port is taken and what to set", async () => {
    const holder: Server = createServer();
    await new Promise<void>((resolve) => holder.listen(0, "127.0.0.1", resolve));
    const { port } = holder.address() as AddressInfo;
    const part = await start({ SERVICES_PORT: String(port) });
    expect(await part.exit).toBe(1);
    expect(part.output()).toMatch(new RegExp(`127\\.0\\.0\\.1:${port} is taken\\.[^\\n]*SERVICES_PORT`));
    holder.close();
  });

  it("say that the database does not answer, without its password", async () => {
    const part = await start({ DATABASE_URL: "postgresql://someone:hushhush@127.0.0.1:1/none" });
    expect(await part.exit).toBe(1);
    expect(part.output()).toContain("No PostgreSQL answers at postgresql://someone@127.0.0.1:1/none");
    expect(part.output()).not.toContain("hushhush");
  });

  it("say that the database has no tables", async () => {
    const empty = await createEmptyDatabase();
    const part = await start({ DATABASE_URL: empty.url });
    expect(await part.exit).toBe(1);
    expect(part.output()).toMatch(/has no Gatehouse tables/);
    await empty.drop();
  });

  it("started twice at once on a new database agree on keys and repositories", async () => {
    const fresh = await createTestDatabase();
    const both = await Promise.all([start({ DATABASE_URL: fresh.url }), start({ DATABASE_URL: fresh.url })]);
    await Promise.all(both.map(ready));
    const headers = { authorization: `Bearer ${TOKEN}` };
    const roots = await Promise.all(
      both.map(async ({ url }) => (await fetch(`${url}/api/v1/user_repo/1.root.json`, { headers })).text()),
    );
    expect(roots[0]).toBe(roots[1]);
    for (const { child, exit } of both) {
      child.kill("SIGINT");
      expect(await exit).toBe(0);
    }
    await fresh.drop();
  });
});
