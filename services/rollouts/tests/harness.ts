import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import { connect } from "node:net";
import { Readable } from "node:stream";
import type { FastifyInstance } from "fastify";
import { afterAll, beforeAll, expect } from "vitest";
import type { Actor } from "#lib/authz/actor.ts";
import { type BackendCtx, createBackends } from "#lib/backends/backends.ts";
import { loadConfig } from "#lib/config/load.ts";
import type { CreateUpdate, Update } from "#lib/contracts/console/updates.ts";
import { direct, reportOf, type TestDevice, type TestDirector } from "#services/director/tests/harness.ts";
import { ensureRepo } from "#services/keyserver/service.ts";
import { createServices } from "#services/main.ts";
import { createTestClock, createTestCtx } from "#tests/harness/ctx.ts";
import { createTestDatabase, type TestDatabase } from "#tests/harness/database.ts";

const TOKEN = "s".repeat(43);
export const OPERATOR: Actor = {
  kind: "user",
  id: randomUUID(),
  name: "Olga",
  role: "operator",
  sessionId: randomUUID(),
  address: null,
};
export const SUPPORT: Actor = { ...OPERATOR, role: "support" };

/** Two images of the same bytes everywhere, uploaded once. */
export const V1 = "app_1.0";
export const V2 = "app_2.0";

let database: TestDatabase;
let services: FastifyInstance;
export let gate: Gate;
export let ctx: BackendCtx;
export let director: TestDirector;
export const clock = createTestClock();

/** Real services on a database of their own, and a gate before them; call it once in a test file. */
export function setUpStand(): void {
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
}

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

export async function upload(name: string, version: string, hardwareIds: string[]): Promise<void> {
  await ctx.backends.reposerver.uploadImage(ctx, {
    filename: `${name}_${version}`,
    name,
    version,
    hardwareIds,
    body: Readable.from([Buffer.from(`${name} ${version}`)]),
  });
}

export function order(devices: readonly { uuid: string }[], change: Partial<CreateUpdate> = {}): CreateUpdate {
  return {
    name: "to 2.0",
    targets: { rpi4: { to: V2 } },
    devices: devices.map(({ uuid }) => uuid),
    dryRun: false,
    ...change,
  };
}

export async function installed(filename: string) {
  const image = await ctx.backends.reposerver.getImage(ctx, filename);
  return { filepath: image.filename, sha256: image.sha256, length: image.length };
}

export function deviceIn(update: Update, uuid: string) {
  const device = update.devices.find((one) => one.uuid === uuid);
  if (device === undefined) throw new Error("the update does not list the device");
  return device;
}

export function expectSum(update: Update): void {
  const { total, ...states } = update.counts;
  expect(Object.values(states).reduce((sum, count) => sum + count, 0)).toBe(total);
}

export async function install(device: TestDevice, update: Update, success = true): Promise<void> {
  await device.fetch();
  if (success) device.primary.installed = await installed(V2);
  const items = { [device.primary.serial]: success };
  const result = success ? { success, code: "OK", items } : { success, code: "rpi4:INSTALL_FAILED", items };
  expect((await device.report(reportOf(update.correlationId, result))).status).toBe(200);
}
