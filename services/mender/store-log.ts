import { randomUUID } from "node:crypto";
import { z } from "zod";
import { cursorPart, decodeCursor, encodeCursor, type Page, Uuid } from "#lib/contracts/console/common.ts";
import { type ListMenderLog, type MenderLogEntry, MenderOutcome } from "#lib/contracts/console/mender.ts";
import type { DbOrTx } from "#lib/db/client.ts";
import type { Prisma } from "#lib/db/generated/client.ts";
import { escapeLike } from "#lib/db/like.ts";

export const MAX_ENTRIES = 10_000;

export type NewEntry = {
  fingerprint: string;
  keySha256: string;
  deviceUuid: string;
  outcome: MenderOutcome;
  sentence: string;
  identity: string;
  menderDeviceId: string | null;
  at: Date;
};

export async function addEntry(db: DbOrTx, namespaceId: string, entry: NewEntry): Promise<void> {
  await db.$executeRaw`
    INSERT INTO mender_preauthorization (id, "namespaceId", fingerprint, "keySha256", outcome, sentence, identity,
      "deviceUuid", "menderDeviceId", count, "firstAt", "lastAt")
    VALUES (${randomUUID()}::uuid, ${namespaceId}, ${entry.fingerprint}, ${entry.keySha256}, ${entry.outcome}, ${entry.sentence},
      ${entry.identity}, ${entry.deviceUuid}::uuid, ${entry.menderDeviceId}, 1, ${entry.at}, ${entry.at})
    ON CONFLICT ("namespaceId", fingerprint, "keySha256", outcome) DO UPDATE SET
      count = least(mender_preauthorization.count::bigint + 1, 2147483647)::int,
      sentence = excluded.sentence,
      identity = excluded.identity,
      "menderDeviceId" = coalesce(excluded."menderDeviceId", mender_preauthorization."menderDeviceId"),
      "lastAt" = greatest(mender_preauthorization."lastAt", excluded."lastAt")`;
}

export async function capEntries(db: DbOrTx, namespaceId: string): Promise<void> {
  await db.$executeRaw`
    DELETE FROM mender_preauthorization WHERE id IN (
      SELECT id FROM mender_preauthorization WHERE "namespaceId" = ${namespaceId}
      ORDER BY "lastAt" DESC, id DESC OFFSET ${MAX_ENTRIES}
    )`;
}

export async function listEntries(
  db: DbOrTx,
  namespaceId: string,
  query: ListMenderLog,
): Promise<Page<MenderLogEntry>> {
  const filter: Prisma.MenderPreauthorizationWhereInput = {
    namespaceId,
    ...(query.outcome === undefined ? {} : { outcome: { in: query.outcome } }),
    ...(query.deviceUuid === undefined ? {} : { deviceUuid: query.deviceUuid }),
    AND: textFilter(query.q),
  };
  const rows = await db.menderPreauthorization.findMany({
    where: query.cursor === undefined ? filter : { AND: [filter, beforeCursor(query.cursor)] },
    orderBy: [{ lastAt: "desc" }, { id: "desc" }],
    take: query.limit + 1,
  });
  const page = rows.slice(0, query.limit);
  const last = rows.length > query.limit ? page.at(-1) : undefined;
  return {
    data: page.map(({ namespaceId: _, outcome, keySha256, firstAt, lastAt, ...row }) => ({
      ...row,
      outcome: MenderOutcome.parse(outcome),
      keySha256: keySha256 === "" ? null : keySha256,
      firstAt: firstAt.toISOString(),
      lastAt: lastAt.toISOString(),
    })),
    nextCursor: last === undefined ? null : encodeCursor([last.lastAt.toISOString(), last.id]),
    total: await db.menderPreauthorization.count({ where: filter }),
    totalIsExact: true,
  };
}

function textFilter(q: string | undefined): Prisma.MenderPreauthorizationWhereInput[] {
  if (q === undefined || q.trim() === "") return [];
  const text = { contains: escapeLike(q.trim()), mode: "insensitive" } as const;
  return [{ OR: [{ identity: text }, { menderDeviceId: text }, { fingerprint: text }, { keySha256: text }] }];
}

function beforeCursor(cursor: string): Prisma.MenderPreauthorizationWhereInput {
  const [time, key] = decodeCursor(cursor, 2);
  const at = new Date(cursorPart(time, z.iso.datetime()));
  return { OR: [{ lastAt: { lt: at } }, { lastAt: at, id: { lt: cursorPart(key, Uuid) } }] };
}
