import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import { connect } from "node:net";
import { Readable } from "node:stream";
import type { FastifyInstance } from "fastify";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Actor, SYSTEM } from "#lib/authz/actor.ts";
import { type BackendCtx, createBackends } from "#lib/backends/backends.ts";
import { loadConfig } from "#lib/config/load.ts";
import type { CreateUpdate, Update } from "#lib/contracts/console/updates.ts";
import { listAudit } from "#services/audit/service.ts";
import { direct, enrol, reportOf, type TestDevice, type TestDirector } from "#services/director/tests/harness.ts";
import { ensureRepo } from "#services/keyserver/service.ts";
import { createServices } from "#services/main.ts";
import {
  cancelUpdate,
  createUpdate,
  getUpdate,
  listUpdateDevices,
  listUpdates,
  previewUpdate,
  resumeUpdates,
} from "#services/rollouts/service.ts";
import { createTestClock, createTestCtx } from "#tests/harness/ctx.ts";
import { createTestDatabase, type TestDatabase } from "#tests/harness/database.ts";

const TOKEN = "s".repeat(43);
const OPERATOR: Actor = {
  kind: "user",
  id: randomUUID(),
  name: "Olga",
  role: "operator",
  sessionId: randomUUID(),
  address: null,
};
const SUPPORT: Actor = { ...OPERATOR, role: "support" };

/** Two images of the same bytes everywhere, uploaded once. */
const V1 = "app_1.0";
const V2 = "app_2.0";

let database: TestDatabase;
let services: FastifyInstance;
let gate: Gate;
let ctx: BackendCtx;
let director: TestDirector;
const clock = createTestClock();

beforeAll(async () => {
  database = await createTestDatabase();
  const own = createTestCtx(database.url, { clock });
  await ensureRepo(own, "image");
  await ensureRepo(own, "director");
  services = createServices(own, TOKEN);
  await services.listen({ host: "127.0.0.1", port: 0 });
  gate = await openGate(portOf(services.server));
  const { config } = loadConfig("supervisor", { DATA_DIR: own.config.DATA_DIR, SERVICES_PORT: String(gate.port) });
  ctx = { ...own, config, backends: createBackends(config, { SERVICES_TOKEN: TOKEN }) };
  director = direct(own, clock);
  for (const version of ["1.0", "2.0"]) await upload("app", version, ["rpi4"]);
});

afterAll(async () => {
  ctx.backends.close();
  await gate.close();
  await director.app.close();
  await services.close();
  await ctx.db.$disconnect();
  await database.drop();
});

type Gate = { port: number; shut(): void; open(): void; close(): Promise<void> };

/** Stands between the console and its back ends, so that they can be taken away and given back. */
async function openGate(upstream: number): Promise<Gate> {
  let shut = false;
  const server = createServer();
  server.removeAllListeners("connection");
  server.on("connection", (socket) => {
    if (shut) {
      socket.destroy();
      return;
    }
    const onward = connect(upstream, "127.0.0.1");
    socket.pipe(onward).pipe(socket);
    for (const end of [socket, onward]) end.on("error", () => undefined);
    const stop = () => {
      socket.destroy();
      onward.destroy();
    };
    socket.on("close", stop);
    live.add(stop);
  });
  const live = new Set<() => void>();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: portOf(server),
    shut() {
      shut = true;
      for (const stop of live) stop();
    },
    open() {
      shut = false;
    },
    async close() {
      for (const stop of live) stop();
      server.close();
      await once(server, "close");
    },
  };
}

function portOf(server: Server): number {
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the server does not listen");
  return address.port;
}

async function upload(name: string, version: string, hardwareIds: string[]): Promise<void> {
  await ctx.backends.reposerver.uploadImage(ctx, {
    filename: `${name}_${version}`,
    name,
    version,
    hardwareIds,
    body: Readable.from([Buffer.from(`${name} ${version}`)]),
  });
}

function order(devices: readonly { uuid: string }[], change: Partial<CreateUpdate> = {}): CreateUpdate {
  return {
    name: "to 2.0",
    targets: { rpi4: { to: V2 } },
    devices: devices.map(({ uuid }) => uuid),
    dryRun: false,
    ...change,
  };
}

async function installed(filename: string) {
  const image = await ctx.backends.reposerver.getImage(ctx, filename);
  return { filepath: image.filename, sha256: image.sha256, length: image.length };
}

function deviceIn(update: Update, uuid: string) {
  const device = update.devices.find((one) => one.uuid === uuid);
  if (device === undefined) throw new Error("the update does not list the device");
  return device;
}

function expectSum(update: Update): void {
  const { total, ...states } = update.counts;
  expect(Object.values(states).reduce((sum, count) => sum + count, 0)).toBe(total);
}

async function install(device: TestDevice, update: Update, success = true): Promise<void> {
  await device.fetch();
  if (success) device.primary.installed = await installed(V2);
  const items = { [device.primary.serial]: success };
  const result = success ? { success, code: "OK", items } : { success, code: "rpi4:INSTALL_FAILED", items };
  expect((await device.report(reportOf(update.correlationId, result))).status).toBe(200);
}

