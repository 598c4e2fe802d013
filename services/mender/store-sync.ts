import type { DbOrTx } from "#lib/db/client.ts";

/** Begins a reading when the last one ended long enough ago and nobody is at one. @returns its number, or null */
export async function takeTurn(
  db: DbOrTx,
  namespaceId: string,
  at: { now: Date; pauseMs: number; leaseMs: number },
): Promise<number | null> {
  const leaseUntil = new Date(at.now.getTime() + at.leaseMs);
  const finishedBefore = new Date(at.now.getTime() - at.pauseMs);
  const [row] = await db.$queryRaw<{ crawl: number }[]>`
    INSERT INTO mender_sync AS s ("namespaceId", crawl, "startedAt", "leaseUntil")
    VALUES (${namespaceId}, 1, ${at.now}, ${leaseUntil})
    ON CONFLICT ("namespaceId") DO UPDATE SET crawl = s.crawl + 1, "startedAt" = ${at.now}, "leaseUntil" = ${leaseUntil}
      WHERE (s."leaseUntil" IS NULL OR s."leaseUntil" < ${at.now}) AND (s."finishedAt" IS NULL OR s."finishedAt" <= ${finishedBefore})
    RETURNING crawl`;
  return row?.crawl ?? null;
}

export async function prolong(db: DbOrTx, namespaceId: string, lease: { crawl: number; until: Date }): Promise<void> {
  await db.menderSync.updateMany({ where: { namespaceId, crawl: lease.crawl }, data: { leaseUntil: lease.until } });
}

export async function finish(
  db: DbOrTx,
  namespaceId: string,
  done: { crawl: number; devices: number; now: Date },
): Promise<void> {
  const { crawl, devices, now } = done;
  await db.menderSync.updateMany({
    where: { namespaceId, crawl },
    data: { devices, finishedAt: now, leaseUntil: null },
  });
}

export async function findSync(
  db: DbOrTx,
  namespaceId: string,
): Promise<{ devices: number; finishedAt: Date | null } | null> {
  return db.menderSync.findUnique({ where: { namespaceId }, select: { devices: true, finishedAt: true } });
}
