import type { DbOrTx, Tx } from "#lib/db/client.ts";
import type { CertificateFacts } from "#lib/pki/certificates.ts";

/** `fleet` signs devices; `bootstrap` signs the shared certificates with which devices register, and no device; `canary` what measures. */
export type AuthorityKind = "fleet" | "bootstrap" | "canary";

/** Is there an authority of this kind that this install issues with, whatever became of it? A revoked one is not silently replaced. */
export async function hasIssuing(db: DbOrTx, namespaceId: string, kind: AuthorityKind): Promise<boolean> {
  const row = await db.authority.findFirst({
    where: { namespaceId, kind, sealedKey: { not: null } },
    select: { id: true },
  });
  return row !== null;
}

/** The newest open one of its kind. */
export async function findOpenWithKey(
  db: DbOrTx,
  namespaceId: string,
  kind: AuthorityKind,
): Promise<{ id: string; certificate: Uint8Array; sealedKey: Uint8Array } | null> {
  const row = await db.authority.findFirst({
    where: { namespaceId, kind, sealedKey: { not: null }, state: "open" },
    orderBy: { createdAt: "desc" },
    select: { id: true, certificate: true, sealedKey: true },
  });
  return row === null || row.sealedKey === null ? null : { ...row, sealedKey: row.sealedKey };
}

/**
 * Those that the device door judges by: devices', and the canary's. An uploaded one counts when its key has been proved; that one was
 * revoked counts in any case.
 */
export async function listAuthorities(db: DbOrTx, namespaceId: string) {
  const counts = [{ provedAt: { not: null } }, { state: { notIn: ["open", "closed"] } }];
  return db.authority.findMany({
    where: { namespaceId, kind: { in: ["fleet", "canary"] }, OR: counts },
    orderBy: [{ createdAt: "desc" }, { id: "asc" }],
    select: {
      id: true,
      kind: true,
      certificate: true,
      state: true,
      policy: true,
      deviceIdField: true,
      deviceIdTemplate: true,
      deviceIdForm: true,
      subjectPattern: true,
      keyTypes: true,
      maxValidityDays: true,
      newcomersPerHour: true,
      sourceNetworks: true,
    },
  });
}

export async function listNames(db: DbOrTx, namespaceId: string): Promise<{ id: string; name: string }[]> {
  return db.authority.findMany({
    where: { namespaceId, kind: "fleet" },
    select: { id: true, name: true },
    take: 1_000,
  });
}

/** What explains why one of them refuses a certificate. */
export async function listProfiles(db: DbOrTx, namespaceId: string) {
  return db.authority.findMany({
    where: { namespaceId, kind: "fleet" },
    orderBy: [{ createdAt: "desc" }, { id: "asc" }],
    select: {
      id: true,
      name: true,
      subjectDn: true,
      state: true,
      stateChangedAt: true,
      stateChangedBy: true,
      revocationReason: true,
      notBefore: true,
      notAfter: true,
      deviceIdField: true,
      subjectPattern: true,
      keyTypes: true,
      maxValidityDays: true,
      newcomersPerHour: true,
      sourceNetworks: true,
    },
    take: 1_000,
  });
}

export async function listWaitingDays(db: DbOrTx, namespaceId: string): Promise<{ id: string; waitingDays: number }[]> {
  return db.authority.findMany({
    where: { namespaceId, kind: "fleet" },
    select: { id: true, waitingDays: true },
    take: 1_000,
  });
}

export async function findGraceDays(db: DbOrTx, namespaceId: string, id: string): Promise<number | null> {
  const row = await db.authority.findFirst({ where: { namespaceId, id }, select: { graceDays: true } });
  return row?.graceDays ?? null;
}

/** Whoever changes this authority's state waits until the transaction ends. @returns false when it is in none of these */
export async function holdState(
  tx: Tx,
  namespaceId: string,
  of: { id: string; states: readonly string[] },
): Promise<boolean> {
  const rows = await tx.$queryRaw<unknown[]>`
    SELECT 1 FROM authority
    WHERE "namespaceId" = ${namespaceId} AND id = ${of.id}::uuid AND "provedAt" IS NOT NULL AND state = ANY(${[...of.states]}::text[])
    FOR SHARE`;
  return rows.length === 1;
}

export async function findNewcomersPerHour(db: DbOrTx, namespaceId: string, id: string): Promise<number | null> {
  const row = await db.authority.findFirst({ where: { namespaceId, id }, select: { newcomersPerHour: true } });
  return row?.newcomersPerHour ?? null;
}

export async function insertAuthority(
  db: DbOrTx,
  namespaceId: string,
  authority: {
    id: string;
    kind: AuthorityKind;
    name: string;
    certificate: CertificateFacts;
    sealedKey: Uint8Array;
    createdAt: Date;
  },
): Promise<void> {
  const { certificate } = authority;
  await db.authority.create({
    data: {
      id: authority.id,
      kind: authority.kind,
      namespaceId,
      name: authority.name,
      fingerprint: certificate.fingerprint,
      subjectDn: certificate.subjectDn,
      certificate: Uint8Array.from(certificate.der),
      sealedKey: Uint8Array.from(authority.sealedKey),
      notBefore: certificate.notBefore,
      notAfter: certificate.notAfter,
      state: "open",
      policy: "ask",
      createdAt: authority.createdAt,
    },
    select: { id: true },
  });
}

export type ServerCertificateKind = "server_ca" | "device_door";

export type ServerCertificateRow = {
  id: string;
  names: string[];
  certificate: Uint8Array;
  sealedKey: Uint8Array;
  notBefore: Date;
  notAfter: Date;
};

/** The one in force: the newest of its kind that has its key. */
export async function findServerCertificate(
  db: DbOrTx,
  kind: ServerCertificateKind,
): Promise<ServerCertificateRow | null> {
  const row = await db.serverCertificate.findFirst({
    where: { kind, sealedKey: { not: null } },
    orderBy: [{ createdAt: "desc" }, { id: "desc" }],
    select: { id: true, names: true, certificate: true, sealedKey: true, notBefore: true, notAfter: true },
  });
  return row === null || row.sealedKey === null ? null : { ...row, sealedKey: row.sealedKey };
}

export async function insertServerCertificate(
  db: DbOrTx,
  row: {
    id: string;
    kind: ServerCertificateKind;
    names: readonly string[];
    certificate: CertificateFacts;
    sealedKey: Uint8Array;
    createdAt: Date;
  },
): Promise<void> {
  await db.serverCertificate.create({
    data: {
      id: row.id,
      kind: row.kind,
      names: [...row.names],
      certificate: Uint8Array.from(row.certificate.der),
      sealedKey: Uint8Array.from(row.sealedKey),
      notBefore: row.certificate.notBefore,
      notAfter: row.certificate.notAfter,
      createdAt: row.createdAt,
    },
    select: { id: true },
  });
}
