import { cursorPart, decodeCursor, encodeCursor, type ListQuery, Uuid } from "#lib/contracts/console/common.ts";
import type { DbOrTx } from "#lib/db/client.ts";
import { Prisma } from "#lib/db/generated/client.ts";

type Asked = { serverCaId: string; has: boolean; now: Date };

/** Devices that may come in, by whether they were given this server CA; one row a device. */
export async function listByServerCa(
  db: DbOrTx,
  namespaceId: string,
  { limit, cursor, ...asked }: Asked & Pick<ListQuery, "limit" | "cursor">,
): Promise<{ rows: { deviceUuid: string; givenAt: Date | null }[]; nextCursor: string | null }> {
  const after = cursor === undefined ? null : cursorPart(decodeCursor(cursor, 1)[0], Uuid);
  const found = await db.$queryRaw<{ deviceUuid: string; givenAt: Date | null }[]>`
    SELECT "deviceUuid"::text AS "deviceUuid", "givenAt" FROM (${devices(namespaceId, asked)}) AS device
    WHERE ${after}::uuid IS NULL OR "deviceUuid" > ${after}::uuid
    ORDER BY device."deviceUuid" LIMIT ${limit + 1}`;
  const rows = found.slice(0, limit);
  const last = found.length > limit ? rows.at(-1) : undefined;
  return { rows, nextCursor: last === undefined ? null : encodeCursor([last.deviceUuid]) };
}

export async function countByServerCa(db: DbOrTx, namespaceId: string, asked: Asked): Promise<number> {
  const rows = await db.$queryRaw<{ count: number }[]>`
    SELECT count(*)::int AS count FROM (${devices(namespaceId, asked)}) AS device`;
  return rows[0]?.count ?? 0;
}

function devices(namespaceId: string, { serverCaId, has, now }: Asked): Prisma.Sql {
  return Prisma.sql`
    SELECT DISTINCT c."deviceUuid", given."givenAt"
    FROM device_certificate AS c
    LEFT JOIN device_server_ca AS given ON given."namespaceId" = c."namespaceId" AND given."deviceUuid" = c."deviceUuid"
      AND given."serverCaId" = ${serverCaId}::uuid
    WHERE c."namespaceId" = ${namespaceId} AND c.state = 'allowed' AND NOT c.canary AND c."deviceUuid" IS NOT NULL
      AND c."notAfter" > ${now} AND (c."graceUntil" IS NULL OR c."graceUntil" > ${now})
      AND (given."deviceUuid" IS NOT NULL) = ${has}`;
}
