import { UpdateDeviceState } from "#lib/contracts/console/updates.ts";
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
