import type { MenderDeviceStatus } from "#lib/contracts/mender.ts";
import type { DbOrTx, Tx } from "#lib/db/client.ts";

/** A device of the Mender server's list. `uuid` is the device of ours that it is, or made of Mender's id. */
export type MenderRow = {
  readonly uuid: string;
  readonly menderId: string;
  readonly status: MenderDeviceStatus;
  readonly name: string;
  readonly checkedInAt: string | null;
  readonly createdAt: string | null;
  /** Ours: its row exists for another reason, and keeps its name and state. */
  readonly isOurs: boolean;
};

/**
 * Writes a page of the Mender server's list. Rows of ours get Mender's state beside their own; the others follow the list alone. A row that
 * was Mender's alone goes when its device turns out to be one of ours.
 *
 * @returns the uuids whose rows changed for people
 */
export async function upsertMenderRows(
  tx: Tx,
  namespaceId: string,
  page: { rows: readonly MenderRow[]; crawl: number; now: Date },
): Promise<string[]> {
  const { crawl, now } = page;
  const changed = await tx.$queryRaw<{ uuid: string }[]>`
    INSERT INTO fleet_device AS f ("namespaceId", uuid, name, "deviceId", status, "statusAt", "createdAt", "lastSeenAt",
      "hardwareIds", "installedFilenames", "assignedFilenames", "menderId", "menderStatus", "menderOnly", "menderCrawl")
    SELECT ${namespaceId}, d.uuid, d.name, d."menderId", 'unknown', ${now}, coalesce(d."createdAt", ${now}), d."checkedInAt",
      '{}', '{}', '{}', d."menderId", d.status, true, ${crawl}
    FROM jsonb_to_recordset(${JSON.stringify(page.rows.filter((row) => !row.isOurs))}::jsonb)
      AS d(uuid uuid, name text, "menderId" text, status text, "createdAt" timestamptz, "checkedInAt" timestamptz)
    ORDER BY d.uuid
    ON CONFLICT ("namespaceId", uuid) DO UPDATE SET name = excluded.name, "menderStatus" = excluded."menderStatus",
      "lastSeenAt" = greatest(f."lastSeenAt", excluded."lastSeenAt"), "menderCrawl" = excluded."menderCrawl"
      WHERE f."menderOnly"
    RETURNING uuid`;
  const ours = JSON.stringify(page.rows.filter((row) => row.isOurs));
  const marked = await tx.$queryRaw<{ uuid: string }[]>`
    WITH locked AS (
      SELECT f.uuid, d."menderId", d.status FROM fleet_device f
      JOIN jsonb_to_recordset(${ours}::jsonb) AS d(uuid uuid, "menderId" text, status text) ON d.uuid = f.uuid
      WHERE f."namespaceId" = ${namespaceId} AND NOT f."menderOnly" ORDER BY f.uuid FOR UPDATE OF f
    )
    UPDATE fleet_device f SET "menderId" = l."menderId", "menderStatus" = l.status, "menderCrawl" = ${crawl}
    FROM locked l WHERE f."namespaceId" = ${namespaceId} AND f.uuid = l.uuid RETURNING f.uuid`;
  const gone = await tx.$queryRaw<{ uuid: string }[]>`
    DELETE FROM fleet_device f USING jsonb_to_recordset(${ours}::jsonb) AS d("menderId" text)
    WHERE f."namespaceId" = ${namespaceId} AND f."menderOnly" AND f."menderId" = d."menderId" RETURNING f.uuid`;
  return [...changed, ...marked, ...gone].map(({ uuid }) => uuid);
}

/** The Mender server has just let a device of ours in. @returns whether that is news */
export async function markAccepted(
  tx: Tx,
  namespaceId: string,
  device: { uuid: string; menderId: string },
): Promise<boolean> {
  const changed = await tx.$executeRaw`
    UPDATE fleet_device SET "menderId" = ${device.menderId}, "menderStatus" = 'accepted', "menderCrawl" = coalesce("menderCrawl", 0)
    WHERE "namespaceId" = ${namespaceId} AND uuid = ${device.uuid}::uuid AND NOT "menderOnly"
      AND ("menderId", "menderStatus") IS DISTINCT FROM (${device.menderId}, 'accepted')`;
  if (changed === 0) return false;
  await tx.fleetDevice.deleteMany({ where: { namespaceId, menderId: device.menderId, menderOnly: true } });
  return true;
}

/** Devices that the complete reading `crawl` did not list, in the order of their ids. */
export async function listUnlisted(
  db: DbOrTx,
  namespaceId: string,
  at: { crawl: number; after: string; limit: number },
): Promise<{ uuid: string; menderId: string }[]> {
  return db.$queryRaw`
    SELECT uuid, "menderId" FROM fleet_device
    WHERE "namespaceId" = ${namespaceId} AND "menderId" > ${at.after} AND "menderCrawl" < ${at.crawl}
    ORDER BY "menderId" LIMIT ${at.limit}`;
}

/** Mender no longer has them: what was Mender's alone goes, what is ours stays as it is. */
export async function removeMender(tx: Tx, namespaceId: string, uuids: readonly string[]): Promise<void> {
  await tx.fleetDevice.deleteMany({ where: { namespaceId, uuid: { in: [...uuids] }, menderOnly: true } });
  await tx.fleetDevice.updateMany({
    where: { namespaceId, uuid: { in: [...uuids] } },
    data: { menderId: null, menderStatus: null, menderCrawl: null },
  });
}

/** What Mender calls a device of the fleet; null where it is none of Mender's. */
export async function findMenderId(db: DbOrTx, namespaceId: string, uuid: string): Promise<string | null> {
  const row = await db.fleetDevice.findUnique({
    where: { namespaceId_uuid: { namespaceId, uuid } },
    select: { menderId: true },
  });
  return row?.menderId ?? null;
}
