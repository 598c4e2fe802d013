import type { DbOrTx } from "#lib/db/client.ts";

/** Adds to the counts of an hour, in one statement. */
export async function countHour(
  db: DbOrTx,
  namespaceId: string,
  { hour, counts }: { hour: Date; counts: ReadonlyMap<string, number> },
): Promise<void> {
  // In one order, so that two gateways lock the rows they share alike.
  const codes = [...counts.keys()].sort();
  await db.$executeRaw`
    INSERT INTO refusal_hour ("namespaceId", hour, code, count)
    SELECT ${namespaceId}, ${hour.toISOString()}::timestamptz, code, count FROM unnest(
      ${codes}::text[],
      ${codes.map((code) => counts.get(code) ?? 0)}::int[]
    ) AS added(code, count)
    ON CONFLICT ("namespaceId", hour, code) DO UPDATE SET
      count = least(refusal_hour.count::bigint + excluded.count, 2147483647)::int`;
}

export async function forgetHours(db: DbOrTx, namespaceId: string, before: Date): Promise<void> {
  await db.refusalHour.deleteMany({ where: { namespaceId, hour: { lt: before } } });
}

/** At most 24 a day and code. */
export async function listHours(
  db: DbOrTx,
  namespaceId: string,
  since: Date,
): Promise<{ hour: Date; code: string; count: number }[]> {
  return db.refusalHour.findMany({
    where: { namespaceId, hour: { gte: since } },
    select: { hour: true, code: true, count: true },
    orderBy: [{ hour: "asc" }, { code: "asc" }],
    take: 20_000,
  });
}

/** By code: how many rows the list has, and the address with the most attempts among those of the last hour. */
export async function listCodes(
  db: DbOrTx,
  namespaceId: string,
  since: Date,
): Promise<{ code: string; listed: number; topAddress: string | null }[]> {
  return db.$queryRaw<{ code: string; listed: number; topAddress: string | null }[]>`
    SELECT code, sum(listed)::int AS listed,
      (array_agg(address ORDER BY tries DESC, address) FILTER (WHERE tries > 0))[1] AS "topAddress"
    FROM (
      SELECT code, address, count(*) AS listed,
        sum(count) FILTER (WHERE "lastAt" >= ${since.toISOString()}::timestamptz) AS tries
      FROM refused_attempt WHERE "namespaceId" = ${namespaceId} GROUP BY code, address
    ) AS by_address
    GROUP BY code ORDER BY code`;
}
