import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes, randomUUID } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { pushRepository } from "#tests/garage-push/push.ts";
import { openRepository } from "#tests/garage-sign/client.ts";
import { type Api, at, createApi, eventually } from "#tests/harness/api.ts";
import {
  caOf,
  createLargeRepository,
  issueDevice,
  makeCredentials,
  pullAndCheck,
  targetsKeyIn,
  tokenOfNewClient,
} from "#tests/harness/build-tools.ts";
import { createTestDatabase, type TestDatabase } from "#tests/harness/database.ts";
import { type System, startSystem } from "#tests/harness/system.ts";

/* Each back end alone is another install's; all else is embedded. The main path holds, and each thing lives where it should. */

const DEVICE = fileURLToPath(new URL("../../device/main.ts", import.meta.url));
const OUR_TOKEN = "our-services-token-0123456789abcdef01";
const THEIR_TOKEN = "their-services-token-0123456789abcdef";
const START_MS = 300_000;
const HARDWARE = "walk-hw";

type Setting = "DEVICE_REGISTRY_URL" | "DIRECTOR_URL" | "REPOSERVER_URL" | "KEYSERVER_URL" | "TREEHUB_URL";
type Path = { device: string; image: string };

/** What only the service behind the setting has, once the main path was walked. */
const KEPT: readonly { setting: Setting; path(of: Path): string }[] = [
  { setting: "DEVICE_REGISTRY_URL", path: ({ device }) => `/api/v1/devices/${device}` },
  { setting: "DIRECTOR_URL", path: ({ device }) => `/api/v1/admin/devices/${device}` },
  { setting: "REPOSERVER_URL", path: ({ image }) => `/api/v1/user_repo/gatehouse/targets/${image}` },
];

let theirs: System;
let theirDatabase: TestDatabase;

beforeAll(async () => {
  theirDatabase = await createTestDatabase();
  const settings = { SERVICES_TOKEN: THEIR_TOKEN, DATABASE_URL: theirDatabase.url };
  theirs = await startSystem(settings, ["services"]);
}, START_MS);
afterAll(async () => {
  await theirs?.drop();
  await theirDatabase?.drop();
}, 60_000);

function startOurs(database: TestDatabase, setting: Setting): Promise<System> {
  const tokens = { SERVICES_TOKEN: OUR_TOKEN, BACKEND_TOKEN: THEIR_TOKEN };
  const url = `http://127.0.0.1:${theirs.servicesPort}`;
  return startSystem({ ...tokens, DATABASE_URL: database.url, [setting]: url });
}

