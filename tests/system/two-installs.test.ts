import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, it } from "vitest";
import { backEndsOf, type System, startSystem } from "#tests/harness/system.ts";

/* One install is the console, the doors and the worker of another one's services. */

const WALK = fileURLToPath(new URL("../walk.sh", import.meta.url));

let theirs: System;
let ours: System;

beforeAll(async () => {
  theirs = await startSystem();
  ours = await startSystem(backEndsOf(theirs));
}, 500_000);

afterAll(async () => {
  await ours?.drop();
  await theirs?.drop();
}, 120_000);

it("walks the main path on another install's services, word for word as on its own", async () => {
  const token = ours.cli("token", "create", "--role", "admin", "--name", "walk").trim();
  const env = { ...process.env, ...ours.env, GATEHOUSE_URL: ours.consoleUrl, GATEHOUSE_TOKEN: token };
  const { stdout } = await promisify(execFile)("bash", [WALK], { env });
  expect(stdout.trim().split("\n").at(-1)).toBe("walked");
}, 240_000);

it("keeps devices, images and signatures with the other install, and certificates and users here", async () => {
  // First, since the command holds this process up while kept-open connections end.
  const tokens = new Map(
    [ours, theirs].map((it) => [it, it.cli("token", "create", "--role", "support", "--name", "reader").trim()]),
  );
  const read = async (system: System, path: string) => {
    const reply = await fetch(system.consoleUrl + path, { headers: { authorization: `Bearer ${tokens.get(system)}` } });
    return (await reply.json()) as { total: number; data: { uuid?: string; filename?: string }[] };
  };
  const devices = await Promise.all([ours, theirs].map((system) => read(system, "/api/v1/devices")));
  expect(devices[0]?.data.map(({ uuid }) => uuid)).toEqual(devices[1]?.data.map(({ uuid }) => uuid));
  const images = await Promise.all([ours, theirs].map((system) => read(system, "/api/v1/images")));
  expect(images[0]?.data.map(({ filename }) => filename)).toEqual(images[1]?.data.map(({ filename }) => filename));
  const certificates = await Promise.all([ours, theirs].map((system) => read(system, "/api/v1/certificates")));
  expect(certificates.map(({ total }) => total)).toEqual([1, 0]);
}, 60_000);
