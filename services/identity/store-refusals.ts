import { randomUUID } from "node:crypto";
import { encodeCursor } from "#lib/contracts/console/common.ts";
import type { ListRefusals } from "#lib/contracts/console/refusals.ts";
import type { DbOrTx } from "#lib/db/client.ts";
import type { Prisma } from "#lib/db/generated/client.ts";
import { MOST_REFUSAL_ADDRESSES } from "#lib/domain/refusals.ts";
import { containing, decodeTimeCursor, fingerprintPrefix } from "./list-query.ts";

/** Of a namespace. The part that strangers can't fill is for what our authorities signed, and for those without a certificate. */
const MOST_ROWS = 1_000;
const MOST_STRANGERS = 800;

export type RefusalBatchRow = {
  /** Empty when no certificate was shown or it could not be read. */
  fingerprint: string;
  code: string;
  sentence: string;
  /** For people: since when, by whom. */
  detail: string | null;
  subjectDn: string | null;
  issuerDn: string | null;
  authorityId: string | null;
  /** DER. */
  certificate: Uint8Array | null;
  address: string;
  /** Distinct, the last one first. */
  addresses: readonly string[];
  count: number;
  at: Date;
};

/** Adds attempts in one statement; no two rows of a batch may share fingerprint and code. */
export async function addRefusals(db: DbOrTx, namespaceId: string, given: readonly RefusalBatchRow[]): Promise<void> {
  // In one order, so that two gateways lock the rows they share alike.
  const keyOf = (row: RefusalBatchRow) => `${row.fingerprint}:${row.code}`;
  const batch = [...given].sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
  await db.$executeRaw`
    INSERT INTO refused_attempt (id, "namespaceId", fingerprint, code, sentence, detail, "subjectDn", "issuerDn", "authorityId",
      certificate, address, addresses, count, "firstAt", "lastAt")
    SELECT id, ${namespaceId}, fingerprint, code, sentence, detail, subject, issuer, authority,
      decode(certificate, 'base64'), address, (string_to_array(addresses, ' '))[1:${MOST_REFUSAL_ADDRESSES}], count, at, at
    FROM unnest(
      ${batch.map(() => randomUUID())}::uuid[],
      ${batch.map((row) => row.fingerprint)}::text[],
      ${batch.map((row) => row.code)}::text[],
      ${batch.map((row) => row.sentence)}::text[],
      ${batch.map((row) => row.detail)}::text[],
      ${batch.map((row) => row.subjectDn)}::text[],
      ${batch.map((row) => row.issuerDn)}::text[],
      ${batch.map((row) => row.authorityId)}::uuid[],
      ${batch.map((row) => (row.certificate === null ? null : Buffer.from(row.certificate).toString("base64")))}::text[],
      ${batch.map((row) => row.address)}::text[],
      ${batch.map((row) => row.addresses.join(" "))}::text[],
      ${batch.map((row) => row.count)}::int[],
      ${batch.map((row) => row.at.toISOString())}::timestamptz[]
    ) AS added(id, fingerprint, code, sentence, detail, subject, issuer, authority, certificate, address, addresses, count, at)
    ON CONFLICT ("namespaceId", fingerprint, code) DO UPDATE SET
      count = least(refused_attempt.count::bigint + excluded.count, 2147483647)::int,
      sentence = excluded.sentence,
      detail = excluded.detail,
      "authorityId" = excluded."authorityId",
      certificate = excluded.certificate,
      address = excluded.address,
      addresses = (excluded.addresses || ARRAY(
        SELECT known FROM unnest(refused_attempt.addresses) WITH ORDINALITY AS before(known, place)
        WHERE known <> ALL(excluded.addresses) ORDER BY place
      ))[1:${MOST_REFUSAL_ADDRESSES}],
      "lastAt" = greatest(refused_attempt."lastAt", excluded."lastAt")`;
}

/** Forgets the oldest beyond the caps: a flood of strangers leaves room for the refusals of devices that people look for. */
export async function capRefusals(db: DbOrTx, namespaceId: string): Promise<void> {
  await db.$executeRaw`
    DELETE FROM refused_attempt WHERE id IN (
      SELECT id FROM refused_attempt
      WHERE "namespaceId" = ${namespaceId} AND "authorityId" IS NULL AND fingerprint <> ''
      ORDER BY "lastAt" DESC, id DESC OFFSET ${MOST_STRANGERS}
    )`;
  await db.$executeRaw`
    DELETE FROM refused_attempt WHERE id IN (
      SELECT id FROM refused_attempt WHERE "namespaceId" = ${namespaceId}
      ORDER BY "lastAt" DESC, id DESC OFFSET ${MOST_ROWS}
    )`;
}

