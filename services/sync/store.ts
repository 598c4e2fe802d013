import type { DbOrTx, Tx } from "#lib/db/client.ts";

/** Marks devices as to be read again; what is urgent stays urgent. A device that a worker reads meanwhile is read once more. */
export async function markDirty(
  db: DbOrTx,
  namespaceId: string,
  dirty: { uuids: readonly string[]; at: Date; urgent: boolean },
): Promise<void> {
  await db.$executeRaw`
    INSERT INTO sync_device ("namespaceId", uuid, "dirtyAt", urgent)
    SELECT ${namespaceId}, u.uuid, ${dirty.at}, ${dirty.urgent} FROM unnest(${[...dirty.uuids]}::uuid[]) AS u(uuid) ORDER BY u.uuid
    ON CONFLICT ("namespaceId", uuid) DO UPDATE SET "dirtyAt" = excluded."dirtyAt",
      urgent = CASE WHEN sync_device."dirtyAt" IS NULL THEN excluded.urgent ELSE sync_device.urgent OR excluded.urgent END`;
}

/** Devices with an update under way that nothing was heard of for a while. */
export async function markUnderWay(
  db: DbOrTx,
  namespaceId: string,
  of: { at: Date; unheardSince: Date },
): Promise<void> {
  await db.$executeRaw`
    INSERT INTO sync_device ("namespaceId", uuid, "dirtyAt")
    SELECT ${namespaceId}, f.uuid, ${of.at} FROM fleet_device f
    WHERE f."namespaceId" = ${namespaceId} AND f.status IN ('assigned', 'downloading', 'installing', 'rebooting')
      AND NOT EXISTS (SELECT 1 FROM sync_device s WHERE s."namespaceId" = f."namespaceId" AND s.uuid = f.uuid
        AND (s."dirtyAt" IS NOT NULL OR s."notBefore" > ${of.unheardSince}))
    ORDER BY f.uuid LIMIT 1000
    ON CONFLICT ("namespaceId", uuid) DO UPDATE SET "dirtyAt" = coalesce(sync_device."dirtyAt", excluded."dirtyAt")`;
}

export type Claimed = { uuid: string; dirtyAt: Date; goneSince: Date | null };

/** Takes devices to read for this worker until `until`: what passed the gateway first, then the longest waiting. */
export async function claimDirty(
  db: DbOrTx,
  namespaceId: string,
  claim: { now: Date; until: Date; take: number },
): Promise<Claimed[]> {
  return db.$queryRaw<Claimed[]>`
    UPDATE sync_device AS s SET "notBefore" = ${claim.until}
    FROM (
      SELECT uuid FROM sync_device
      WHERE "namespaceId" = ${namespaceId} AND "dirtyAt" IS NOT NULL AND ("notBefore" IS NULL OR "notBefore" <= ${claim.now})
      ORDER BY urgent DESC, "dirtyAt" LIMIT ${claim.take} FOR UPDATE SKIP LOCKED
    ) AS c
    WHERE s."namespaceId" = ${namespaceId} AND s.uuid = c.uuid
    RETURNING s.uuid, s."dirtyAt", s."goneSince"`;
}

/** The device was read. What happened since it was claimed keeps it dirty; so does an assignment of which nobody says how it ended. */
export async function settle(
  tx: Tx,
  namespaceId: string,
  read: { uuid: string; dirtyAt: Date; at: Date; goneSince: Date | null; again: Date | null },
): Promise<void> {
  const { uuid, again, goneSince } = read;
  await tx.$executeRaw`
    UPDATE sync_device SET "goneSince" = ${goneSince}, "notBefore" = coalesce(${again}::timestamptz, ${read.at}::timestamptz),
      urgent = CASE WHEN "dirtyAt" = ${read.dirtyAt} THEN false ELSE urgent END,
      "dirtyAt" = CASE WHEN "dirtyAt" = ${read.dirtyAt} AND ${again}::timestamptz IS NULL THEN NULL ELSE "dirtyAt" END
    WHERE "namespaceId" = ${namespaceId} AND uuid = ${uuid}::uuid`;
}