describe.each<Setting>(["DEVICE_REGISTRY_URL", "DIRECTOR_URL", "REPOSERVER_URL", "TREEHUB_URL"])(
  "with %s alone",
  (setting) => {
    let database: TestDatabase;
    let ours: System;
    let api: Api;

    beforeAll(async () => {
      database = await createTestDatabase();
      ours = await startOurs(database, setting);
      api = createApi(ours.consoleUrl, ours.cli("token", "create", "--role", "admin", "--name", "row").trim());
    }, START_MS);
    afterAll(async () => {
      await ours?.drop();
      await database?.drop();
    }, 60_000);

    it("a device is let in, is updated and proves it, and the console tells the whole story", {
      timeout: 120_000,
    }, async () => {
      startDevice(ours, HARDWARE);
      const device = await firstReport(api, HARDWARE);
      const image = await uploadVerified(api, HARDWARE);
      const update = await launch(api, { device, image, hardware: HARDWARE });
      await eventually(async () => at((await api.get(`/api/v1/updates/${update}`)).body, "counts.updated") === 1, {
        withinSeconds: 40,
        what: () => `the update to be proven; the install said:\n${ours.output().slice(-3_000)}`,
      });
      await expectShown(api, { device, image, update });
      await expectKept(ours, setting, { device, image });

      expect((await api.delete(`/api/v1/devices/${device}`)).status).toBe(200);
      expect(await statusesOf(ours, `/api/v1/devices/${device}`)).toEqual([404, 404]);
      expect(await statusesOf(ours, `/api/v1/admin/devices/${device}`)).toEqual([404, 404]);
    });

    it.runIf(setting === "DEVICE_REGISTRY_URL" || setting === "DIRECTOR_URL")(
      "an update that fails is shown as failed, with the device's own reason",
      { timeout: 120_000 },
      async () => {
        const hardware = "fail-hw";
        startDevice(ours, hardware, "--fail", "install");
        const device = await firstReport(api, hardware);
        const image = await uploadVerified(api, hardware);
        const update = await launch(api, { device, image, hardware });
        await eventually(async () => at((await api.get(`/api/v1/updates/${update}`)).body, "counts.failed") === 1, {
          withinSeconds: 40,
          what: () => `the update to fail; the install said:\n${ours.output().slice(-3_000)}`,
        });
        const page = (await api.get(`/api/v1/devices/${device}`)).body;
        expect(page).toMatchObject({ status: "failed", statusReason: expect.stringMatching(/INSTALL_FAILED/) });
      },
    );

    it.runIf(setting === "TREEHUB_URL")("OSTree objects come and go through these doors and stay there", async () => {
      const { repository, commit, drop } = createLargeRepository(20);
      onTestFinished(drop);
      const device = issueDevice(ours, "puller");
      const doors = { toolsUrl: ours.toolsUrl, ca: caOf(device) };
      const headers = await tokenOfNewClient(ours, doors, ["treehub:push", "repo:write"]);
      const tls = { ca: doors.ca };
      await pushRepository({ repo: repository.path, baseUrl: `${doors.toolsUrl}/treehub/api/v3/`, headers, tls });
      await pullAndCheck({ url: `${ours.door.url}/treehub`, commit, device });
      const tool = openRepository({ repoUrl: `${doors.toolsUrl}/repo`, headers: () => headers, tls });
      await tool.rootPull();
      await tool.targetsPull();
      const target = { name: "os", version: commit, hardwareIds: [HARDWARE], sha256: commit, length: 0 };
      const filename = tool.targetsAdd({ ...target, format: "OSTREE" });
      tool.targetsSign([targetsKeyIn(makeCredentials(ours, "build", "--with-targets-key"))]);
      await tool.targetsPush();
      const looked = await api.post(`/api/v1/images/${filename}/verification`, {});
      expect(looked.body).toMatchObject({ state: "verified" });
      const path = `/api/v2/objects/${commit.slice(0, 2)}/${commit.slice(2)}.commit`;
      expect(await statusesOf(ours, path)).toEqual([404, 200]);
    });
  },
);

it("with KEYSERVER_URL alone, does not start, and says which setting belongs with it", {
  timeout: START_MS,
}, async () => {
  const database = await createTestDatabase();
  onTestFinished(() => database.drop());
  await expect(startOurs(database, "KEYSERVER_URL")).rejects.toThrow(/KEYSERVER_URL.*REPOSERVER_URL/);
});

/** A device that this install issues, with a secondary, on a real connection to this install's door. */
function startDevice(system: System, hardware: string, ...more: string[]): void {
  const dir = mkdtempSync(join(tmpdir(), "gatehouse-one-external-"));
  const words = ["--count", "1", "--hardware", hardware, "--secondaries", "1", "--interval", "1", "--dir", dir];
  const child: ChildProcess = spawn(process.execPath, [DEVICE, ...words, ...more], {
    env: { ...process.env, ...system.env },
    stdio: "ignore",
  });
  onTestFinished(async () => {
    const ended = once(child, "close");
    if (child.exitCode === null && child.kill("SIGTERM")) await ended;
    rmSync(dir, { recursive: true, force: true });
  });
}

/** @returns the one device of this hardware in the fleet list, once its first manifest is in */
async function firstReport(api: Api, hardware: string): Promise<string> {
  let row: unknown;
  await eventually(
    async () => {
      row = await onlyRow(api, hardware);
      return at(row, "lastManifestAt") !== null && at(row, "status") === "up_to_date";
    },
    { withinSeconds: 40, what: () => `the device's first manifest: ${JSON.stringify(row)}` },
  );
  expect(row).toMatchObject({ certificate: { state: "allowed" }, hardwareIds: expect.arrayContaining([hardware]) });
  expect(at(row, "ecus")).toHaveLength(2);
  return String(at(row, "uuid"));
}

