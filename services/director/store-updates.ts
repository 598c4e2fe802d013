import { MtuTargets } from "#lib/contracts/ota/director.ts";
import type { DbOrTx, Tx } from "#lib/db/client.ts";
import type { Prisma } from "#lib/db/generated/client.ts";

/** In the order in which an update goes through them. */
export const UPDATE_STATUSES = [
  "Scheduled",
  "Assigned",
  "Seen",
  "PartiallyCompleted",
  "Completed",
  "Cancelled",
] as const;
export type UpdateStatus = (typeof UPDATE_STATUSES)[number];

export type EcuOutcome = {
  readonly hardwareId: string;
  readonly id: string;
  readonly success: boolean;
  readonly description: string;
  readonly result: string | null;
};

/** What a device said of an update; ECUs are added as they report. */
export type UpdateResult = {
  readonly resultCode: string;
  readonly success: boolean;
  readonly description: string | null;
  readonly ecuResults: Readonly<Record<string, EcuOutcome>>;
};

export type UpdateDeviceRow = {
  readonly updateId: string;
  readonly deviceUuid: string;
  readonly status: UpdateStatus;
  readonly scheduledFor: Date | null;
  readonly createdAt: Date;
  readonly completedAt: Date | null;
  readonly reason: string | null;
  readonly result: UpdateResult | null;
  readonly targets: MtuTargets;
};

export async function insertUpdate(
  tx: Tx,
  update: { id: string; namespaceId: string; targets: MtuTargets; at: Date },
): Promise<void> {
  const targets = update.targets as Prisma.InputJsonObject; // parsed from JSON by its schema
  await tx.directorUpdate.createMany({
    data: { id: update.id, namespaceId: update.namespaceId, targets, createdAt: update.at },
    skipDuplicates: true,
  });
}

export async function insertUpdateDevices(
  tx: Tx,
  of: { updateId: string; namespaceId: string; at: Date },
  devices: readonly { deviceUuid: string; status: UpdateStatus; scheduledFor: Date | null; assignedEcus: number }[],
): Promise<void> {
  const { at, ...ids } = of;
  await tx.directorUpdateDevice.createMany({
    data: devices.map((device) => ({ ...ids, ...device, createdAt: at })),
  });
}

/** Devices with an update that is neither completed nor cancelled, other than `except`. */
export async function listBusyDevices(
  db: DbOrTx,
  namespaceId: string,
  of: { devices: readonly string[]; except: string | null },
): Promise<Set<string>> {
  const rows = await db.$queryRaw<{ deviceUuid: string }[]>`
    SELECT DISTINCT "deviceUuid" FROM director_update_device
    WHERE "namespaceId" = ${namespaceId} AND "deviceUuid" = ANY(${[...of.devices]}::uuid[])
      AND status NOT IN ('Completed', 'Cancelled') AND "updateId" IS DISTINCT FROM ${of.except}::uuid`;
  return new Set(rows.map(({ deviceUuid }) => deviceUuid));
}

/** Of these ids, those that are updates of `/updates`. */
export async function findUpdates(db: DbOrTx, namespaceId: string, ids: readonly string[]): Promise<Set<string>> {
  if (ids.length === 0) return new Set();
  const rows = await db.directorUpdate.findMany({
    where: { namespaceId, id: { in: [...ids] } },
    select: { id: true },
  });
  return new Set(rows.map(({ id }) => id));
}

const COLUMNS = {
  updateId: true,
  deviceUuid: true,
  status: true,
  scheduledFor: true,
  createdAt: true,
  completedAt: true,
  reason: true,
  result: true,
} satisfies Prisma.DirectorUpdateDeviceSelect;

type Selected = Prisma.DirectorUpdateDeviceGetPayload<{ select: typeof COLUMNS }>;

export async function findUpdateDevice(
  db: DbOrTx,
  of: { namespaceId: string; updateId: string; deviceUuid: string },
): Promise<UpdateDeviceRow | null> {
  const row = await db.directorUpdateDevice.findFirst({ where: of, select: COLUMNS });
  const [found] = row === null ? [] : await withTargets(db, of.namespaceId, [row]);
  return found ?? null;
}

/** Newest first. */
export async function listOfDevice(
  db: DbOrTx,
  of: { namespaceId: string; deviceUuid: string },
  window: { offset: number; limit: number },
): Promise<{ values: UpdateDeviceRow[]; total: number }> {
  const rows = await db.directorUpdateDevice.findMany({
    where: of,
    orderBy: [{ createdAt: "desc" }, { updateId: "desc" }],
    skip: window.offset,
    take: window.limit,
    select: COLUMNS,
  });
  const total = await db.directorUpdateDevice.count({ where: of });
  return { values: await withTargets(db, of.namespaceId, rows), total };
}

export type UpdateSummaryRow = {
  readonly id: string;
  readonly targets: MtuTargets;
  readonly createdAt: Date;
  readonly scheduledFor: Date | null;
  readonly completedAt: Date | null;
  readonly statuses: readonly UpdateStatus[];
  readonly devices: number;
  /** Of the only device, where there is one. */
  readonly result: UpdateResult | null;
};

