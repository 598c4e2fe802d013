import type { DbOrTx } from "#lib/db/client.ts";

/** What people call these devices; those without a row are missing. */
export async function findDeviceNames(
  db: DbOrTx,
  namespaceId: string,
  uuids: readonly string[],
): Promise<ReadonlyMap<string, string>> {
  if (uuids.length === 0) return new Map();
  const rows = await db.fleetDevice.findMany({
    where: { namespaceId, uuid: { in: [...new Set(uuids)] } },
    select: { uuid: true, name: true },
  });
  return new Map(rows.map((row) => [row.uuid, row.name]));
}

/** The UUID of the device that calls itself this. */
export async function findDeviceByOemId(db: DbOrTx, namespaceId: string, deviceId: string): Promise<string | null> {
  const row = await db.fleetDevice.findFirst({ where: { namespaceId, deviceId }, select: { uuid: true } });
  return row?.uuid ?? null;
}
