import type { CertificateState, ListCertificates } from "#lib/contracts/console/certificates.ts";
import { encodeCursor } from "#lib/contracts/console/common.ts";
import type { DbOrTx, Tx } from "#lib/db/client.ts";
import type { Prisma } from "#lib/db/generated/client.ts";
import type { CertificateFacts } from "#lib/pki/certificates.ts";
import { containing, decodeTimeCursor, fingerprintPrefix } from "./list-query.ts";

/** What is stored; `expired` is derived from `allowed` and notAfter. */
export type StoredState = Exclude<CertificateState, "expired">;

export type CertificateRow = {
  fingerprint: string;
  tbsSha256: string | null;
  deviceUuid: string | null;
  authorityId: string | null;
  subjectDn: string | null;
  issuerDn: string | null;
  serialHex: string | null;
  /** DER; null only where one was revoked before it was ever seen. */
  certificate: Uint8Array | null;
  spkiSha256: string | null;
  keyType: string | null;
  notBefore: Date | null;
  notAfter: Date | null;
  state: StoredState;
  /** Allowed until then, because a newer one took its place. */
  graceUntil: Date | null;
  /** Fingerprint of the certificate that asked for this one. */
  renewalOf: string | null;
  revokedAt: Date | null;
  /** Its first visit that was let in. */
  admittedAt: Date | null;
  name: string | null;
  hardwareId: string | null;
  note: string | null;
  revocationReason: string | null;
  issuedHere: boolean;
  simulated: boolean;
  firstSeenAt: Date | null;
  lastSeenAt: Date | null;
  lastAddress: string | null;
  createdAt: Date;
  decidedAt: Date | null;
  decidedBy: string | null;
};

const COLUMNS = {
  fingerprint: true,
  tbsSha256: true,
  deviceUuid: true,
  authorityId: true,
  subjectDn: true,
  issuerDn: true,
  serialHex: true,
  certificate: true,
  spkiSha256: true,
  keyType: true,
  notBefore: true,
  notAfter: true,
  state: true,
  graceUntil: true,
  renewalOf: true,
  revokedAt: true,
  admittedAt: true,
  name: true,
  hardwareId: true,
  note: true,
  revocationReason: true,
  issuedHere: true,
  simulated: true,
  firstSeenAt: true,
  lastSeenAt: true,
  lastAddress: true,
  createdAt: true,
  decidedAt: true,
  decidedBy: true,
} as const satisfies Prisma.DeviceCertificateSelect;

const STATES: ReadonlySet<string> = new Set(["pending", "allowed", "held", "superseded", "revoked", "rejected"]);

export async function findCertificate(
  db: DbOrTx,
  namespaceId: string,
  fingerprint: string,
): Promise<CertificateRow | null> {
  const row = await db.deviceCertificate.findUnique({
    where: { namespaceId_fingerprint: { namespaceId, fingerprint }, canary: false },
    select: COLUMNS,
  });
  return row === null ? null : toRow(row);
}

/** Keeps the row from the sweeps, which pass over what is held, until the transaction ends. */
export async function holdCertificate(tx: Tx, namespaceId: string, fingerprint: string): Promise<void> {
  await tx.$executeRaw`
    SELECT 1 FROM device_certificate WHERE "namespaceId" = ${namespaceId} AND fingerprint = ${fingerprint} FOR UPDATE`;
}

/** The record of the certificate itself or, failing that, of another encoding of the same signed part. */
export async function findByIdentity(
  db: DbOrTx,
  namespaceId: string,
  identity: { fingerprint: string; tbsSha256: string },
): Promise<CertificateRow | null> {
  const rows = await db.deviceCertificate.findMany({
    where: { namespaceId, OR: [{ fingerprint: identity.fingerprint }, { tbsSha256: identity.tbsSha256 }] },
    select: COLUMNS,
    orderBy: { createdAt: "asc" },
    take: 10,
  });
  const row = rows.find(({ fingerprint }) => fingerprint === identity.fingerprint) ?? rows[0];
  return row === undefined ? null : toRow(row);
}

export type StandingRow = Pick<
  CertificateRow,
  "fingerprint" | "tbsSha256" | "state" | "graceUntil" | "renewalOf" | "admittedAt"
>;

/** The records of any number of certificates and of other encodings of their signed parts, the oldest first. */
export async function listByIdentity(
  db: DbOrTx,
  namespaceId: string,
  identities: readonly { fingerprint: string; tbsSha256: string }[],
): Promise<StandingRow[]> {
  const rows = await db.$queryRaw<(Omit<StandingRow, "state"> & { state: string })[]>`
    SELECT fingerprint, "tbsSha256", state, "graceUntil", "renewalOf", "admittedAt" FROM device_certificate
    WHERE "namespaceId" = ${namespaceId} AND (
      fingerprint = ANY(${identities.map(({ fingerprint }) => fingerprint)}::text[])
      OR "tbsSha256" = ANY(${identities.map(({ tbsSha256 }) => tbsSha256)}::text[]))
    ORDER BY "createdAt"`;
  return rows.map((row) => ({ ...row, state: stateOf(row.state) }));
}