/** The device could not be read: again after `notBefore`. */
export async function postpone(db: DbOrTx, namespaceId: string, of: { uuids: readonly string[]; notBefore: Date }) {
  await db.syncDevice.updateMany({
    where: { namespaceId, uuid: { in: [...of.uuids] } },
    data: { notBefore: of.notBefore },
  });
}

export async function forget(tx: Tx, namespaceId: string, uuid: string): Promise<void> {
  await tx.syncDevice.deleteMany({ where: { namespaceId, uuid } });
}

export type Crawl = { crawl: number; offset: number };

/** Takes the crawl for this worker: the one under way, or a new one when the last ended before `restartBefore`. null: nothing to do. */
export async function takeCrawl(
  db: DbOrTx,
  namespaceId: string,
  lease: { now: Date; until: Date; restartBefore: Date },
): Promise<Crawl | null> {
  await db.syncState.createMany({ data: [{ namespaceId, startedAt: lease.now }], skipDuplicates: true });
  const [row] = await db.$queryRaw<Crawl[]>`
    UPDATE sync_state SET "leaseUntil" = ${lease.until},
      crawl = CASE WHEN "finishedAt" IS NULL THEN crawl ELSE crawl + 1 END,
      "offset" = CASE WHEN "finishedAt" IS NULL THEN "offset" ELSE 0 END,
      "startedAt" = CASE WHEN "finishedAt" IS NULL THEN "startedAt" ELSE ${lease.now} END,
      "finishedAt" = NULL
    WHERE "namespaceId" = ${namespaceId} AND ("leaseUntil" IS NULL OR "leaseUntil" <= ${lease.now})
      AND ("finishedAt" IS NULL OR "finishedAt" <= ${lease.restartBefore})
    RETURNING crawl, "offset"`;
  return row ?? null;
}

/** Remembers how far it is, and gives the lease back or keeps it. */
export async function moveCrawl(
  db: DbOrTx,
  namespaceId: string,
  to: { offset: number; finishedAt: Date | null; leaseUntil: Date | null },
): Promise<void> {
  await db.syncState.update({ where: { namespaceId }, data: to, select: { namespaceId: true } });
}

/** Notes which devices a page listed; those that are new or look otherwise than last time are to be read. */
export async function noteListed(
  tx: Tx,
  namespaceId: string,
  page: { crawl: number; at: Date; devices: readonly { uuid: string; digest: string }[] },
): Promise<void> {
  await tx.$executeRaw`
    INSERT INTO sync_device ("namespaceId", uuid, "seenInCrawl", digest, "dirtyAt")
    SELECT ${namespaceId}, d.uuid, ${page.crawl}, d.digest, ${page.at}
    FROM jsonb_to_recordset(${JSON.stringify(page.devices)}::jsonb) AS d(uuid uuid, digest text) ORDER BY d.uuid
    ON CONFLICT ("namespaceId", uuid) DO UPDATE SET "seenInCrawl" = excluded."seenInCrawl", digest = excluded.digest,
      "dirtyAt" = CASE WHEN sync_device.digest IS DISTINCT FROM excluded.digest
        THEN coalesce(sync_device."dirtyAt", excluded."dirtyAt") ELSE sync_device."dirtyAt" END`;
}

/**
 * Devices that a complete crawl did not list are to be read: pages shift while they are read, so only the registry's own word about
 * one device says that it is gone.
 */
export async function markUnlisted(tx: Tx, namespaceId: string, of: { crawl: number; at: Date }): Promise<void> {
  await tx.$executeRaw`
    INSERT INTO sync_device ("namespaceId", uuid, "dirtyAt")
    SELECT f."namespaceId", f.uuid, ${of.at} FROM fleet_device f
    LEFT JOIN sync_device s ON s."namespaceId" = f."namespaceId" AND s.uuid = f.uuid
    WHERE f."namespaceId" = ${namespaceId} AND coalesce(s."seenInCrawl", 0) < ${of.crawl}
    ORDER BY f.uuid
    ON CONFLICT ("namespaceId", uuid) DO UPDATE SET "dirtyAt" = coalesce(sync_device."dirtyAt", excluded."dirtyAt")`;
}
