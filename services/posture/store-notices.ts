import { randomUUID } from "node:crypto";
import { cursorPart, decodeCursor, encodeCursor, Instant, Uuid } from "#lib/contracts/console/common.ts";
import type { ListNotices, NoticeKind, NoticeState } from "#lib/contracts/console/notices.ts";
import type { DbOrTx } from "#lib/db/client.ts";
import type { Prisma } from "#lib/db/generated/client.ts";

/** What is true now; `kind`, `subject` and `threshold` say whether people were told of it. */
export type CurrentNotice = { kind: NoticeKind; subject: string; threshold: string; text: string; href: string };

/** Tells what became true, anew when it was settled before, and brings the words up to date. @returns how many changed */
export async function keepNotices(
  db: DbOrTx,
  namespaceId: string,
  { current, now }: { current: readonly CurrentNotice[]; now: Date },
): Promise<number> {
  return db.$executeRaw`
    INSERT INTO notice AS told (id, "namespaceId", kind, subject, threshold, text, href, at)
    SELECT id, ${namespaceId}, kind, subject, threshold, text, href, ${now}::timestamptz FROM unnest(
      ${current.map(() => randomUUID())}::uuid[],
      ${current.map(({ kind }) => kind)}::text[],
      ${current.map(({ subject }) => subject)}::text[],
      ${current.map(({ threshold }) => threshold)}::text[],
      ${current.map(({ text }) => text)}::text[],
      ${current.map(({ href }) => href)}::text[]
    ) AS true_now(id, kind, subject, threshold, text, href)
    ON CONFLICT ("namespaceId", kind, subject, threshold) DO UPDATE SET text = excluded.text, href = excluded.href,
      at = CASE WHEN told."settledAt" IS NULL THEN told.at ELSE excluded.at END,
      "acknowledgedAt" = CASE WHEN told."settledAt" IS NULL THEN told."acknowledgedAt" END,
      "acknowledgedBy" = CASE WHEN told."settledAt" IS NULL THEN told."acknowledgedBy" END, "settledAt" = NULL
    WHERE told."settledAt" IS NOT NULL OR told.text <> excluded.text OR told.href <> excluded.href`;
}

/** Settles what is no longer true of these kinds. @returns how many */
export async function settleOthers(
  db: DbOrTx,
  namespaceId: string,
  { current, kinds, now }: { current: readonly CurrentNotice[]; kinds: readonly NoticeKind[]; now: Date },
): Promise<number> {
  return db.$executeRaw`
    UPDATE notice SET "settledAt" = ${now}::timestamptz
    WHERE "namespaceId" = ${namespaceId} AND kind = ANY(${[...kinds]}::text[]) AND "settledAt" IS NULL
      AND (kind, subject, threshold) NOT IN (SELECT kind, subject, threshold FROM unnest(
        ${current.map(({ kind }) => kind)}::text[],
        ${current.map(({ subject }) => subject)}::text[],
        ${current.map(({ threshold }) => threshold)}::text[]
      ) AS true_now(kind, subject, threshold))`;
}

const COLUMNS = {
  id: true,
  kind: true,
  subject: true,
  threshold: true,
  text: true,
  href: true,
  at: true,
  settledAt: true,
  acknowledgedAt: true,
  acknowledgedBy: true,
} as const satisfies Prisma.NoticeSelect;

export type NoticeRow = Prisma.NoticeGetPayload<{ select: typeof COLUMNS }>;

/** @throws AppError `request.invalid` (a cursor that is not ours) */
export async function listNoticeRows(
  db: DbOrTx,
  namespaceId: string,
  { query, kinds }: { query: ListNotices; kinds: readonly NoticeKind[] },
): Promise<{ rows: NoticeRow[]; nextCursor: string | null; total: number }> {
  const filter: Prisma.NoticeWhereInput = {
    namespaceId,
    kind: { in: [...kinds] },
    ...(query.state === undefined ? {} : IN_STATE[query.state]),
  };
  const [found, total] = await Promise.all([
    db.notice.findMany({
      where: query.cursor === undefined ? filter : { AND: [filter, beforeCursor(query.cursor)] },
      orderBy: [{ at: "desc" }, { id: "desc" }],
      take: query.limit + 1,
      select: COLUMNS,
    }),
    db.notice.count({ where: filter }),
  ]);
  const rows = found.slice(0, query.limit);
  const last = found.length > query.limit ? rows.at(-1) : undefined;
  return {
    rows,
    nextCursor: last === undefined ? null : encodeCursor([last.at.toISOString(), last.id]),
    total,
  };
}

const IN_STATE: Readonly<Record<NoticeState, Prisma.NoticeWhereInput>> = {
  open: { settledAt: null, acknowledgedAt: null },
  acknowledged: { settledAt: null, acknowledgedAt: { not: null } },
  settled: { settledAt: { not: null } },
};

/** @returns false when somebody did already, when it is settled, or not there */
export async function acknowledge(
  db: DbOrTx,
  namespaceId: string,
  of: { id: string; at: Date; by: string },
): Promise<boolean> {
  const { count } = await db.notice.updateMany({
    where: { namespaceId, id: of.id, settledAt: null, acknowledgedAt: null },
    data: { acknowledgedAt: of.at, acknowledgedBy: of.by },
  });
  return count === 1;
}

export async function findNotice(
  db: DbOrTx,
  namespaceId: string,
  of: { id: string; kinds: readonly NoticeKind[] },
): Promise<NoticeRow | null> {
  return db.notice.findFirst({ where: { namespaceId, id: of.id, kind: { in: [...of.kinds] } }, select: COLUMNS });
}

function beforeCursor(cursor: string): Prisma.NoticeWhereInput {
  const [time, key] = decodeCursor(cursor, 2);
  const at = new Date(cursorPart(time, Instant));
  return { OR: [{ at: { lt: at } }, { at, id: { lt: cursorPart(key, Uuid) } }] };
}

/** Authorities that end before `until` or have ended; those that people withdrew need no renewal. */
export async function listEndingAuthorities(
  db: DbOrTx,
  namespaceId: string,
  until: Date,
): Promise<{ id: string; name: string; notAfter: Date }[]> {
  return db.authority.findMany({
    where: {
      namespaceId,
      kind: { in: ["fleet", "bootstrap"] },
      state: { in: ["open", "closed"] },
      provedAt: { not: null },
      notAfter: { lt: until },
    },
    orderBy: [{ notAfter: "asc" }, { id: "asc" }],
    take: 200,
    select: { id: true, name: true, notAfter: true },
  });
}

export async function countWaitingSince(db: DbOrTx, namespaceId: string, before: Date): Promise<number> {
  return db.deviceCertificate.count({
    where: { namespaceId, state: "pending", canary: false, createdAt: { lt: before } },
  });
}

/** Open campaigns past their day. */
export async function listDueCampaigns(
  db: DbOrTx,
  namespaceId: string,
  now: Date,
): Promise<{ id: string; name: string }[]> {
  return db.renewalCampaign.findMany({
    where: { namespaceId, closedAt: null, dueAt: { lt: now } },
    orderBy: [{ createdAt: "desc" }, { id: "desc" }],
    take: 50,
    select: { id: true, name: true },
  });
}