/** Another certificate that holds the device's place: allowed, not in its grace and no renewal that waits for its first use. */
export async function findOtherAllowed(
  db: DbOrTx,
  namespaceId: string,
  certificate: { deviceUuid: string; fingerprint: string },
): Promise<{ fingerprint: string; notAfter: Date | null } | null> {
  return db.deviceCertificate.findFirst({
    where: {
      namespaceId,
      deviceUuid: certificate.deviceUuid,
      state: "allowed",
      graceUntil: null,
      OR: [{ renewalOf: null }, { admittedAt: { not: null } }],
      fingerprint: { not: certificate.fingerprint },
    },
    select: { fingerprint: true, notAfter: true },
  });
}

/** Ends the place of a device's other certificates at `graceUntil`. @returns the fingerprints of those that had it */
export async function endOthers(
  db: DbOrTx,
  namespaceId: string,
  change: { deviceUuid: string; fingerprint: string; graceUntil: Date },
): Promise<string[]> {
  const rows = await db.$queryRaw<{ fingerprint: string }[]>`
    UPDATE device_certificate SET "graceUntil" = ${change.graceUntil.toISOString()}::timestamptz
    WHERE "namespaceId" = ${namespaceId} AND "deviceUuid" = ${change.deviceUuid}::uuid AND state = 'allowed'
      AND fingerprint <> ${change.fingerprint} AND "graceUntil" IS NULL
    RETURNING fingerprint`;
  return rows.map(({ fingerprint }) => fingerprint);
}

/** How many certificates of an authority came for the first time since then, or were issued to devices that enrolled by themselves. */
export async function countNewcomers(
  db: DbOrTx,
  namespaceId: string,
  of: { authorityId: string; since: Date },
): Promise<number> {
  return db.deviceCertificate.count({
    where: {
      namespaceId,
      authorityId: of.authorityId,
      createdAt: { gte: of.since },
      OR: [{ issuedHere: false }, { enrolledWith: { not: null } }],
    },
  });
}

/** Every certificate of these common names, for warnings and deletions. */
export async function listOfDevices(
  db: DbOrTx,
  namespaceId: string,
  deviceUuids: readonly string[],
): Promise<CertificateRow[]> {
  if (deviceUuids.length === 0) return [];
  const rows = await db.deviceCertificate.findMany({
    where: { namespaceId, deviceUuid: { in: [...deviceUuids] } },
    select: COLUMNS,
    orderBy: { createdAt: "desc" },
    take: 2_000,
  });
  return rows.map(toRow);
}

export type NewCertificate = {
  facts: CertificateFacts | null;
  fingerprint: string;
  deviceUuid: string | null;
  authorityId: string | null;
  state: StoredState;
  name: string | null;
  hardwareId: string | null;
  note: string | null;
  issuedHere: boolean;
  simulated: boolean;
  createdAt: Date;
  seen: { at: Date; address: string } | null;
  decided: { at: Date; by: string } | null;
  /** Fingerprint of the certificate that asked for this one. */
  renewalOf?: string;
  /** The enrolment token or shared credential with which its device came by itself. */
  enrolledWith?: string;
};

/** @returns false when the fingerprint already has a row */
export async function insertCertificate(db: DbOrTx, namespaceId: string, row: NewCertificate): Promise<boolean> {
  const { count } = await db.deviceCertificate.createMany({
    data: [
      {
        namespaceId,
        fingerprint: row.fingerprint,
        deviceUuid: row.deviceUuid,
        authorityId: row.authorityId,
        ...(row.facts === null ? {} : factColumns(row.facts)),
        state: row.state,
        name: row.name,
        hardwareId: row.hardwareId,
        note: row.note,
        issuedHere: row.issuedHere,
        simulated: row.simulated,
        createdAt: row.createdAt,
        firstSeenAt: row.seen?.at ?? null,
        lastSeenAt: row.seen?.at ?? null,
        lastAddress: row.seen?.address ?? null,
        decidedAt: row.decided?.at ?? null,
        decidedBy: row.decided?.by ?? null,
        renewalOf: row.renewalOf ?? null,
        enrolledWith: row.enrolledWith ?? null,
      },
    ],
    skipDuplicates: true,
  });
  return count === 1;
}

export type CertificateChange = Partial<
  Pick<
    CertificateRow,
    | "state"
    | "name"
    | "hardwareId"
    | "note"
    | "revocationReason"
    | "decidedAt"
    | "decidedBy"
    | "deviceUuid"
    | "authorityId"
    | "simulated"
    | "graceUntil"
    | "revokedAt"
    | "admittedAt"
  >
> & { facts?: CertificateFacts; seen?: { at: Date; address: string } };