/** Newest first, each with what its devices make of it. */
export async function listUpdates(
  db: DbOrTx,
  namespaceId: string,
  window: { offset: number; limit: number },
): Promise<{ values: UpdateSummaryRow[]; total: number }> {
  const rows = await db.$queryRaw<(Omit<UpdateSummaryRow, "targets"> & { targets: unknown })[]>`
    WITH page AS (
      SELECT id, targets, "createdAt" FROM director_update WHERE "namespaceId" = ${namespaceId}
      ORDER BY "createdAt" DESC, id DESC OFFSET ${window.offset} LIMIT ${window.limit}
    )
    SELECT page.id, page.targets, page."createdAt", min(d."scheduledFor") AS "scheduledFor", max(d."completedAt") AS "completedAt",
      coalesce(array_agg(DISTINCT d.status) FILTER (WHERE d.status IS NOT NULL), '{}') AS statuses,
      count(d."deviceUuid")::int AS devices,
      CASE WHEN count(d."deviceUuid") = 1 THEN (array_agg(d.result))[1] END AS result
    FROM page LEFT JOIN director_update_device d ON d."updateId" = page.id
    GROUP BY page.id, page.targets, page."createdAt" ORDER BY page."createdAt" DESC, page.id DESC`;
  const total = await db.directorUpdate.count({ where: { namespaceId } });
  return { values: rows.map((row) => ({ ...row, targets: MtuTargets.parse(row.targets) })), total };
}

export async function listDevicesOf(db: DbOrTx, namespaceId: string, updateId: string): Promise<string[]> {
  const rows = await db.directorUpdateDevice.findMany({
    where: { namespaceId, updateId },
    orderBy: { deviceUuid: "asc" },
    select: { deviceUuid: true },
  });
  return rows.map(({ deviceUuid }) => deviceUuid);
}

/** The statuses of an update's devices. The caller holds the devices' locks, which everybody takes who changes one. */
export async function listStatuses(
  tx: Tx,
  of: { updateId: string; deviceUuids: readonly string[] },
): Promise<{ deviceUuid: string; status: UpdateStatus }[]> {
  const rows = await tx.directorUpdateDevice.findMany({
    where: { updateId: of.updateId, deviceUuid: { in: [...of.deviceUuids] } },
    select: { deviceUuid: true, status: true },
  });
  return rows.map(({ deviceUuid, status }) => ({ deviceUuid, status: status as UpdateStatus })); // only this file writes it
}

/** Ends it for these devices, unless it has ended. */
export async function cancelUpdateDevices(
  tx: Tx,
  of: { updateId: string; deviceUuids: readonly string[]; at: Date },
  reason: string | null,
): Promise<void> {
  await tx.directorUpdateDevice.updateMany({
    where: {
      updateId: of.updateId,
      deviceUuid: { in: [...of.deviceUuids] },
      status: { notIn: ["Completed", "Cancelled"] },
    },
    data: { status: "Cancelled", reason, completedAt: of.at },
  });
}

/** All of a device that is deleted. */
export async function cancelAllOf(tx: Tx, deviceUuid: string, at: Date): Promise<void> {
  await tx.directorUpdateDevice.updateMany({
    where: { deviceUuid, status: { notIn: ["Completed", "Cancelled"] } },
    data: { status: "Cancelled", reason: "The device was deleted.", completedAt: at },
  });
}

export async function setAssigned(
  tx: Tx,
  of: { updateId: string; deviceUuid: string },
  assignedEcus: number,
): Promise<void> {
  await tx.directorUpdateDevice.updateMany({
    where: { ...of, status: "Scheduled" },
    data: { status: "Assigned", assignedEcus },
  });
}

export async function markSeen(tx: Tx, deviceUuid: string, updateIds: readonly string[]): Promise<void> {
  await tx.directorUpdateDevice.updateMany({
    where: { deviceUuid, updateId: { in: [...updateIds] }, status: "Assigned" },
    data: { status: "Seen" },
  });
}

export async function setOutcome(
  tx: Tx,
  of: { updateId: string; deviceUuid: string },
  outcome: { status: "Completed" | "PartiallyCompleted"; result: UpdateResult; completedAt: Date | null },
): Promise<void> {
  await tx.directorUpdateDevice.updateMany({
    where: { ...of, status: { not: "Cancelled" } },
    data: { ...outcome, result: outcome.result as unknown as Prisma.InputJsonObject }, // readonly, else the same
  });
}

export type DueUpdate = { readonly namespaceId: string; readonly updateId: string; readonly deviceUuid: string };

/** Of all namespaces, those whose time has come longest ago. */
export async function listDue(db: DbOrTx, now: Date, take: number): Promise<DueUpdate[]> {
  return db.directorUpdateDevice.findMany({
    where: { status: "Scheduled", scheduledFor: { lte: now } },
    orderBy: [{ scheduledFor: "asc" }, { updateId: "asc" }],
    take,
    select: { namespaceId: true, updateId: true, deviceUuid: true },
  });
}

async function withTargets(db: DbOrTx, namespaceId: string, rows: readonly Selected[]): Promise<UpdateDeviceRow[]> {
  const updates = await db.directorUpdate.findMany({
    where: { namespaceId, id: { in: [...new Set(rows.map(({ updateId }) => updateId))] } },
    select: { id: true, targets: true },
  });
  const targets = new Map(updates.map((update) => [update.id, MtuTargets.parse(update.targets)]));
  return rows.map((row) => ({
    ...row,
    status: row.status as UpdateStatus, // only this file writes status and result
    result: row.result as UpdateResult | null,
    targets: targets.get(row.updateId) ?? {},
  }));
}
