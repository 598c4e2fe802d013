import type { Actor } from "#lib/authz/actor.ts";
import {
  FINAL_UPDATE_DEVICE_STATES,
  type UpdateDeviceState,
  type UpdateState,
} from "#lib/contracts/console/updates.ts";
import type { DbOrTx, Tx } from "#lib/db/client.ts";
import { Prisma } from "#lib/db/generated/client.ts";

/**
 * Takes the update for this process until `until`. Another process that drives it, or that took it over after a crash, makes
 * this return false.
 */
export async function takeLease(db: DbOrTx, id: string, lease: { now: Date; until: Date }): Promise<boolean> {
  const { count } = await db.update.updateMany({
    where: { id, OR: [{ leaseUntil: null }, { leaseUntil: { lt: lease.now } }] },
    data: { leaseUntil: lease.until },
  });
  return count === 1;
}

/** @returns false when it ran out and another process has the update now: then this one must stop */
export async function renewLease(db: DbOrTx, id: string, lease: { held: Date; until: Date }): Promise<boolean> {
  const { count } = await db.update.updateMany({
    where: { id, leaseUntil: lease.held },
    data: { leaseUntil: lease.until },
  });
  return count === 1;
}

/** Leaves the lease of another process alone. */
export async function releaseLease(
  db: DbOrTx,
  id: string,
  release: { held: Date; trouble: string | null },
): Promise<void> {
  await db.update.updateMany({
    where: { id, leaseUntil: release.held },
    data: { leaseUntil: null, trouble: release.trouble },
  });
}

/** Updates that a process must carry on: launching or cancelling, nobody's lease. */
export async function findUndriven(
  db: DbOrTx,
  now: Date,
  take: number,
): Promise<{ id: string; namespaceId: string }[]> {
  return db.update.findMany({
    where: { state: { in: ["launching", "cancelling"] }, OR: [{ leaseUntil: null }, { leaseUntil: { lt: now } }] },
    select: { id: true, namespaceId: true },
    orderBy: { createdAt: "asc" },
    take,
  });
}

/** Two devices that finish at once each see the other unfinished: the worker closes such updates here. */
export async function finishComplete(db: DbOrTx, now: Date): Promise<{ id: string; namespaceId: string }[]> {
  return db.$queryRaw<{ id: string; namespaceId: string }[]>`
    UPDATE "update" AS u SET state = 'finished', "finishedAt" = ${now}
    WHERE u.state = 'running' AND NOT EXISTS (
      SELECT 1 FROM update_device d WHERE d."updateId" = u.id AND d.state NOT IN (${Prisma.join([...FINAL_UPDATE_DEVICE_STATES])})
    )
    RETURNING u.id, u."namespaceId"`;
}

export async function setMtu(db: DbOrTx, id: string, mtuId: string): Promise<void> {
  await db.update.updateMany({ where: { id, mtuId: null }, data: { mtuId } });
}

export async function setState(
  tx: Tx,
  id: string,
  change: { from: readonly UpdateState[]; to: UpdateState; finishedAt?: Date },
): Promise<boolean> {
  const { count } = await tx.update.updateMany({
    where: { id, state: { in: [...change.from] } },
    data: { state: change.to, ...(change.finishedAt === undefined ? {} : { finishedAt: change.finishedAt }) },
  });
  return count === 1;
}

export async function nextUnconfirmed(db: DbOrTx, id: string, take: number): Promise<string[]> {
  const rows = await db.updateDevice.findMany({
    where: { updateId: id, confirmed: false },
    select: { deviceUuid: true },
    orderBy: { deviceUuid: "asc" },
    take,
  });
  return rows.map((row) => row.deviceUuid);
}

export async function nextUnfinished(
  db: DbOrTx,
  id: string,
  page: { after: string | null; take: number },
): Promise<{ deviceUuid: string; confirmed: boolean }[]> {
  return db.updateDevice.findMany({
    where: {
      updateId: id,
      state: { notIn: [...FINAL_UPDATE_DEVICE_STATES] },
      ...(page.after === null ? {} : { deviceUuid: { gt: page.after } }),
    },
    select: { deviceUuid: true, confirmed: true },
    orderBy: { deviceUuid: "asc" },
    take: page.take,
  });
}

export async function setCancelled(tx: Tx, id: string, by: { sequence: bigint; actor: Actor }): Promise<void> {
  await tx.update.updateMany({ where: { id }, data: { cancelSequence: by.sequence, cancelledBy: { ...by.actor } } });
}

export async function confirmDevices(tx: Tx, id: string, deviceUuids: readonly string[]): Promise<void> {
  await tx.updateDevice.updateMany({
    where: { updateId: id, deviceUuid: { in: [...deviceUuids] } },
    data: { confirmed: true },
  });
}

/** One statement for many devices, each with its own reason; only devices the director has not taken yet. */
export async function closeUnconfirmed(
  tx: Tx,
  id: string,
  closed: {
    state: UpdateDeviceState;
    at: Date;
    devices: readonly { deviceUuid: string; code: string; reason: string }[];
  },
): Promise<void> {
  if (closed.devices.length === 0) return;
  const rows = JSON.stringify(closed.devices);
  await tx.$executeRaw`
    UPDATE update_device AS d SET state = ${closed.state}, "reasonCode" = n.code, reason = n.reason, "stateAt" = ${closed.at}, confirmed = true
    FROM jsonb_to_recordset(${rows}::jsonb) AS n("deviceUuid" uuid, code text, reason text)
    WHERE d."updateId" = ${id}::uuid AND d."deviceUuid" = n."deviceUuid" AND NOT d.confirmed`;
}

/** Marks devices whose assignment the director dropped; those it could not reach any more keep their state. */
export async function cancelDevices(
  tx: Tx,
  id: string,
  cancelled: { deviceUuids: readonly string[]; at: Date; reason: string },
): Promise<void> {
  await tx.updateDevice.updateMany({
    where: {
      updateId: id,
      deviceUuid: { in: [...cancelled.deviceUuids] },
      state: { notIn: [...FINAL_UPDATE_DEVICE_STATES] },
    },
    data: { state: "cancelled", confirmed: true, stateAt: cancelled.at, reason: cancelled.reason, reasonCode: null },
  });
}
