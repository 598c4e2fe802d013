import { randomUUID } from "node:crypto";
import { afterAll, beforeAll } from "vitest";
import type { Ctx } from "#lib/ctx.ts";
import type { Tx } from "#lib/db/client.ts";
import { type FleetEcu, setEcus, upsertDevice } from "#services/fleet/service.ts";
import { createTestClock, createTestCtx, type TestClock } from "#tests/harness/ctx.ts";
import { createTestDatabase, type TestDatabase } from "#tests/harness/database.ts";

export type Fleet = {
  ctx: Ctx;
  readonly clock: TestClock;
  write: <T>(run: (tx: Tx) => Promise<T>) => Promise<T>;
  /** @returns the uuid */
  addDevice: (change?: { name?: string; deviceId?: string; namespaceId?: string; createdAt?: Date }) => Promise<string>;
};

export const START = new Date("2026-03-01T12:00:00.000Z");

/** One database a test file. Fields are set before the first test. */
export function openFleet(): Fleet {
  const clock = createTestClock(START);
  const fleet = { clock } as Fleet; // filled by beforeAll, before any test reads it
  let database: TestDatabase;
  beforeAll(async () => {
    database = await createTestDatabase();
    fleet.ctx = createTestCtx(database.url, { clock });
  });
  afterAll(async () => {
    await fleet.ctx.db.$disconnect();
    await database.drop();
  });
  fleet.write = (run) => fleet.ctx.db.$transaction(run);
  fleet.addDevice = async (change = {}) => {
    const uuid = randomUUID();
    const device = {
      uuid,
      name: change.name ?? `device ${uuid}`,
      deviceId: change.deviceId ?? uuid,
      createdAt: change.createdAt ?? clock.now,
    };
    await fleet.write((tx) => upsertDevice(tx, change.namespaceId ?? fleet.ctx.namespaceId, device));
    return uuid;
  };
  return fleet;
}

export function ecu(change: Partial<FleetEcu> = {}): FleetEcu {
  return { serial: "primary", hardwareId: "rpi4", primary: true, installed: null, assigned: null, ...change };
}

export function image(filename: string): { filename: string; sha256: string; length: number } {
  return { filename, sha256: "a".repeat(64), length: 10 };
}

export async function giveEcus(fleet: Fleet, uuid: string, ecus: FleetEcu[]): Promise<void> {
  await fleet.write((tx) => setEcus(tx, fleet.ctx.namespaceId, uuid, ecus));
}

/** The same transaction, counting the statements of our own that go through it. */
export function countStatements(tx: Tx, counted: { statements: number }): Tx {
  return new Proxy(tx, {
    get(target, member) {
      if (member === "$executeRaw" || member === "$queryRaw") counted.statements += 1;
      return Reflect.get(target, member);
    },
  });
}
