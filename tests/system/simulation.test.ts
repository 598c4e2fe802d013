import { afterAll, beforeAll, expect, it } from "vitest";
import { type Api, at, createApi, eventually } from "#tests/harness/api.ts";
import { type System, startSystem } from "#tests/harness/system.ts";

let system: System;
let api: Api;

beforeAll(async () => {
  system = await startSystem();
  api = createApi(system.consoleUrl, system.cli("token", "create", "--role", "admin", "--name", "simulation").trim());
}, 300_000);

afterAll(() => system?.drop(), 60_000);

it("runs a simulated device for the console, marked as such, through the real door, until it is stopped", async () => {
  const started = await api.post("/api/v1/simulated-devices", { hardwareId: "rpi4", secondaries: 1 });
  expect(started.status).toBe(201);
  const uuid = String(at(started.body, "uuid"));
  await eventually(async () => at((await api.get(`/api/v1/devices/${uuid}`)).body, "lastManifestAt") !== null, {
    withinSeconds: 30,
    what: "its first signed manifest",
  });
  const device = (await api.get(`/api/v1/devices/${uuid}`)).body;
  expect(device).toMatchObject({ simulated: true, status: "up_to_date", certificate: { state: "allowed" } });
  expect(at(device, "ecus")).toHaveLength(2);

  system.kill9("worker");
  const before = Date.now();
  await eventually(
    async () => Date.parse(String(at((await api.get(`/api/v1/devices/${uuid}`)).body, "lastSeenAt"))) > before,
    {
      withinSeconds: 60,
      what: "another worker to run it",
    },
  );
  expect((await api.post(`/api/v1/simulated-devices/${uuid}/stop`, {})).body).toMatchObject({ running: false });
}, 120_000);