describe("createUpdate", () => {
  it("goes from launch to proof by the device's signed manifest", async () => {
    const device = await enrol(director, { image: await installed(V1) });
    const launched = await createUpdate(ctx, OPERATOR, order([device]));
    expect(launched).toMatchObject({ state: "running", createdBy: "Olga", counts: { total: 1, assigned: 1 } });
    expectSum(launched);
    await install(device, launched);
    const proven = await getUpdate(ctx, SUPPORT, launched.id);
    const { state, evidence } = deviceIn(proven, device.uuid);
    expect(state).toBe("updated");
    expect(evidence).toMatchObject({ ecuSerial: device.primary.serial, keyId: device.primary.signer.keyId });
    const kept = await ctx.backends.director.getManifest(ctx, {
      deviceUuid: device.uuid,
      sha256: String(evidence?.manifestSha256),
    });
    expect(JSON.parse(kept.toString())).toMatchObject({ signed: { primary_ecu_serial: device.primary.serial } });
    await resumeUpdates(ctx);
    expect((await getUpdate(ctx, SUPPORT, launched.id)).state).toBe("finished");
    const audit = await listAudit(ctx, SYSTEM, { limit: 10, targetKind: "update", targetId: launched.id });
    expect(audit.data.map(({ outcome, actor }) => [outcome, actor.name])).toEqual([
      ["done", "Olga"],
      ["requested", "Olga"],
    ]);
  });

  it("does what its preview said, device by device", async () => {
    const old = await enrol(director, { image: await installed(V1) });
    const there = await enrol(director, { image: await installed(V2) });
    const other = await enrol(director, { hardwareIds: ["imx8"], image: await installed(V1) });
    const unknown = { uuid: randomUUID() };
    const wish = order([old, there, other, unknown]);
    const preview = await previewUpdate(ctx, OPERATOR, wish);
    expect(preview.counts).toEqual({ total: 4, eligible: 1, skipped: 3 });
    const update = await createUpdate(ctx, OPERATOR, wish);
    for (const { uuid, eligible, reasons } of preview.devices) {
      const launched = deviceIn(update, uuid);
      expect(launched.state).toBe(eligible ? "assigned" : "skipped");
      if (!eligible) expect(launched.reasonCode).toBe(reasons[0]?.code);
    }
    expect(deviceIn(update, there.uuid).reasonCode).toBe("installed_target_is_update");
    expect(deviceIn(update, other.uuid).reasonCode).toBe("device_no_compatible_hardware");
    expect(deviceIn(update, unknown.uuid).reasonCode).toBe("device_unknown");
    expectSum(update);
  });

  it("tells the failure with the device's own code, and finishes", async () => {
    const device = await enrol(director, { image: await installed(V1) });
    const update = await createUpdate(ctx, OPERATOR, order([device]));
    await install(device, update, false);
    const failed = await getUpdate(ctx, SUPPORT, update.id);
    expect(deviceIn(failed, device.uuid)).toMatchObject({ state: "failed", reasonCode: "rpi4:INSTALL_FAILED" });
    await resumeUpdates(ctx);
    expect((await getUpdate(ctx, SUPPORT, update.id)).state).toBe("finished");
  });

  it("refuses what would fail on every device", async () => {
    const device = await enrol(director, { image: await installed(V1) });
    await upload("other", "1.0", ["imx8"]);
    for (const targets of [
      { rpi4: { to: "nothing_1" } },
      { rpi4: { to: "other_1.0" } },
      { rpi4: { from: V2, to: V2 } },
    ]) {
      await expect(createUpdate(ctx, OPERATOR, order([device], { targets }))).rejects.toMatchObject({
        code: "update.invalid",
      });
    }
  });

  it("creates nothing when no device would be hit", async () => {
    const device = await enrol(director, { image: await installed(V2) });
    const before = (await listUpdates(ctx, OPERATOR, { limit: 1 })).total;
    await expect(createUpdate(ctx, OPERATOR, order([device]))).rejects.toMatchObject({ code: "update.nothing_to_do" });
    expect((await listUpdates(ctx, OPERATOR, { limit: 1 })).total).toBe(before);
  });

  it("is refused to support", async () => {
    await expect(createUpdate(ctx, SUPPORT, order([{ uuid: randomUUID() }]))).rejects.toMatchObject({
      code: "auth.forbidden",
    });
    await expect(previewUpdate(ctx, SUPPORT, order([{ uuid: randomUUID() }]))).rejects.toMatchObject({
      code: "auth.forbidden",
    });
  });
});

