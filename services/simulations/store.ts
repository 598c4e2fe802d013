import { cursorPart, decodeCursor, encodeCursor, type Page, Uuid } from "#lib/contracts/console/common.ts";
import type { SimulatedDevice } from "#lib/contracts/console/devices.ts";
import type { DbOrTx } from "#lib/db/client.ts";
import type { Prisma } from "#lib/db/generated/client.ts";
import { escapeLike } from "#lib/db/like.ts";
import { AppError } from "#lib/errors/app-error.ts";

type Row = {
  deviceUuid: string;
  name: string;
  hardwareId: string;
  secondaries: number;
  createdAt: Date;
  stoppedAt: Date | null;
};

const VISIBLE = {
  deviceUuid: true,
  name: true,
  hardwareId: true,
  secondaries: true,
  createdAt: true,
  stoppedAt: true,
} as const;

export async function insert(
  db: DbOrTx,
  namespaceId: string,
  device: Omit<Row, "stoppedAt"> & { intervalSeconds: number; sealedBundle: Uint8Array<ArrayBuffer> },
): Promise<void> {
  await db.simulatedDevice.create({ data: { ...device, namespaceId }, select: { deviceUuid: true } });
}

export async function countRunning(db: DbOrTx, namespaceId: string): Promise<number> {
  return db.simulatedDevice.count({ where: { namespaceId, stoppedAt: null } });
}

/** @throws AppError `device.not_found` */
export async function getSimulation(db: DbOrTx, namespaceId: string, deviceUuid: string): Promise<SimulatedDevice> {
  const row = await db.simulatedDevice.findFirst({ where: { namespaceId, deviceUuid }, select: VISIBLE });
  if (row === null) throw new AppError("device.not_found", "There is no such simulated device.");
  return toDto(row);
}

export async function listSimulations(
  db: DbOrTx,
  namespaceId: string,
  query: { limit: number; cursor?: string | undefined; q?: string | undefined },
): Promise<Page<SimulatedDevice>> {
  const after = query.cursor === undefined ? null : cursorPart(decodeCursor(query.cursor, 1)[0], Uuid);
  const where: Prisma.SimulatedDeviceWhereInput = {
    namespaceId,
    ...(query.q === undefined ? {} : { name: { contains: escapeLike(query.q), mode: "insensitive" } }),
  };
  const rows = await db.simulatedDevice.findMany({
    where: { ...where, ...(after === null ? {} : { deviceUuid: { gt: after } }) },
    select: VISIBLE,
    orderBy: { deviceUuid: "asc" },
    take: query.limit + 1,
  });
  const page = rows.slice(0, query.limit);
  const last = page.at(-1);
  return {
    data: page.map(toDto),
    nextCursor: rows.length > query.limit && last !== undefined ? encodeCursor([last.deviceUuid]) : null,
    total: await db.simulatedDevice.count({ where }),
    totalIsExact: true,
  };
}

export async function markStopped(
  db: DbOrTx,
  of: { namespaceId: string; deviceUuid: string; at: Date },
): Promise<void> {
  await db.simulatedDevice.updateMany({
    where: { namespaceId: of.namespaceId, deviceUuid: of.deviceUuid, stoppedAt: null },
    data: { stoppedAt: of.at },
  });
}

export type Claimed = {
  deviceUuid: string;
  namespaceId: string;
  name: string;
  hardwareId: string;
  secondaries: number;
  intervalSeconds: number;
  sealedBundle: Uint8Array;
};

/** Takes devices that nobody runs, and renews those that `runner` runs, in one statement. @returns all that `runner` runs now */
export async function claim(
  db: DbOrTx,
  lease: { runner: string; now: Date; until: Date; take: number },
): Promise<Claimed[]> {
  return db.$queryRaw<Claimed[]>`
    WITH mine AS (
      SELECT s."deviceUuid" FROM simulated_device s
      WHERE s."stoppedAt" IS NULL AND (s.runner = ${lease.runner} OR s."leaseUntil" IS NULL OR s."leaseUntil" < ${lease.now})
        AND EXISTS (SELECT 1 FROM fleet_device f WHERE f."namespaceId" = s."namespaceId" AND f.uuid = s."deviceUuid")
      ORDER BY (s.runner = ${lease.runner}) DESC NULLS LAST, s."createdAt" LIMIT ${lease.take}
      FOR UPDATE SKIP LOCKED
    )
    UPDATE simulated_device s SET runner = ${lease.runner}, "leaseUntil" = ${lease.until} FROM mine
    WHERE s."deviceUuid" = mine."deviceUuid"
    RETURNING s."deviceUuid", s."namespaceId", s.name, s."hardwareId", s.secondaries, s."intervalSeconds", s."sealedBundle"`;
}

export async function release(db: DbOrTx, runner: string): Promise<void> {
  await db.simulatedDevice.updateMany({ where: { runner }, data: { runner: null, leaseUntil: null } });
}

function toDto(row: Row): SimulatedDevice {
  return {
    uuid: row.deviceUuid,
    name: row.name,
    hardwareId: row.hardwareId,
    secondaries: row.secondaries,
    running: row.stoppedAt === null,
    createdAt: row.createdAt.toISOString(),
  };
}
