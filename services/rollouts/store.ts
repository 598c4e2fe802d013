import type { Actor } from "#lib/authz/actor.ts";
import { cursorPart, decodeCursor, encodeCursor, Instant, type Page, Uuid } from "#lib/contracts/console/common.ts";
import {
  type ListUpdateDevices,
  type ListUpdates,
  UPDATE_DEVICE_STATES,
  Update,
  type UpdateCounts,
  UpdateDevice,
  UpdateDeviceState,
  UpdateSummary,
  UpdateTargets,
} from "#lib/contracts/console/updates.ts";
import type { DbOrTx, Tx } from "#lib/db/client.ts";
import type { Prisma } from "#lib/db/generated/client.ts";
import { escapeLike } from "#lib/db/like.ts";
import { AppError } from "#lib/errors/app-error.ts";

const FIRST_DEVICES = 200;

export type UpdateRow = Prisma.UpdateGetPayload<object>;

export type NewDeviceRow = {
  deviceUuid: string;
  state: "assigned" | "skipped";
  reasonCode: string | null;
  reason: string | null;
};

export async function insertUpdate(
  tx: Tx,
  input: {
    id: string;
    namespaceId: string;
    name: string;
    targets: Prisma.InputJsonObject;
    correlationId: string;
    actor: Actor;
    auditSequence: bigint;
    at: Date;
    devices: readonly NewDeviceRow[];
  },
): Promise<void> {
  await tx.update.create({
    data: {
      id: input.id,
      namespaceId: input.namespaceId,
      name: input.name,
      targets: input.targets,
      state: "launching",
      correlationId: input.correlationId,
      auditSequence: input.auditSequence,
      createdBy: { ...input.actor },
      createdAt: input.at,
    },
    select: { id: true },
  });
  await tx.updateDevice.createMany({
    data: input.devices.map((device) => ({
      ...device,
      updateId: input.id,
      namespaceId: input.namespaceId,
      confirmed: device.state === "skipped",
      stateAt: input.at,
    })),
  });
}

/** @throws AppError `update.not_found`, also for an update of another namespace */
export async function getUpdateRow(db: DbOrTx, namespaceId: string, id: string): Promise<UpdateRow> {
  const row = await db.update.findFirst({ where: { id, namespaceId } });
  if (row === null) throw new AppError("update.not_found", "There is no such update.", { context: { updateId: id } });
  return row;
}

export async function getUpdateDto(db: DbOrTx, namespaceId: string, id: string): Promise<Update> {
  const row = await getUpdateRow(db, namespaceId, id);
  const [counts, first] = await Promise.all([
    countDevices(db, [id]),
    listDevices(db, namespaceId, { id, query: { limit: FIRST_DEVICES } }),
  ]);
  return Update.parse({ ...summary(row, counts.get(id)), devices: first.data });
}

export async function listUpdateDtos(
  db: DbOrTx,
  namespaceId: string,
  query: ListUpdates,
): Promise<Page<UpdateSummary>> {
  const after = query.cursor === undefined ? null : updateCursor(query.cursor);
  const filter: Prisma.UpdateWhereInput = {
    namespaceId,
    ...(query.state === undefined ? {} : { state: query.state }),
    ...(query.q === undefined ? {} : { name: { contains: escapeLike(query.q), mode: "insensitive" } }),
  };
  const rows = await db.update.findMany({
    where: {
      AND: [
        filter,
        after === null ? {} : { OR: [{ createdAt: { lt: after.createdAt } }, { ...after, id: { lt: after.id } }] },
      ],
    },
    orderBy: [{ createdAt: "desc" }, { id: "desc" }],
    take: query.limit + 1,
  });
  const page = rows.slice(0, query.limit);
  const counts = await countDevices(
    db,
    page.map((row) => row.id),
  );
  const last = page.at(-1);
  return {
    data: page.map((row) => UpdateSummary.parse(summary(row, counts.get(row.id)))),
    nextCursor:
      rows.length > query.limit && last !== undefined ? encodeCursor([last.createdAt.toISOString(), last.id]) : null,
    total: await db.update.count({ where: filter }),
    totalIsExact: true,
  };
}

export async function listDevices(
  db: DbOrTx,
  namespaceId: string,
  of: { id: string; query: Pick<ListUpdateDevices, "limit" | "cursor" | "state" | "q"> },
): Promise<Page<UpdateDevice>> {
  const { query } = of;
  const after = query.cursor === undefined ? null : cursorPart(decodeCursor(query.cursor, 1)[0], Uuid);
  const filter: Prisma.UpdateDeviceWhereInput = {
    updateId: of.id,
    namespaceId,
    ...(query.state === undefined ? {} : { state: query.state }),
    ...(query.q === undefined
      ? {}
      : { deviceUuid: { in: await findDevices(db, namespaceId, { id: of.id, q: query.q }) } }),
  };
  const rows = await db.updateDevice.findMany({
    where: { AND: [filter, after === null ? {} : { deviceUuid: { gt: after } }] },
    orderBy: { deviceUuid: "asc" },
    take: query.limit + 1,
  });
  const page = rows.slice(0, query.limit);
  const names = await namesOf(
    db,
    namespaceId,
    page.map((row) => row.deviceUuid),
  );
  const last = page.at(-1);
  return {
    data: page.map((row) => deviceDto(row, names.get(row.deviceUuid) ?? null)),
    nextCursor: rows.length > query.limit && last !== undefined ? encodeCursor([last.deviceUuid]) : null,
    total: await db.updateDevice.count({ where: filter }),
    totalIsExact: true,
  };
}