export type DecidedRow = {
  fingerprint: string;
  tbsSha256: string | null;
  state: string;
  decidedAt: Date | null;
  decidedBy: string | null;
  revokedAt: Date | null;
  revocationReason: string | null;
  note: string | null;
  graceUntil: Date | null;
};

/** What was decided about certificates of these fingerprints, or with these signed parts. */
export async function listDecided(
  db: DbOrTx,
  namespaceId: string,
  leaves: readonly { fingerprint: string; tbsSha256: string }[],
): Promise<DecidedRow[]> {
  if (leaves.length === 0) return [];
  const fingerprints = leaves.map(({ fingerprint }) => fingerprint);
  const signedParts = leaves.map(({ tbsSha256 }) => tbsSha256);
  return db.deviceCertificate.findMany({
    where: { namespaceId, OR: [{ fingerprint: { in: fingerprints } }, { tbsSha256: { in: signedParts } }] },
    select: {
      fingerprint: true,
      tbsSha256: true,
      state: true,
      decidedAt: true,
      decidedBy: true,
      revokedAt: true,
      revocationReason: true,
      note: true,
      graceUntil: true,
    },
    orderBy: { createdAt: "asc" },
    take: 4_000,
  });
}

const SHARED_COLUMNS = {
  fingerprint: true,
  description: true,
  createdBy: true,
  validFrom: true,
  validUntil: true,
  usesAllowed: true,
  revokedAt: true,
  revokedBy: true,
} as const satisfies Prisma.BootstrapCredentialSelect;

export type SharedRow = Prisma.BootstrapCredentialGetPayload<{ select: typeof SHARED_COLUMNS }>;

/** The shared certificates among these, with which devices register themselves. */
export async function listShared(
  db: DbOrTx,
  namespaceId: string,
  leaves: readonly { fingerprint: string }[],
): Promise<SharedRow[]> {
  if (leaves.length === 0) return [];
  return db.bootstrapCredential.findMany({
    where: { namespaceId, fingerprint: { in: leaves.map(({ fingerprint }) => fingerprint) } },
    select: SHARED_COLUMNS,
    take: 4_000,
  });
}

const COLUMNS = {
  id: true,
  fingerprint: true,
  code: true,
  sentence: true,
  detail: true,
  subjectDn: true,
  issuerDn: true,
  authorityId: true,
  address: true,
  addresses: true,
  count: true,
  firstAt: true,
  lastAt: true,
} as const satisfies Prisma.RefusedAttemptSelect;

export type RefusalRow = Prisma.RefusedAttemptGetPayload<{ select: typeof COLUMNS }>;

export async function listRefusals(
  db: DbOrTx,
  namespaceId: string,
  query: ListRefusals,
): Promise<{ rows: RefusalRow[]; nextCursor: string | null; total: number }> {
  const filter: Prisma.RefusedAttemptWhereInput = {
    namespaceId,
    ...(query.code === undefined ? {} : { code: query.code }),
    ...(query.authorityId === undefined ? {} : { authorityId: query.authorityId }),
    AND: textFilter(query.q),
  };
  const found = await db.refusedAttempt.findMany({
    where: query.cursor === undefined ? filter : { AND: [filter, beforeCursor(query.cursor)] },
    orderBy: [{ lastAt: "desc" }, { id: "desc" }],
    take: query.limit + 1,
    select: COLUMNS,
  });
  const rows = found.slice(0, query.limit);
  const last = found.length > query.limit ? rows.at(-1) : undefined;
  return {
    rows,
    nextCursor: last === undefined ? null : encodeCursor([last.lastAt.toISOString(), last.id]),
    total: await db.refusedAttempt.count({ where: filter }),
  };
}

export async function findRefusal(
  db: DbOrTx,
  namespaceId: string,
  id: string,
): Promise<(RefusalRow & { certificate: Uint8Array | null }) | null> {
  return db.refusedAttempt.findFirst({ where: { namespaceId, id }, select: { ...COLUMNS, certificate: true } });
}

export async function countRefusals(db: DbOrTx, namespaceId: string, since: Date): Promise<number> {
  return db.refusedAttempt.count({ where: { namespaceId, lastAt: { gte: since } } });
}

function textFilter(q: string | undefined): Prisma.RefusedAttemptWhereInput[] {
  if (q === undefined || q.trim() === "") return [];
  const text = containing(q);
  const prefix = fingerprintPrefix(q);
  const columns = [
    { subjectDn: text },
    { issuerDn: text },
    { code: text },
    { address: text },
    { addresses: { has: q.trim() } },
  ];
  return [{ OR: prefix === null ? columns : [...columns, { fingerprint: { startsWith: prefix } }] }];
}

function beforeCursor(cursor: string): Prisma.RefusedAttemptWhereInput {
  const { at, key } = decodeTimeCursor(cursor, /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
  return { OR: [{ lastAt: { lt: at } }, { lastAt: at, id: { lt: key } }] };
}
