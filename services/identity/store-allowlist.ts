import type { ListAllowlist } from "#lib/contracts/console/allowlist.ts";
import type { DbOrTx, Tx } from "#lib/db/client.ts";
import type { Prisma } from "#lib/db/generated/client.ts";
import { NEWEST_FIRST, olderThan, toNewestPage } from "#lib/db/newest-first.ts";
import type { AllowlistKey } from "#lib/pki/allowlist-value.ts";
import { containing, fingerprintPrefix } from "./list-query.ts";

export type AllowlistRow = {
  id: string;
  kind: string;
  value: string;
  scope: string;
  name: string | null;
  hardwareId: string | null;
  groupId: string | null;
  tags: Prisma.JsonValue;
  note: string | null;
  expiresAt: Date | null;
  usedAt: Date | null;
  usedBy: string | null;
  createdAt: Date;
  createdBy: string;
};

const COLUMNS = {
  id: true,
  kind: true,
  value: true,
  scope: true,
  name: true,
  hardwareId: true,
  groupId: true,
  tags: true,
  note: true,
  expiresAt: true,
  usedAt: true,
  usedBy: true,
  createdAt: true,
  createdBy: true,
} as const satisfies Prisma.AllowlistEntrySelect;

export type NewEntry = AllowlistKey & {
  id: string;
  name: string | null;
  hardwareId: string | null;
  groupId: string | null;
  tags: Readonly<Record<string, string>>;
  note: string | null;
  expiresAt: Date | null;
};

/** The entry that lets a certificate with these keys in: the first of them, in their order, that is neither used nor expired. */
export async function findUsableEntry(
  db: DbOrTx,
  namespaceId: string,
  of: { keys: readonly AllowlistKey[]; now: Date },
): Promise<AllowlistRow | null> {
  const rows = await db.allowlistEntry.findMany({
    where: {
      namespaceId,
      usedBy: null,
      OR: of.keys.map(({ kind, scope, value }) => ({ kind, scope, value })),
      AND: { OR: [{ expiresAt: null }, { expiresAt: { gt: of.now } }] },
    },
    take: of.keys.length,
    select: COLUMNS,
  });
  const order = of.keys.map(({ kind }): string => kind);
  return rows.sort((a, b) => order.indexOf(a.kind) - order.indexOf(b.kind))[0] ?? null;
}

/** Uses an entry up, in one statement: of two who come with it the second finds nothing to change. @returns false for that one */
export async function takeEntry(
  tx: Tx,
  namespaceId: string,
  use: { id: string; fingerprint: string; at: Date },
): Promise<boolean> {
  const { count } = await tx.allowlistEntry.updateMany({
    where: {
      namespaceId,
      id: use.id,
      usedBy: null,
      OR: [{ expiresAt: null }, { expiresAt: { gt: use.at } }],
    },
    data: { usedBy: use.fingerprint, usedAt: use.at },
  });
  return count === 1;
}

export async function findByKey(db: DbOrTx, namespaceId: string, key: AllowlistKey): Promise<AllowlistRow | null> {
  return db.allowlistEntry.findUnique({
    where: { namespaceId_kind_scope_value: { namespaceId, ...key } },
    select: COLUMNS,
  });
}

/** Adds a batch in one statement with one parameter, whatever its length. @returns how many of them were new */
export async function insertEntries(
  tx: Tx,
  namespaceId: string,
  given: { entries: readonly NewEntry[]; createdAt: Date; createdBy: string },
): Promise<number> {
  const { createdAt, createdBy } = given;
  return tx.$executeRaw`
    INSERT INTO allowlist_entry (id, "namespaceId", kind, value, scope, name, "hardwareId", "groupId", tags, note, "expiresAt",
      "createdAt", "createdBy")
    SELECT id, ${namespaceId}, kind, value, scope, name, "hardwareId", "groupId", tags, note, "expiresAt",
      ${createdAt.toISOString()}::timestamptz, ${createdBy}
    FROM jsonb_to_recordset(${JSON.stringify(given.entries)}::jsonb) AS entry(id uuid, kind text, value text, scope text, name text,
      "hardwareId" text, "groupId" uuid, tags jsonb, note text, "expiresAt" timestamptz)
    ON CONFLICT ("namespaceId", kind, scope, value) DO NOTHING`;
}

/** How many of these keys are on the list, used or not. */
export async function countKnown(db: DbOrTx, namespaceId: string, keys: readonly AllowlistKey[]): Promise<number> {
  const rows = await db.$queryRaw<{ count: number }[]>`
    SELECT count(*)::int AS count FROM allowlist_entry
    JOIN unnest(${keys.map(({ kind }) => kind)}::text[], ${keys.map(({ scope }) => scope)}::text[],
      ${keys.map(({ value }) => value)}::text[]) AS given(kind, scope, value) USING (kind, scope, value)
    WHERE "namespaceId" = ${namespaceId}`;
  return rows[0]?.count ?? 0;
}

/** @returns what was removed */
export async function deleteEntry(tx: Tx, namespaceId: string, id: string): Promise<AllowlistRow | null> {
  const found = await tx.allowlistEntry.findFirst({ where: { namespaceId, id }, select: COLUMNS });
  const { count } = await tx.allowlistEntry.deleteMany({ where: { namespaceId, id } });
  return count === 1 ? found : null;
}

export async function listEntries(
  db: DbOrTx,
  namespaceId: string,
  query: ListAllowlist & { now: Date },
): Promise<{ rows: AllowlistRow[]; nextCursor: string | null; total: number }> {
  const filter: Prisma.AllowlistEntryWhereInput = {
    namespaceId,
    ...(query.kind === undefined ? {} : { kind: query.kind }),
    AND: [...usageFilter(query.use, query.now), ...textFilter(query.q)],
  };
  const found = await db.allowlistEntry.findMany({
    where: { AND: [filter, olderThan(query.cursor)] },
    orderBy: NEWEST_FIRST,
    take: query.limit + 1,
    select: COLUMNS,
  });
  return { ...toNewestPage(found, query.limit), total: await db.allowlistEntry.count({ where: filter }) };
}

/** A waiting certificate that an entry of this kind names exactly. */
export async function findWaiting(
  db: DbOrTx,
  namespaceId: string,
  key: { kind: string; value: string },
): Promise<string | null> {
  if (key.kind !== "fingerprint" && key.kind !== "spki") return null;
  const named = key.kind === "fingerprint" ? { fingerprint: key.value } : { spkiSha256: key.value };
  const row = await db.deviceCertificate.findFirst({
    where: { namespaceId, state: "pending", ...named },
    orderBy: { createdAt: "asc" },
    select: { fingerprint: true },
  });
  return row?.fingerprint ?? null;
}

function usageFilter(use: ListAllowlist["use"], now: Date): Prisma.AllowlistEntryWhereInput[] {
  if (use === "used") return [{ usedBy: { not: null } }];
  if (use === "expired") return [{ usedBy: null, expiresAt: { lte: now } }];
  return use === "unused" ? [{ usedBy: null, OR: [{ expiresAt: null }, { expiresAt: { gt: now } }] }] : [];
}

function textFilter(q: string | undefined): Prisma.AllowlistEntryWhereInput[] {
  if (q === undefined || q.trim() === "") return [];
  const text = containing(q);
  const prefix = fingerprintPrefix(q);
  const columns = [{ name: text }, { hardwareId: text }, { note: text }, { kind: "subject", value: text }];
  return [{ OR: prefix === null ? columns : [...columns, { value: { startsWith: prefix } }] }];
}
