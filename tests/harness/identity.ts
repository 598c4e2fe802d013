import { randomUUID } from "node:crypto";
import { expect } from "vitest";
import { type Actor, SYSTEM } from "#lib/authz/actor.ts";
import type { Role } from "#lib/authz/permissions.ts";
import type { Ctx } from "#lib/ctx.ts";
import { AppError } from "#lib/errors/app-error.ts";
import type { ErrorCode } from "#lib/errors/codes.ts";
import { listAudit, verifyChain } from "#services/audit/service.ts";
import { removeDevice, upsertDevice } from "#services/fleet/service.ts";
import type { deleteDevice, IdentityCtx } from "#services/identity/service.ts";
import { createTestClock, createTestCtx, type TestClock } from "#tests/harness/ctx.ts";
import { createTestDatabase } from "#tests/harness/database.ts";

/** A registry that keeps its rows where the real one shows them, and can be told to be away. */
export type TestRegistry = IdentityCtx["backends"]["registry"] & {
  failWith: AppError | null;
  /** Its one static group, and who joined. */
  readonly group: { readonly id: string; readonly members: string[] };
  readonly tags: Map<string, Readonly<Record<string, string>>>;
  readonly created: { uuid: string; deviceName: string; deviceId: string }[];
};

export type IdentityWorld = { ctx: Parameters<typeof deleteDevice>[0]; registry: TestRegistry; clock: TestClock };

/** A context in a namespace of its own, on a shared database. */
export function identityWorld(databaseUrl: string, like?: Ctx): IdentityWorld {
  const clock = createTestClock();
  const base = createTestCtx(databaseUrl, { clock, ...(like === undefined ? {} : { like }), poolSize: 4 });
  const namespaceId = like?.namespaceId ?? `ns-${randomUUID()}`;
  const registry = createTestRegistry({ ...base, namespaceId });
  // Registry and director of one install: the one tells the other.
  const director = { forgetDevice: () => Promise.reject(new Error("the registry does this")) };
  return { ctx: { ...base, namespaceId, backends: { registry, director } }, registry, clock };
}

/** Namespaces of one database: a world of its own for every test of a file. */
export type IdentityWorlds = {
  readonly databaseUrl: string;
  /** A world of the same install in a new namespace. @param like a second process in this world's namespace instead */
  next(like?: IdentityWorld): IdentityWorld;
  close(): Promise<void>;
};

export async function openIdentityWorlds(): Promise<IdentityWorlds> {
  const database = await createTestDatabase();
  const worlds: IdentityWorld[] = [];
  return {
    databaseUrl: database.url,
    next(like) {
      const [first] = worlds;
      const fresh = first && { ...first.ctx, namespaceId: `ns-${randomUUID()}` };
      const world = identityWorld(database.url, like?.ctx ?? fresh);
      worlds.push(world);
      return world;
    },
    async close() {
      await Promise.all(worlds.map(({ ctx }) => ctx.db.$disconnect()));
      await database.drop();
    },
  };
}

function createTestRegistry(ctx: Ctx): TestRegistry {
  const registry: TestRegistry = {
    failWith: null,
    created: [],
    group: { id: randomUUID(), members: [] },
    tags: new Map(),
    findStaticGroup: async (_call, groupId) => (groupId === registry.group.id ? { name: "Line 4" } : null),
    listStaticGroupsNamed: async (_call, name) => (name === "Line 4" ? [{ id: registry.group.id, name }] : []),
    async addToGroup(_call, { uuid }) {
      if (registry.failWith !== null) throw registry.failWith;
      registry.group.members.push(uuid);
    },
    async setTags(_call, { deviceId, tags }) {
      registry.tags.set(deviceId, tags);
    },
    async createDevice(call, device) {
      if (registry.failWith !== null) throw registry.failWith;
      if (registry.created.some(({ uuid }) => uuid === device.uuid)) return;
      if (registry.created.some((it) => it.deviceName === device.deviceName || it.deviceId === device.deviceId)) {
        throw new AppError("device.conflict", "Another device has this name or id.");
      }
      registry.created.push(device);
      const row = { uuid: device.uuid, name: device.deviceName, deviceId: device.deviceId, createdAt: ctx.clock() };
      await ctx.db.$transaction((tx) => upsertDevice(tx, call.namespaceId, row));
    },
    async deleteDevice(call, uuid) {
      if (registry.failWith !== null) throw registry.failWith;
      const at = registry.created.findIndex((it) => it.uuid === uuid);
      if (at >= 0) registry.created.splice(at, 1);
      await ctx.db.$transaction((tx) => removeDevice(tx, call.namespaceId, uuid));
    },
  };
  return registry;
}

export function actorOf(role: Role): Actor {
  return { kind: "user", id: randomUUID(), name: role, role, sessionId: randomUUID(), address: "192.0.2.1" };
}

/** Expects a rejection with this code. */
export async function expectRefusal(promise: Promise<unknown>, code: ErrorCode): Promise<void> {
  await expect(promise).rejects.toMatchObject({ name: "AppError", code });
}

/** The audit log, oldest first, as "action outcome"; the chain is checked on the way. */
export async function auditStory(ctx: Ctx): Promise<string[]> {
  expect(await verifyChain(ctx.db, ctx.namespaceId)).toMatchObject({ intact: true });
  const { data } = await listAudit(ctx, SYSTEM, { limit: 200 });
  return data.reverse().map((entry) => `${entry.action} ${entry.outcome}`);
}
