import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import https from "node:https";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { Ctx } from "#lib/ctx.ts";
import { issueDevice } from "#tests/harness/build-tools.ts";
import { createTestCtx } from "#tests/harness/ctx.ts";
import { createTestDatabase, type TestDatabase } from "#tests/harness/database.ts";
import { eventually } from "#tests/harness/eventually.ts";
import { type System, startSystem } from "#tests/harness/system.ts";
import { addAuthority } from "#tests/pki/authority.ts";
import { createSoftwareCa } from "#tests/pki/software-ca.ts";

const STRANGERS = fileURLToPath(new URL("./strangers.ts", import.meta.url));
const SECONDS = 60;
/** What an answer to a known device may take in the worst case, two cores shared with the flood itself. */
const WITHIN_MS = 3_000;
const MAY_GROW_BYTES = 300 * 1024 * 1024;
const KNOWN_AUTHORITY = "Plant CA";

let database: TestDatabase;
let system: System;
let ctx: Ctx;
let folder: string;

beforeAll(async () => {
  database = await createTestDatabase();
  system = await startSystem({ DATABASE_URL: database.url }, ["services", "gateway"]);
  ctx = createTestCtx(database.url);
  folder = issueDevice(system, "known");
  await addAuthority(ctx, (await createSoftwareCa({ commonName: KNOWN_AUTHORITY })).certificate);
}, 120_000);
afterAll(async () => {
  await ctx?.db.$disconnect();
  await system?.drop();
  await database?.drop();
}, 60_000);

/** A request of the known device. @returns how long it took */
async function visit(agent: https.Agent | false): Promise<number> {
  const read = (name: string) => readFileSync(join(folder, name));
  const started = performance.now();
  const status = await new Promise<number>((done, fail) => {
    const { port } = system.door;
    const credentials = {
      cert: read("client.pem"),
      key: read("pkey.pem"),
      ca: read("root.crt"),
      servername: "localhost",
    };
    https
      .get({ host: "127.0.0.1", port, path: "/repo/1.root.json", ...credentials, agent, timeout: 10_000 }, (res) => {
        res.resume();
        res.once("end", () => done(res.statusCode ?? 0));
      })
      .once("error", fail);
  });
  expect(status).toBe(200);
  return performance.now() - started;
}

/** What the gateway says of its own process. */
async function measure(): Promise<{ bytes: number; cpuSeconds: number }> {
  const metrics = await (await fetch(`http://127.0.0.1:${system.decisionPort}/metrics`)).text();
  const read = (name: string) => Number(new RegExp(`^${name} ([0-9.e+]+)`, "m").exec(metrics)?.[1]);
  return { bytes: read("process_resident_memory_bytes"), cpuSeconds: read("process_cpu_seconds_total") };
}

it("serves known devices, with bounded memory and rows, while strangers come as fast as the machine can send", async () => {
  await visit(false);
  const before = await measure();
  const flood = spawn(process.execPath, [STRANGERS, String(system.door.port), String(SECONDS), KNOWN_AUTHORITY], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let printed = "";
  flood.stdout.on("data", (chunk: Buffer) => {
    printed += chunk.toString();
  });
  let ended = false;
  const exit = once(flood, "close").then(([code]) => {
    ended = true;
    return code;
  });
  const keepAlive = new https.Agent({ keepAlive: true, maxSockets: 1 });
  const took: number[] = [];
  let atFirst = 0;
  let most = 0;
  while (!ended) {
    took.push(await visit(keepAlive), await visit(false));
    const { bytes } = await measure();
    // What it needs to work at all is no growth.
    if (took.length === 20) atFirst = bytes;
    most = Math.max(most, bytes);
    expect(await ctx.db.refusedAttempt.count()).toBeLessThanOrEqual(1_000);
    // Not to be a flood itself.
    await sleep(200);
  }
  keepAlive.destroy();
  expect(await exit).toBe(0);
  const answers = JSON.parse(printed) as Record<string, number>;
  const came = Object.values(answers).reduce((sum, count) => sum + count, 0);
  const cpuSeconds = (await measure()).cpuSeconds - before.cpuSeconds;
  const cpuMs = (cpuSeconds * 1_000) / came;
  const worst = Math.max(...took);
  const grown = atFirst === 0 ? 0 : Math.round((most - atFirst) / 1_048_576);
  process.stdout.write(
    `flood: ${Math.round(came / SECONDS)} strangers/s ${printed}, each ${cpuMs.toFixed(1)} ms of the gateway's processor time; ${took.length} visits of the known device, the longest ${Math.round(worst)} ms; memory grew by ${grown} MiB\n`,
  );
  expect(Object.keys(answers).sort()).toEqual(["bad_signature", "unknown_authority"]);
  // A flood it was; how many a second is the machine's business, and printed.
  expect(came).toBeGreaterThan(20 * SECONDS);
  expect(took.length).toBeGreaterThan(20);
  expect(worst).toBeLessThan(WITHIN_MS);
  expect(most - atFirst).toBeLessThan(MAY_GROW_BYTES);
  await eventually(async () => {
    const { _sum } = await ctx.db.refusalHour.aggregate({ _sum: { count: true } });
    expect(_sum.count).toBe(came);
  });
}, 120_000);