/** Devices of an update whose name contains the text or whose uuid begins with it; an update has at most 10,000. */
async function findDevices(db: DbOrTx, namespaceId: string, of: { id: string; q: string }): Promise<string[]> {
  const text = escapeLike(of.q.trim());
  const rows = await db.$queryRaw<{ deviceUuid: string }[]>`
    SELECT d."deviceUuid" FROM update_device d
    LEFT JOIN fleet_device f ON f."namespaceId" = ${namespaceId} AND f.uuid = d."deviceUuid"
    WHERE d."updateId" = ${of.id}::uuid AND (f.name ILIKE ${`%${text}%`} OR d."deviceUuid"::text LIKE ${`${text.toLowerCase()}%`})`;
  return rows.map(({ deviceUuid }) => deviceUuid);
}

export async function hasProven(db: DbOrTx, namespaceId: string): Promise<boolean> {
  const row = await db.updateDevice.findFirst({ where: { namespaceId, state: "updated" }, select: { updateId: true } });
  return row !== null;
}

export async function countDevices(db: DbOrTx, updateIds: readonly string[]): Promise<Map<string, UpdateCounts>> {
  const groups = await db.updateDevice.groupBy({
    by: ["updateId", "state"],
    where: { updateId: { in: [...updateIds] } },
    _count: { _all: true },
  });
  const counts = new Map(updateIds.map((id) => [id, emptyCounts()]));
  for (const group of groups) {
    const of = counts.get(group.updateId);
    if (of === undefined) continue;
    of[UpdateDeviceState.parse(group.state)] = group._count._all;
    of.total += group._count._all;
  }
  return counts;
}

async function namesOf(db: DbOrTx, namespaceId: string, uuids: readonly string[]): Promise<Map<string, string>> {
  const rows = await db.fleetDevice.findMany({
    where: { namespaceId, uuid: { in: [...uuids] } },
    select: { uuid: true, name: true },
  });
  return new Map(rows.map((row) => [row.uuid, row.name]));
}

function emptyCounts(): UpdateCounts {
  return {
    total: 0,
    ...(Object.fromEntries(UPDATE_DEVICE_STATES.map((state) => [state, 0])) as Record<UpdateDeviceState, number>),
  }; // every key is listed
}

function summary(row: UpdateRow, counts: UpdateCounts | undefined) {
  return {
    id: row.id,
    name: row.name,
    state: row.state,
    targets: row.targets,
    correlationId: row.correlationId,
    createdAt: row.createdAt.toISOString(),
    createdBy: actorName(row.createdBy),
    finishedAt: row.finishedAt?.toISOString() ?? null,
    trouble: row.state === "launching" || row.state === "cancelling" ? row.trouble : null,
    counts: counts ?? emptyCounts(),
  };
}

function actorName(value: Prisma.JsonValue): string {
  return typeof value === "object" && value !== null && "name" in value ? String(value.name) : "unknown";
}

function deviceDto(row: Prisma.UpdateDeviceGetPayload<object>, name: string | null): UpdateDevice {
  const evidence =
    typeof row.evidence === "object" && row.evidence !== null && !Array.isArray(row.evidence) ? row.evidence : null;
  return UpdateDevice.parse({
    uuid: row.deviceUuid,
    name,
    state: row.state,
    reason: row.reason,
    reasonCode: row.reasonCode,
    stateAt: row.stateAt.toISOString(),
    ...(evidence === null
      ? {}
      : {
          evidence: {
            ...evidence,
            manifestUrl: `/api/v1/devices/${row.deviceUuid}/manifests/${String(evidence.manifestSha256)}`,
          },
        }),
  });
}

function updateCursor(cursor: string): { createdAt: Date; id: string } {
  const [createdAt, id] = decodeCursor(cursor, 2);
  return { createdAt: new Date(cursorPart(createdAt, Instant)), id: cursorPart(id, Uuid) };
}

export async function findTargets(
  db: DbOrTx,
  namespaceId: string,
  correlationId: string,
): Promise<UpdateTargets | null> {
  const where = { namespaceId_correlationId: { namespaceId, correlationId } };
  const row = await db.update.findUnique({ where, select: { targets: true } });
  return row === null ? null : UpdateTargets.parse(row.targets);
}
