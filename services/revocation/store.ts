import type { DbOrTx } from "#lib/db/client.ts";

/** A certificate as its authority's lists see it; `state` is what is in force at the time asked for. */
export type StandingRow = { serialHex: string; state: string; reason: string | null; at: Date };

/**
 * What of an authority no longer counts, or all that it signed when `all` is said: each serial once, by what was decided last.
 * Expired ones stay until `expiredAfter`.
 */
export async function listFallen(
  db: DbOrTx,
  namespaceId: string,
  of: { authorityId: string; now: Date; expiredAfter: Date; all: boolean },
): Promise<StandingRow[]> {
  const now = of.now.toISOString();
  return db.$queryRaw<StandingRow[]>`
    SELECT DISTINCT ON ("serialHex") "serialHex", reason, at,
      CASE WHEN state = 'allowed' AND "graceUntil" <= ${now}::timestamptz THEN 'superseded' ELSE state END AS state
    FROM (
      SELECT "serialHex", state, "graceUntil", "revocationReason" AS reason, "createdAt",
        coalesce(CASE state WHEN 'revoked' THEN "revokedAt" WHEN 'superseded' THEN "graceUntil" WHEN 'allowed' THEN "graceUntil" END,
          "decidedAt", "createdAt") AS at
      FROM device_certificate
      WHERE "namespaceId" = ${namespaceId} AND "authorityId" = ${of.authorityId}::uuid AND "serialHex" IS NOT NULL AND NOT canary
        AND "notAfter" >= ${of.expiredAfter.toISOString()}::timestamptz
        AND (${of.all} OR state IN ('revoked', 'held', 'superseded', 'rejected')
          OR (state = 'allowed' AND "graceUntil" <= ${now}::timestamptz))
    ) AS fallen
    ORDER BY "serialHex", at DESC, "createdAt" DESC`;
}

/** The certificates with these serials, whatever became of them. */
export async function listBySerial(
  db: DbOrTx,
  namespaceId: string,
  of: { authorityId: string; serials: readonly string[]; now: Date },
): Promise<StandingRow[]> {
  const rows = await db.deviceCertificate.findMany({
    where: { namespaceId, authorityId: of.authorityId, serialHex: { in: [...of.serials] }, canary: false },
    select: {
      serialHex: true,
      state: true,
      revocationReason: true,
      revokedAt: true,
      graceUntil: true,
      decidedAt: true,
      createdAt: true,
    },
    orderBy: { createdAt: "desc" },
    take: 200,
  });
  return rows.map((row) => {
    const isOver = row.state === "allowed" && row.graceUntil !== null && row.graceUntil <= of.now;
    const state = isOver ? "superseded" : row.state;
    const since = state === "revoked" ? row.revokedAt : state === "superseded" ? row.graceUntil : null;
    const at = since ?? row.decidedAt ?? row.createdAt;
    return { serialHex: row.serialHex ?? "", state, reason: row.revocationReason, at };
  });
}

/** Whose lists may have to be made anew, when these certificates changed. */
export async function listAuthoritiesOf(
  db: DbOrTx,
  namespaceId: string,
  fingerprints: readonly string[],
): Promise<string[]> {
  const rows = await db.deviceCertificate.groupBy({
    by: ["authorityId"],
    where: { namespaceId, fingerprint: { in: [...fingerprints] }, canary: false, authorityId: { not: null } },
  });
  return rows.flatMap(({ authorityId }) => (authorityId === null ? [] : [authorityId]));
}

export type CrlKind = "full" | "delta";

export type CrlRow = {
  number: bigint;
  baseNumber: bigint | null;
  der: Uint8Array;
  thisUpdate: Date;
  nextUpdate: Date;
};

/** The newest of its kind. */
export async function findCrl(db: DbOrTx, authorityId: string, kind: CrlKind): Promise<CrlRow | null> {
  return db.authorityCrl.findFirst({
    where: { authorityId, kind },
    orderBy: { number: "desc" },
    select: { number: true, baseNumber: true, der: true, thisUpdate: true, nextUpdate: true },
  });
}

/** When the newest complete list was made. */
export async function findThisUpdate(db: DbOrTx, authorityId: string): Promise<Date | null> {
  const row = await db.authorityCrl.findFirst({
    where: { authorityId, kind: "full" },
    orderBy: { number: "desc" },
    select: { thisUpdate: true },
  });
  return row?.thisUpdate ?? null;
}

export async function findFullCrl(db: DbOrTx, authorityId: string, number: bigint): Promise<CrlRow | null> {
  return db.authorityCrl.findUnique({
    where: { authorityId_kind_number: { authorityId, kind: "full", number } },
    select: { number: true, baseNumber: true, der: true, thisUpdate: true, nextUpdate: true },
  });
}

export async function insertCrl(
  db: DbOrTx,
  row: CrlRow & { authorityId: string; kind: CrlKind; createdAt: Date },
): Promise<void> {
  await db.authorityCrl.create({ data: { ...row, der: Uint8Array.from(row.der) }, select: { number: true } });
}

/** Forgets all but the lists with this number and the complete one that a delta of it is based on. */
export async function dropOldCrls(
  db: DbOrTx,
  authorityId: string,
  kept: { number: bigint; baseNumber: bigint | null },
): Promise<void> {
  const numbers = kept.baseNumber === null ? [kept.number] : [kept.number, kept.baseNumber];
  await db.authorityCrl.deleteMany({
    where: {
      authorityId,
      OR: [
        { kind: "full", number: { notIn: numbers } },
        { kind: "delta", number: { not: kept.number } },
      ],
    },
  });
}

export type ResponderRow = {
  id: string;
  certificate: Uint8Array;
  sealedKey: Uint8Array;
  notBefore: Date;
  notAfter: Date;
};

/** The one in force: the newest. */
export async function findResponder(db: DbOrTx, authorityId: string): Promise<ResponderRow | null> {
  return db.ocspResponder.findFirst({
    where: { authorityId },
    orderBy: [{ createdAt: "desc" }, { id: "desc" }],
    select: { id: true, certificate: true, sealedKey: true, notBefore: true, notAfter: true },
  });
}

/** The newest takes over; those that have expired are forgotten. */
export async function insertResponder(
  db: DbOrTx,
  row: ResponderRow & { authorityId: string; createdAt: Date },
): Promise<void> {
  const { authorityId, createdAt } = row;
  await db.ocspResponder.deleteMany({ where: { authorityId, notAfter: { lt: createdAt } } });
  const bytes = { certificate: Uint8Array.from(row.certificate), sealedKey: Uint8Array.from(row.sealedKey) };
  await db.ocspResponder.create({ data: { ...row, ...bytes }, select: { id: true } });
}
