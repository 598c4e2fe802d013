import { type ChildProcess, spawn } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Api, at, createApi, eventually } from "#tests/harness/api.ts";
import { type PartName, type System, startSystem } from "#tests/harness/system.ts";

const DEVICE = fileURLToPath(new URL("../../device/main.ts", import.meta.url));
const DEVICES = 3;
const FOLDER = mkdtempSync(join(tmpdir(), "gatehouse-chaos-"));

let system: System;
let api: Api;
let fleet: ChildProcess;
let uuids: string[];

beforeAll(async () => {
  system = await startSystem();
  api = createApi(system.consoleUrl, system.cli("token", "create", "--role", "admin", "--name", "chaos").trim());
  startFleet();
  await eventually(async () => (await statuses()).filter((status) => status === "up_to_date").length === DEVICES, {
    withinSeconds: 120,
    what: () => `${DEVICES} devices to report; the install said:\n${system.output().slice(-4_000)}`,
  });
  const page = await api.get("/api/v1/devices");
  uuids = Array.from({ length: DEVICES }, (_, index) => String(at(page.body, `data.${index}.uuid`)));
}, 300_000);

afterAll(async () => {
  await endFleet("SIGTERM");
  await system?.drop();
  rmSync(FOLDER, { recursive: true, force: true });
}, 60_000);

function startFleet(): void {
  const args = ["--count", String(DEVICES), "--hardware", "chaos", "--interval", "1", "--dir", FOLDER];
  fleet = spawn(process.execPath, [DEVICE, ...args], { env: { ...process.env, ...system.env }, stdio: "ignore" });
}

async function endFleet(signal: "SIGTERM" | "SIGKILL"): Promise<void> {
  if (fleet === undefined || fleet.exitCode !== null || fleet.signalCode !== null) return;
  const closed = once(fleet, "close");
  fleet.kill(signal);
  await closed;
}

async function statuses(): Promise<unknown[]> {
  const { body } = await api.get("/api/v1/devices?limit=200");
  const data = at(body, "data");
  return Array.isArray(data) ? data.map((device) => at(device, "status")) : [];
}

/** Uploads a new image and launches it on every device. @returns what was acknowledged */
async function launch(version: string): Promise<{ id: string; filename: string; sha256: string }> {
  const file = Uint8Array.from(randomBytes(300_000));
  const image = await api.upload({ name: "chaos", version, hardwareIds: "chaos" }, file);
  expect(image.status).toBe(201);
  const filename = String(at(image.body, "filename"));
  const update = await api.post("/api/v1/updates", {
    name: version,
    targets: { chaos: { to: filename } },
    devices: uuids,
  });
  expect(update.status).toBe(201);
  return { id: String(at(update.body, "id")), filename, sha256: createHash("sha256").update(file).digest("hex") };
}

async function underWay(id: string): Promise<boolean> {
  const { body } = await api.get(`/api/v1/updates/${id}`);
  return ["downloading", "installing", "updated"].some((state) => Number(at(body, `counts.${state}`)) > 0);
}

async function expectCompletes(launched: { id: string; filename: string; sha256: string }): Promise<void> {
  let last: unknown;
  await eventually(
    async () => {
      const { status, body } = await api.get(`/api/v1/updates/${launched.id}`);
      last = body;
      return status === 200 && at(body, "counts.updated") === DEVICES && at(body, "state") === "finished";
    },
    { withinSeconds: 90, what: () => `the update to complete: ${JSON.stringify(last)}` },
  );
  for (const uuid of uuids) {
    const { body } = await api.get(`/api/v1/devices/${uuid}`);
    expect(at(body, "ecus.0.installed")).toEqual({ filename: launched.filename, sha256: launched.sha256 });
  }
  const audit = await api.get(`/api/v1/audit?targetKind=update&targetId=${launched.id}`);
  const outcomes = (at(audit.body, "data") as unknown[]).map((entry) => at(entry, "outcome"));
  expect(outcomes).toEqual(["done", "requested"]);
}

describe("kill -9 during an update", () => {
  it.each<PartName>(["services", "gateway", "worker", "console", "postgres"])(
    "of %s loses nothing that was acknowledged",
    async (part) => {
      const launched = await launch(`kill-${part}`);
      system.kill9(part);
      await expectCompletes(launched);
    },
    150_000,
  );

  it("of everything at once, in the middle of the installation, and of the devices too", async () => {
    const launched = await launch("kill-all");
    await eventually(() => underWay(launched.id), { withinSeconds: 30, what: "a device to begin" });
    await endFleet("SIGKILL");
    await system.kill9All();
    await system.start();
    startFleet();
    await expectCompletes(launched);
  }, 200_000);

  it("leaves an audit chain that verifies", () => {
    expect(system.cli("audit", "verify")).toMatch(/intact/i);
  });
});