/** What else a registry lists that others use too has no certificate here. */
async function onlyRow(api: Api, hardware: string): Promise<unknown> {
  const data = at((await api.get(`/api/v1/devices?certificate=allowed&hardware=${hardware}`)).body, "data");
  if (!Array.isArray(data) || data.length !== 1) throw new Error(`not one device: ${JSON.stringify(data)}`);
  return data[0];
}

async function uploadVerified(api: Api, hardware: string): Promise<string> {
  const fields = { name: hardware, version: randomUUID(), hardwareIds: hardware };
  const uploaded = await api.upload(fields, Uint8Array.from(randomBytes(100_000)));
  expect(uploaded.status).toBe(201);
  const image = String(at(uploaded.body, "filename"));
  await eventually(
    async () => at((await api.get(`/api/v1/images/${image}`)).body, "verification.state") === "verified",
    {
      withinSeconds: 20,
      what: "the image to be verified",
    },
  );
  return image;
}

async function launch(api: Api, { device, image, hardware }: Path & { hardware: string }): Promise<string> {
  const launched = await api.post("/api/v1/updates", {
    name: "walk",
    targets: { [hardware]: { to: image } },
    devices: [device],
  });
  expect(launched.status).toBe(201);
  return String(at(launched.body, "id"));
}

/** Fleet list, device page, its story, the evidence and the audit log agree. */
async function expectShown(api: Api, { device, image, update }: Path & { update: string }): Promise<void> {
  const page = (await api.get(`/api/v1/devices/${device}`)).body;
  for (const shown of [page, await onlyRow(api, HARDWARE)]) {
    expect(shown).toMatchObject({ uuid: device, status: "up_to_date", correlationId: null, ecus: at(page, "ecus") });
  }
  const ecus = at(page, "ecus") as { primary: boolean; installed: unknown; assigned: unknown }[];
  expect(ecus.find(({ primary }) => primary)).toMatchObject({ installed: { filename: image }, assigned: null });

  const { evidence } =
    (at((await api.get(`/api/v1/updates/${update}`)).body, "devices") as { evidence: unknown }[])[0] ?? {};
  const manifest = (await api.get(String(at(evidence, "manifestUrl")))).body;
  const text = typeof manifest === "string" ? manifest : JSON.stringify(manifest);
  expect(text).toContain(image);
  expect(at(evidence, "manifestSha256")).toMatch(/^[0-9a-f]{64}$/);

  const story = at((await api.get(`/api/v1/devices/${device}/activity?limit=200`)).body, "data") as {
    kind: string;
    text: string;
  }[];
  expect(new Set(story.map(({ text: line }) => line)).size).toBe(story.length);
  expect(story.filter(({ kind, text: line }) => kind === "assignment" && line.includes(image))).toHaveLength(1);
  expect(story.filter(({ kind, text: line }) => kind === "report" && line.includes(image))).toHaveLength(1);
  expect((await api.get(`/api/v1/devices/${device}/hardware`)).status).toBe(200);

  const audit = at((await api.get("/api/v1/audit?limit=200")).body, "data") as {
    action: string;
    outcome: string;
    target: { id: string };
  }[];
  const done = audit.filter(({ outcome }) => outcome === "done").map(({ action, target }) => `${action} ${target.id}`);
  expect(done).toEqual(expect.arrayContaining([`image.upload ${image}`, `update.launch ${update}`]));
}

/** The services that this install was told to leave alone have not heard of any of it. */
async function expectKept(ours: System, setting: Setting, of: Path): Promise<void> {
  for (const kept of KEPT) {
    const expected = kept.setting === setting ? [404, 200] : [200, 404];
    expect([kept.setting, ...(await statusesOf(ours, kept.path(of)))]).toEqual([kept.setting, ...expected]);
  }
}

/** What our own embedded services answer, and theirs. */
function statusesOf(ours: System, path: string): Promise<number[]> {
  const ask = async ({ servicesPort }: System, token: string) => {
    const headers = { authorization: `Bearer ${token}` };
    const reply = await fetch(`http://127.0.0.1:${servicesPort}${path}`, { headers });
    await reply.arrayBuffer();
    return reply.status;
  };
  return Promise.all([ask(ours, OUR_TOKEN), ask(theirs, THEIR_TOKEN)]);
}