/** Call it under the certificate's lock: it does not look at the state it replaces. */
export async function changeCertificate(
  db: DbOrTx,
  namespaceId: string,
  target: { fingerprint: string; change: CertificateChange },
): Promise<CertificateRow> {
  const { facts, seen, ...columns } = target.change;
  const row = await db.deviceCertificate.update({
    where: { namespaceId_fingerprint: { namespaceId, fingerprint: target.fingerprint } },
    data: {
      ...columns,
      ...(facts === undefined ? {} : factColumns(facts)),
      ...(seen === undefined ? {} : { firstSeenAt: seen.at, lastSeenAt: seen.at, lastAddress: seen.address }),
    },
    select: COLUMNS,
  });
  return toRow(row);
}

export async function listCertificates(
  db: DbOrTx,
  namespaceId: string,
  query: ListCertificates & { now: Date; states?: readonly StoredState[] },
): Promise<{ rows: CertificateRow[]; nextCursor: string | null; total: number }> {
  const filter: Prisma.DeviceCertificateWhereInput = {
    namespaceId,
    canary: false,
    ...(query.deviceUuid === undefined ? {} : { deviceUuid: query.deviceUuid }),
    ...(query.authorityId === undefined ? {} : { authorityId: query.authorityId }),
    ...(query.keyType === undefined ? {} : { keyType: query.keyType }),
    ...(query.endsBefore === undefined ? {} : { notAfter: { lt: new Date(query.endsBefore) } }),
    AND: [...stateFilter(query.state, query.now), ...textFilter(query.q), ...statesFilter(query.states)],
  };
  const ascending = query.sort === "createdAt";
  const found = await db.deviceCertificate.findMany({
    where: query.cursor === undefined ? filter : { AND: [filter, afterCursor(query.cursor, ascending)] },
    orderBy: ascending
      ? [{ createdAt: "asc" }, { fingerprint: "asc" }]
      : [{ createdAt: "desc" }, { fingerprint: "desc" }],
    take: query.limit + 1,
    select: COLUMNS,
  });
  const rows = found.slice(0, query.limit).map(toRow);
  const last = found.length > query.limit ? rows.at(-1) : undefined;
  return {
    rows,
    nextCursor: last === undefined ? null : encodeCursor([last.createdAt.toISOString(), last.fingerprint]),
    total: await db.deviceCertificate.count({ where: filter }),
  };
}

export async function countPending(db: DbOrTx, namespaceId: string): Promise<{ count: number; oldestAt: Date | null }> {
  const found = await db.deviceCertificate.aggregate({
    where: { namespaceId, state: "pending" },
    _count: true,
    _min: { createdAt: true },
  });
  return { count: found._count, oldestAt: found._min.createdAt };
}

/** Allowed certificates that end before `until` and have not ended yet. */
export async function countExpiring(
  db: DbOrTx,
  namespaceId: string,
  span: { now: Date; until: Date },
): Promise<number> {
  return db.deviceCertificate.count({
    where: { namespaceId, canary: false, state: "allowed", notAfter: { gte: span.now, lt: span.until } },
  });
}

function stateFilter(state: CertificateState | undefined, now: Date): Prisma.DeviceCertificateWhereInput[] {
  if (state === undefined) return [];
  if (state === "expired") return [{ state: "allowed", notAfter: { lt: now } }];
  if (state === "allowed") return [{ state, OR: [{ notAfter: null }, { notAfter: { gte: now } }] }];
  return [{ state }];
}

function statesFilter(states: readonly StoredState[] | undefined): Prisma.DeviceCertificateWhereInput[] {
  return states === undefined ? [] : [{ state: { in: [...states] } }];
}

function textFilter(q: string | undefined): Prisma.DeviceCertificateWhereInput[] {
  if (q === undefined || q.trim() === "") return [];
  const text = containing(q);
  const prefix = fingerprintPrefix(q);
  const columns = [{ name: text }, { subjectDn: text }, { hardwareId: text }, { note: text }];
  return [{ OR: prefix === null ? columns : [...columns, { fingerprint: { startsWith: prefix } }] }];
}

function afterCursor(cursor: string, ascending: boolean): Prisma.DeviceCertificateWhereInput {
  const { at, key } = decodeTimeCursor(cursor, /^[0-9a-f]{64}$/);
  const beyond = ascending ? "gt" : "lt";
  return { OR: [{ createdAt: { [beyond]: at } }, { createdAt: at, fingerprint: { [beyond]: key } }] };
}

function factColumns(facts: CertificateFacts) {
  return {
    tbsSha256: facts.tbsSha256,
    subjectDn: facts.subjectDn,
    issuerDn: facts.issuerDn,
    serialHex: facts.serialHex,
    certificate: Uint8Array.from(facts.der),
    spkiSha256: facts.spkiSha256,
    keyType: facts.key.type,
    notBefore: facts.notBefore,
    notAfter: facts.notAfter,
  };
}

/** A state written by a later version admits nobody here. */
function toRow(row: Prisma.DeviceCertificateGetPayload<{ select: typeof COLUMNS }>): CertificateRow {
  return { ...row, state: stateOf(row.state) };
}

function stateOf(stored: string): StoredState {
  return STATES.has(stored) ? (stored as StoredState) : "held"; // a member of the closed list, just checked
}
