import { randomUUID } from "node:crypto";
import type { FastifyInstance, InjectOptions } from "fastify";
import { afterAll, beforeAll } from "vitest";
import type { Ctx } from "#lib/ctx.ts";
import type { Tx } from "#lib/db/client.ts";
import { createOtaServer } from "#lib/http/server.ts";
import { registerDeviceRegistryRoutes } from "#services/device-registry/routes.ts";
import { recordDeviceSeen } from "#services/device-registry/service.ts";
import { createCountingDb } from "#services/director/tests/counting.ts";
import { createTestClock, createTestCtx, type TestClock } from "#tests/harness/ctx.ts";
import { createTestDatabase, type TestDatabase } from "#tests/harness/database.ts";

const TOKEN = "t".repeat(40);
export const START = new Date("2026-03-01T12:00:00.000Z");
export const CORRELATION = "urn:here-ota:mtu:11111111-1111-4111-8111-111111111111";

export type Answer = { status: number; body: string; json: () => unknown; headers: Record<string, unknown> };

export type Registry = {
  ctx: Ctx;
  readonly clock: TestClock;
  readonly deleted: string[];
  /** Set to make the deletion hook fail. */
  failOnDelete: boolean;
  write: <T>(run: (tx: Tx) => Promise<T>) => Promise<T>;
  call: (method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE", url: string, options?: CallOptions) => Promise<Answer>;
  /** Whose calls these are, unless they say otherwise. */
  namespace: string;
  /** The statements that a call sends to the database, BEGIN and COMMIT included. */
  count: (run: () => Promise<unknown>) => Promise<string[]>;
  /** The device fetched its root at that time. */
  seen: (uuid: string, at: Date) => Promise<void>;
  /** What a caller of the real socket sends along. */
  headers: () => Record<string, string>;
  /** @returns the address of the same routes on a real socket */
  listen: () => Promise<string>;
  /** @returns the uuid */
  addDevice: (change?: { deviceName?: string; deviceId?: string }) => Promise<string>;
};
export type CallOptions = { json?: unknown; raw?: string | Buffer; type?: string; namespace?: string };

/** The real routes on a database of their own. Fields are set before the first test. */
export function openRegistry(): Registry {
  const clock = createTestClock(START);
  const registry = { clock, deleted: [] as string[], failOnDelete: false, namespace: "default" } as unknown as Registry; // completed below and by beforeAll
  let database: TestDatabase;
  let app: FastifyInstance;
  beforeAll(async () => {
    database = await createTestDatabase();
    const counting = createCountingDb(database.url);
    registry.count = counting.count;
    registry.ctx = { ...createTestCtx(database.url, { clock }), db: counting.db };
    app = createOtaServer({ ctx: registry.ctx, servicesToken: TOKEN });
    registerDeviceRegistryRoutes(app, {
      onDelete: async (_tx, _ctx, uuid) => {
        registry.deleted.push(uuid);
        if (registry.failOnDelete) throw new Error("the director could not forget it");
      },
    });
  });
  afterAll(async () => {
    await app.close();
    await registry.ctx.db.$disconnect();
    await database.drop();
  });
  registry.seen = (uuid, at) =>
    registry.write((tx) => recordDeviceSeen(tx, { ...registry.ctx, namespaceId: registry.namespace }, uuid, at));
  registry.headers = () => ({ authorization: `Bearer ${TOKEN}`, "x-ats-namespace": "default" });
  registry.listen = () => app.listen({ host: "127.0.0.1", port: 0 });
  registry.write = (run) => registry.ctx.db.$transaction(run);
  registry.call = async (method, url, options = {}) => {
    const payload = options.raw ?? (options.json === undefined ? undefined : JSON.stringify(options.json));
    const request: InjectOptions = {
      method,
      url,
      headers: {
        authorization: `Bearer ${TOKEN}`,
        "x-ats-namespace": options.namespace ?? registry.namespace,
        ...(payload === undefined ? {} : { "content-type": options.type ?? "application/json" }),
      },
      ...(payload === undefined ? {} : { payload }),
    };
    const res = await app.inject(request);
    return { status: res.statusCode, body: res.body, json: () => res.json(), headers: res.headers };
  };
  registry.addDevice = async (change = {}) => {
    const uuid = randomUUID();
    const device = { uuid, deviceName: `car ${uuid}`, deviceId: `id ${uuid}`, deviceType: "Other", ...change };
    const made = await registry.call("POST", "/api/v1/devices", { json: device });
    if (made.status !== 201) throw new Error(`${made.status} ${made.body}`);
    return uuid;
  };
  return registry;
}
