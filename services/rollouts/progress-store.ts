import { FINAL_UPDATE_DEVICE_STATES, UpdateDeviceState } from "#lib/contracts/console/updates.ts";
import type { Tx } from "#lib/db/client.ts";
import type { Prisma } from "#lib/db/generated/client.ts";

export type TrackedDevice = { updateId: string; state: UpdateDeviceState };

/** The device's row in the update of this correlation id, locked until the transaction ends. */
export async function lockTracked(
  tx: Tx,
  namespaceId: string,
  of: { correlationId: string; deviceUuid: string },
): Promise<TrackedDevice | null> {
  const rows = await tx.$queryRaw<{ updateId: string; state: string }[]>`
    SELECT d."updateId", d.state FROM update_device d JOIN "update" u ON u.id = d."updateId"
    WHERE u."namespaceId" = ${namespaceId} AND u."correlationId" = ${of.correlationId} AND d."deviceUuid" = ${of.deviceUuid}::uuid
    FOR UPDATE OF d`;
  const [row] = rows;
  return row === undefined ? null : { updateId: row.updateId, state: UpdateDeviceState.parse(row.state) };
}

export async function moveDevice(
  tx: Tx,
  of: { updateId: string; deviceUuid: string },
  move: {
    state: UpdateDeviceState;
    reasonCode: string | null;
    reason: string | null;
    at: Date;
    evidence?: Prisma.InputJsonObject;
  },
): Promise<void> {
  await tx.updateDevice.update({
    where: { updateId_deviceUuid: of },
    data: {
      state: move.state,
      reasonCode: move.reasonCode,
      reason: move.reason,
      stateAt: move.at,
      confirmed: true,
      ...(move.evidence === undefined ? {} : { evidence: move.evidence }),
    },
    select: { updateId: true },
  });
}

/** Ends the device's part in whatever it had not finished. @returns those updates */
export async function closeDevice(
  tx: Tx,
  of: { namespaceId: string; deviceUuid: string },
  end: { reasonCode: string; reason: string; at: Date },
): Promise<string[]> {
  const rows = await tx.updateDevice.updateManyAndReturn({
    where: { ...of, state: { notIn: [...FINAL_UPDATE_DEVICE_STATES] } },
    data: { state: "cancelled", reasonCode: end.reasonCode, reason: end.reason, stateAt: end.at, confirmed: true },
    select: { updateId: true },
  });
  return rows.map(({ updateId }) => updateId);
}

/** {@link lockTracked} for many devices, locked in one order so that two callers wait instead of deadlocking. */
export async function lockTrackedMany(
  tx: Tx,
  namespaceId: string,
  of: readonly { correlationId: string | null; deviceUuid: string }[],
): Promise<(TrackedDevice & { correlationId: string; deviceUuid: string })[]> {
  if (of.length === 0) return [];
  const wanted = JSON.stringify(of.map(({ correlationId, deviceUuid }) => ({ correlationId, deviceUuid })));
  const rows = await tx.$queryRaw<{ updateId: string; state: string; correlationId: string; deviceUuid: string }[]>`
    SELECT d."updateId", d.state, u."correlationId", d."deviceUuid"
    FROM jsonb_to_recordset(${wanted}::jsonb) AS w("correlationId" text, "deviceUuid" uuid)
    JOIN "update" u ON u."namespaceId" = ${namespaceId} AND u."correlationId" = w."correlationId"
    JOIN update_device d ON d."updateId" = u.id AND d."deviceUuid" = w."deviceUuid"
    ORDER BY d."updateId", d."deviceUuid" FOR UPDATE OF d`;
  return rows.map((row) => ({ ...row, state: UpdateDeviceState.parse(row.state) }));
}

/** {@link moveDevice} for many devices in one statement; evidence that is null leaves what is there. */
export async function moveDevices(
  tx: Tx,
  moves: readonly {
    updateId: string;
    deviceUuid: string;
    state: UpdateDeviceState;
    reasonCode: string | null;
    reason: string | null;
    at: Date;
    evidence: Prisma.InputJsonObject | null;
  }[],
): Promise<void> {
  if (moves.length === 0) return;
  await tx.$executeRaw`
    UPDATE update_device AS d SET state = m.state, "reasonCode" = m."reasonCode", reason = m.reason, "stateAt" = m.at,
      confirmed = true, evidence = coalesce(nullif(m.evidence, 'null'::jsonb), d.evidence)
    FROM jsonb_to_recordset(${JSON.stringify(moves)}::jsonb) AS m("updateId" uuid, "deviceUuid" uuid, state text, "reasonCode" text,
      reason text, at timestamptz, evidence jsonb)
    WHERE d."updateId" = m."updateId" AND d."deviceUuid" = m."deviceUuid"`;
}
