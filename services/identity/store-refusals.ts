import { randomUUID } from "node:crypto";
import type { ListRefusals, Refusal } from "#lib/contracts/console/certificates.ts";
import { encodeCursor, type Page } from "#lib/contracts/console/common.ts";
import type { DbOrTx } from "#lib/db/client.ts";
import type { Prisma } from "#lib/db/generated/client.ts";
import { containing, decodeTimeCursor, fingerprintPrefix } from "./list-query.ts";

export const MAX_REFUSALS = 1_000;

export type RefusalBatchRow = {
  /** Empty when no certificate was shown or it could not be read. */
  fingerprint: string;
  code: string;
  sentence: string;
  subjectDn: string | null;
  issuerDn: string | null;
  address: string;
  count: number;
  at: Date;
};

/** Adds attempts in one statement; no two rows of a batch may share fingerprint and code. */
export async function addRefusals(db: DbOrTx, namespaceId: string, given: readonly RefusalBatchRow[]): Promise<void> {
  // In one order, so that two gateways lock the rows they share alike.
  const keyOf = (row: RefusalBatchRow) => `${row.fingerprint}:${row.code}`;
  const batch = [...given].sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
  await db.$executeRaw`
    INSERT INTO refused_attempt
      (id, "namespaceId", fingerprint, code, sentence, "subjectDn", "issuerDn", address, count, "firstAt", "lastAt")
    SELECT id, ${namespaceId}, fingerprint, code, sentence, subject, issuer, address, count, at, at FROM unnest(
      ${batch.map(() => randomUUID())}::uuid[],
      ${batch.map((row) => row.fingerprint)}::text[],
      ${batch.map((row) => row.code)}::text[],
      ${batch.map((row) => row.sentence)}::text[],
      ${batch.map((row) => row.subjectDn)}::text[],
      ${batch.map((row) => row.issuerDn)}::text[],
      ${batch.map((row) => row.address)}::text[],
      ${batch.map((row) => row.count)}::int[],
      ${batch.map((row) => row.at.toISOString())}::timestamptz[]
    ) AS added(id, fingerprint, code, sentence, subject, issuer, address, count, at)
    ON CONFLICT ("namespaceId", fingerprint, code) DO UPDATE SET
      count = least(refused_attempt.count::bigint + excluded.count, 2147483647)::int,
      sentence = excluded.sentence,
      address = excluded.address,
      "lastAt" = greatest(refused_attempt."lastAt", excluded."lastAt")`;
}

/** Forgets the oldest beyond the cap. */
export async function capRefusals(db: DbOrTx, namespaceId: string): Promise<void> {
  await db.$executeRaw`
    DELETE FROM refused_attempt WHERE id IN (
      SELECT id FROM refused_attempt WHERE "namespaceId" = ${namespaceId}
      ORDER BY "lastAt" DESC, id DESC OFFSET ${MAX_REFUSALS}
    )`;
}

export async function listRefusals(db: DbOrTx, namespaceId: string, query: ListRefusals): Promise<Page<Refusal>> {
  const filter: Prisma.RefusedAttemptWhereInput = { namespaceId, AND: textFilter(query.q) };
  const rows = await db.refusedAttempt.findMany({
    where: query.cursor === undefined ? filter : { AND: [filter, beforeCursor(query.cursor)] },
    orderBy: [{ lastAt: "desc" }, { id: "desc" }],
    take: query.limit + 1,
  });
  const page = rows.slice(0, query.limit);
  const last = rows.length > query.limit ? page.at(-1) : undefined;
  return {
    data: page.map((row) => ({
      id: row.id,
      fingerprint: row.fingerprint === "" ? null : row.fingerprint,
      code: row.code,
      sentence: row.sentence,
      subject: row.subjectDn,
      issuer: row.issuerDn,
      address: row.address,
      count: row.count,
      firstAt: row.firstAt.toISOString(),
      lastAt: row.lastAt.toISOString(),
    })),
    nextCursor: last === undefined ? null : encodeCursor([last.lastAt.toISOString(), last.id]),
    total: await db.refusedAttempt.count({ where: filter }),
    totalIsExact: true,
  };
}

export async function countRefusals(db: DbOrTx, namespaceId: string, since: Date): Promise<number> {
  return db.refusedAttempt.count({ where: { namespaceId, lastAt: { gte: since } } });
}

function textFilter(q: string | undefined): Prisma.RefusedAttemptWhereInput[] {
  if (q === undefined || q.trim() === "") return [];
  const text = containing(q);
  const prefix = fingerprintPrefix(q);
  const columns = [{ subjectDn: text }, { issuerDn: text }, { code: text }, { address: text }];
  return [{ OR: prefix === null ? columns : [...columns, { fingerprint: { startsWith: prefix } }] }];
}

function beforeCursor(cursor: string): Prisma.RefusedAttemptWhereInput {
  const { at, key } = decodeTimeCursor(cursor, /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
  return { OR: [{ lastAt: { lt: at } }, { lastAt: at, id: { lt: key } }] };
}
