import { DeviceStatus } from "#lib/contracts/console/devices.ts";
import type { DbOrTx } from "#lib/db/client.ts";
import { toEcus } from "./dto.ts";
import type { FleetEcu } from "./ecus.ts";

/** What the fleet index knows of a device that external back ends may know more of. */
export type SyncedRow = {
  readonly status: DeviceStatus;
  readonly correlationId: string | null;
  readonly lastSeenAt: Date | null;
  readonly lastManifestAt: Date | null;
  readonly certificateFingerprint: string | null;
  readonly ecus: readonly FleetEcu[];
};

/** null for a device without a row. */
export async function findForSync(db: DbOrTx, namespaceId: string, uuid: string): Promise<SyncedRow | null> {
  const row = await db.fleetDevice.findUnique({
    where: { namespaceId_uuid: { namespaceId, uuid } },
    select: {
      status: true,
      correlationId: true,
      lastSeenAt: true,
      lastManifestAt: true,
      certificateFingerprint: true,
      ecus: true,
    },
  });
  return row === null ? null : { ...row, status: DeviceStatus.parse(row.status), ecus: toEcus(row.ecus) };
}
