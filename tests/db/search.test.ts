import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { SYSTEM } from "#lib/authz/actor.ts";
import { encodeCursor, type ListQuery } from "#lib/contracts/console/common.ts";
import type { Ctx } from "#lib/ctx.ts";
import { createServiceToken, createUser, listTokens, listUsers } from "#services/accounts/service.ts";
import { listAudit } from "#services/audit/service.ts";
import { listActivity, recordActivity, upsertDevice } from "#services/fleet/service.ts";
import { listUpdateDevices, listUpdates } from "#services/rollouts/service.ts";
import { insertUpdate } from "#services/rollouts/store.ts";
import { listSimulations } from "#services/simulations/service.ts";
import { createTestCtx } from "#tests/harness/ctx.ts";
import { createTestDatabase, type TestDatabase } from "#tests/harness/database.ts";

const NAMES = ["bay_7 100%", "bayx7 1000"];
const LISTS: [string, (ctx: Ctx, query: ListQuery) => Promise<{ data: unknown[]; total: number }>][] = [
  ["users", (ctx, query) => listUsers(ctx, SYSTEM, query)],
  ["tokens", (ctx, query) => listTokens(ctx, SYSTEM, query)],
  ["audit entries", (ctx, query) => listAudit(ctx, SYSTEM, { ...query, action: "token.create" })],
  ["updates", (ctx, query) => listUpdates(ctx, SYSTEM, query)],
];

/** As many as an update may name. */
const MANY = 10_000;
const SIMULATION = { hardwareId: "rpi4", secondaries: 0, intervalSeconds: 5, sealedBundle: Uint8Array.of(0) };
const UPDATE = randomUUID();
const DEVICE = randomUUID();

let database: TestDatabase;
let ctx: Ctx;

beforeAll(async () => {
  database = await createTestDatabase();
  ctx = createTestCtx(database.url);
  for (const [index, name] of NAMES.entries()) {
    const email = `person${index}@example.com`;
    await createUser(ctx, SYSTEM, { email, name, role: "support", password: "a long enough password" });
    await createServiceToken(ctx, SYSTEM, { name, role: "support", expiresAt: null });
    const id = randomUUID();
    const { namespaceId } = ctx;
    await ctx.db.update.create({
      data: { id, namespaceId, name, targets: {}, state: "finished", correlationId: id, createdBy: {} },
    });
  }
});

afterAll(async () => {
  await ctx.db.$disconnect();
  await database.drop();
});

describe.each(LISTS)("the search of %s", (_what, list) => {
  it("takes wildcards of the database for what they are: characters", async () => {
    for (const q of ["bay_7", "100%", "Y_7"]) expect(await list(ctx, { limit: 50, q })).toMatchObject({ total: 1 });
    for (const q of ["b%7", "\\", "____"]) expect(await list(ctx, { limit: 50, q })).toMatchObject({ total: 0 });
    expect(await list(ctx, { limit: 50, q: "bay" })).toMatchObject({ total: 2 });
  });

  it("finds nothing, rather than failing, for text that no database keeps", async () => {
    for (const q of ["\0", "\ud800"]) expect(await list(ctx, { limit: 50, q })).toMatchObject({ data: [], total: 0 });
  });

  it("refuses a cursor with such text", async () => {
    for (const parts of [["\0"], ["\0", "\0"]]) {
      await expect(list(ctx, { limit: 50, cursor: encodeCursor(parts) })).rejects.toMatchObject({
        code: "request.invalid",
      });
    }
  });
});

describe("the lists of one thing", () => {
  beforeAll(async () => {
    const { db, namespaceId } = ctx;
    await db.$transaction(async (tx) => {
      for (const [index, name] of NAMES.entries()) {
        const uuid = index === 0 ? DEVICE : randomUUID();
        await upsertDevice(tx, namespaceId, { uuid, name, deviceId: uuid, createdAt: new Date() });
        await recordActivity(tx, namespaceId, { deviceUuid: DEVICE, at: new Date(), kind: "change", text: name });
        await tx.simulatedDevice.create({
          data: { ...SIMULATION, deviceUuid: uuid, namespaceId, name },
        });
      }
      const devices = await tx.fleetDevice.findMany({ select: { uuid: true } });
      const uuids = [...devices.map(({ uuid }) => uuid), ...Array.from({ length: MANY - 2 }, () => randomUUID())];
      await insertUpdate(tx, {
        id: UPDATE,
        namespaceId,
        name: "many",
        targets: {},
        correlationId: UPDATE,
        actor: SYSTEM,
        auditSequence: 1n,
        at: new Date(),
        devices: uuids.map((deviceUuid) => ({ deviceUuid, state: "assigned", reasonCode: null, reason: null })),
      });
    });
  });

  it.each<[string, (query: ListQuery) => Promise<{ total: number }>]>([
    ["devices of an update", (query) => listUpdateDevices(ctx, SYSTEM, { id: UPDATE, query })],
    ["activities of a device", (query) => listActivity(ctx, SYSTEM, { uuid: DEVICE, query })],
    ["simulated devices", (query) => listSimulations(ctx, SYSTEM, query)],
  ])("are searched too: %s", async (_what, list) => {
    expect(await list({ limit: 50, q: "bay" })).toMatchObject({ total: 2 });
    expect(await list({ limit: 50, q: "bay_7" })).toMatchObject({ total: 1 });
    expect(await list({ limit: 50, q: "\0" })).toMatchObject({ total: 0 });
  });

  it("go on behind a cursor under the same search, in an update of ten thousand devices", async () => {
    const of = { id: UPDATE, query: { limit: 1, q: "bay" } };
    const first = await listUpdateDevices(ctx, SYSTEM, of);
    const query = { ...of.query, cursor: first.nextCursor ?? "" };
    const second = await listUpdateDevices(ctx, SYSTEM, { ...of, query });
    expect(new Set([...first.data, ...second.data].map(({ name }) => name))).toEqual(new Set(NAMES));
    expect(second.nextCursor).toBeNull();
    expect(await listUpdateDevices(ctx, SYSTEM, { id: UPDATE, query: { limit: 1 } })).toMatchObject({ total: MANY });
  });
});

describe("the audit log", () => {
  it("has no entry about a target that no database keeps", async () => {
    expect(await listAudit(ctx, SYSTEM, { limit: 50, targetId: "\0" })).toMatchObject({ total: 0 });
  });
});
