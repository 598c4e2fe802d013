import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type System, startSystem } from "#tests/harness/system.ts";

const WALK = fileURLToPath(new URL("../walk.sh", import.meta.url));

let system: System;

beforeAll(async () => {
  system = await startSystem();
}, 300_000);

afterAll(() => system?.drop(), 60_000);

it("walks the main path with curl and openssl s_client", async () => {
  const token = system.cli("token", "create", "--role", "admin", "--name", "walk").trim();
  const env = { ...process.env, ...system.env, GATEHOUSE_URL: system.consoleUrl, GATEHOUSE_TOKEN: token };
  const { stdout } = await promisify(execFile)("bash", [WALK], { env });
  expect(stdout.trim().split("\n").at(-1)).toBe("walked");
}, 180_000);