describe("a director that is away", () => {
  it("leaves the update launching, says why, and is caught up with by the worker", async () => {
    const device = await enrol(director, { image: await installed(V1) });
    const wish = order([device]);
    await previewUpdate(ctx, OPERATOR, wish);
    // Dies between the image look-up and the assignment: the update is stored, the director never heard of it.
    const dying = {
      ...ctx,
      backends: {
        ...ctx.backends,
        director: {
          ...ctx.backends.director,
          createMtu: async (...args: Parameters<typeof ctx.backends.director.createMtu>) => {
            gate.shut();
            return ctx.backends.director.createMtu(...args);
          },
        },
      },
    };
    const update = await createUpdate(dying, OPERATOR, wish);
    expect(update).toMatchObject({ state: "launching", counts: { assigned: 1 } });
    gate.open();
    await resumeUpdates(ctx);
    expect((await getUpdate(ctx, OPERATOR, update.id)).state).toBe("running");
    await device.fetch();
    expect(device.wants()).toBe(V2);
  });

  it("is not asked twice for a batch whose reply was lost", async () => {
    const device = await enrol(director, { image: await installed(V1) });
    const lossy = {
      ...ctx,
      backends: {
        ...ctx.backends,
        director: {
          ...ctx.backends.director,
          assign: async (...args: Parameters<typeof ctx.backends.director.assign>) => {
            await ctx.backends.director.assign(...args);
            gate.shut();
            return ctx.backends.director.assign(...args);
          },
        },
      },
    };
    const update = await createUpdate(lossy, OPERATOR, order([device]));
    expect(update.state).toBe("launching");
    gate.open();
    await resumeUpdates(ctx);
    const resumed = await getUpdate(ctx, OPERATOR, update.id);
    expect(resumed.state).toBe("running");
    expect(deviceIn(resumed, device.uuid).state).toBe("assigned");
  });
});

describe("cancelUpdate", () => {
  it("takes back what no device has fetched", async () => {
    const device = await enrol(director, { image: await installed(V1) });
    const update = await createUpdate(ctx, OPERATOR, order([device]));
    const cancelled = await cancelUpdate(ctx, OPERATOR, update.id);
    expect(cancelled).toMatchObject({ state: "cancelled", counts: { cancelled: 1, total: 1 } });
    await device.fetch();
    expect(device.wants()).toBeNull();
    expect(await cancelUpdate(ctx, OPERATOR, update.id)).toMatchObject({ state: "cancelled" });
  });

  it("makes a device that has fetched the list want what it runs", async () => {
    const device = await enrol(director, { image: await installed(V1) });
    const update = await createUpdate(ctx, OPERATOR, order([device]));
    await device.fetch();
    expect(device.wants()).toBe(V2);
    await cancelUpdate(ctx, OPERATOR, update.id);
    await device.fetch();
    expect(device.wants()).toBe(V1);
  });

  it("believes the manifest of a device that was faster", async () => {
    const device = await enrol(director, { image: await installed(V1) });
    const update = await createUpdate(ctx, OPERATOR, order([device]));
    await device.fetch();
    await cancelUpdate(ctx, OPERATOR, update.id);
    device.primary.installed = await installed(V2);
    const items = { [device.primary.serial]: true };
    await device.report(reportOf(update.correlationId, { success: true, code: "OK", items }));
    expect(deviceIn(await getUpdate(ctx, OPERATOR, update.id), device.uuid).state).toBe("updated");
  });

  it("is refused once the update has finished, and for one that is not there", async () => {
    const device = await enrol(director, { image: await installed(V1) });
    const update = await createUpdate(ctx, OPERATOR, order([device]));
    await install(device, update);
    await resumeUpdates(ctx);
    await expect(cancelUpdate(ctx, OPERATOR, update.id)).rejects.toMatchObject({ code: "update.wrong_state" });
    await expect(cancelUpdate(ctx, OPERATOR, randomUUID())).rejects.toMatchObject({ code: "update.not_found" });
    await expect(cancelUpdate({ ...ctx, namespaceId: "other" }, OPERATOR, update.id)).rejects.toMatchObject({
      code: "update.not_found",
    });
  });
});

describe("lists", () => {
  it("walk all updates and all devices of one without losing or doubling any", async () => {
    const ids: string[] = [];
    let cursor: string | undefined;
    do {
      const page = await listUpdates(ctx, SUPPORT, { limit: 2, ...(cursor === undefined ? {} : { cursor }) });
      ids.push(...page.data.map(({ id }) => id));
      cursor = page.nextCursor ?? undefined;
      if (cursor === undefined) expect(ids).toHaveLength(page.total);
    } while (cursor !== undefined);
    expect(new Set(ids).size).toBe(ids.length);
    const of = { id: ids[0] ?? "", query: { limit: 1 } };
    expect((await listUpdateDevices(ctx, SUPPORT, of)).total).toBeGreaterThan(0);
  });

  it("refuse a cursor of another list", async () => {
    for (const cursor of ["x", Buffer.from('["a","b"]').toString("base64url")]) {
      await expect(listUpdates(ctx, SUPPORT, { limit: 2, cursor })).rejects.toMatchObject({ code: "request.invalid" });
    }
  });
});
