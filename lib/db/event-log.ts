import { z } from "zod";
import type { DbOrTx } from "#lib/db/client.ts";

export type StoredEvent = { id: string; topic: string; subjectId: string };

const EventId = z.string().regex(/^\d{1,18}$/);

/**
 * Ids are given out before transactions commit, so an event with a smaller id may appear after one with a greater one. Reading from
 * this far before the last one seen catches it; seeing an event twice only makes a page ask once more.
 */
const OVERLAP = 200n;

/** @returns null for text that is no event id */
export function parseEventId(text: string | null): bigint | null {
  const parsed = EventId.safeParse(text);
  return parsed.success ? BigInt(parsed.data) : null;
}

export async function readLatestEventId(db: DbOrTx, namespaceId: string): Promise<bigint> {
  const row = await db.consoleEvent.findFirst({
    where: { namespaceId },
    orderBy: { id: "desc" },
    select: { id: true },
  });
  return row?.id ?? 0n;
}

/** What a stream missed that last saw `lastId`. @returns null when that is more than `limit`, or no longer all there */
export async function readMissedEvents(
  db: DbOrTx,
  namespaceId: string,
  { lastId, limit }: { lastId: bigint; limit: number },
): Promise<StoredEvent[] | null> {
  const [first, rows] = await Promise.all([
    db.consoleEvent.findFirst({ orderBy: { id: "asc" }, select: { id: true } }),
    db.consoleEvent.findMany({
      where: { namespaceId, id: { gt: lastId - OVERLAP } },
      orderBy: { id: "asc" },
      take: limit + 1,
      select: { id: true, topic: true, subjectId: true },
    }),
  ]);
  // What is older than the oldest row was pruned: nobody knows what was in between.
  const pruned = first === null ? lastId > 0n : first.id > lastId + 1n;
  if (pruned || rows.length > limit) return null;
  return rows.map(({ id, topic, subjectId }) => ({ id: id.toString(), topic, subjectId }));
}
