import {
  cursorPart,
  decodeCursor,
  encodeCursor,
  Instant,
  type ListQuery,
  Uuid,
} from "#lib/contracts/console/common.ts";
import type { DbOrTx } from "#lib/db/client.ts";
import { isUniqueViolation } from "#lib/db/client.ts";
import type { Prisma } from "#lib/db/generated/client.ts";
import { escapeLike } from "#lib/db/like.ts";
import type { CertificateFacts } from "#lib/pki/certificates.ts";

const COLUMNS = {
  id: true,
  name: true,
  fingerprint: true,
  certificate: true,
  chain: true,
  origin: true,
  proofCode: true,
  proofUntil: true,
  provedAt: true,
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
  certificateDays: true,
  graceDays: true,
  waitingDays: true,
  note: true,
  revocationReason: true,
  stateChangedAt: true,
  stateChangedBy: true,
  createdAt: true,
} as const satisfies Prisma.AuthoritySelect;

export type AuthorityRow = Prisma.AuthorityGetPayload<{ select: typeof COLUMNS }> & { readonly hasKey: boolean };

export type AuthorityChange = Prisma.AuthorityUpdateManyMutationInput;

/** Devices' authorities only: who manages these never meets the ones that Gatehouse keeps for itself. */
const MANAGED = { kind: "fleet" } as const;

export async function findAuthority(db: DbOrTx, namespaceId: string, id: string): Promise<AuthorityRow | null> {
  const row = await db.authority.findFirst({
    where: { namespaceId, ...MANAGED, id },
    select: { ...COLUMNS, sealedKey: true },
  });
  return row === null ? null : withoutKey(row);
}

/** Those whose revocation would change something. */
export async function listNotRevoked(
  db: DbOrTx,
  namespaceId: string,
): Promise<{ id: string; name: string; certificate: Uint8Array }[]> {
  return db.authority.findMany({
    where: { namespaceId, ...MANAGED, state: { not: "revoked" } },
    orderBy: [{ createdAt: "desc" }, { id: "desc" }],
    select: { id: true, name: true, certificate: true },
  });
}

export async function listManaged(
  db: DbOrTx,
  namespaceId: string,
  query: ListQuery,
): Promise<{ rows: AuthorityRow[]; nextCursor: string | null; total: number }> {
  const filter: Prisma.AuthorityWhereInput = { namespaceId, ...MANAGED, ...matching(query.q?.trim() ?? "") };
  const found = await db.authority.findMany({
    where: query.cursor === undefined ? filter : { AND: [filter, afterCursor(query.cursor)] },
    orderBy: [{ createdAt: "desc" }, { id: "desc" }],
    take: query.limit + 1,
    select: { ...COLUMNS, sealedKey: true },
  });
  const rows = found.slice(0, query.limit);
  const last = found.length > query.limit ? rows.at(-1) : undefined;
  return {
    rows: rows.map(withoutKey),
    nextCursor: last === undefined ? null : encodeCursor([last.createdAt.toISOString(), last.id]),
    total: await db.authority.count({ where: filter }),
  };
}

/** @returns false when the namespace has an authority with this certificate */
export async function insertManaged(
  db: DbOrTx,
  namespaceId: string,
  row: {
    id: string;
    name: string;
    certificate: CertificateFacts;
    chain: readonly CertificateFacts[];
    sealedKey: Uint8Array | null;
    origin: "created" | "uploaded";
    provedAt: Date | null;
    policy: string;
    at: Date;
    by: string;
  },
): Promise<boolean> {
  const { certificate } = row;
  try {
    await db.authority.create({
      data: {
        id: row.id,
        kind: MANAGED.kind,
        namespaceId,
        name: row.name,
        fingerprint: certificate.fingerprint,
        subjectDn: certificate.subjectDn,
        certificate: Uint8Array.from(certificate.der),
        chain: row.chain.map(({ der }) => Uint8Array.from(der)),
        sealedKey: row.sealedKey === null ? null : Uint8Array.from(row.sealedKey),
        origin: row.origin,
        provedAt: row.provedAt,
        notBefore: certificate.notBefore,
        notAfter: certificate.notAfter,
        state: "open",
        policy: row.policy,
        stateChangedAt: row.at,
        stateChangedBy: row.by,
        createdAt: row.at,
      },
      select: { id: true },
    });
    return true;
  } catch (error) {
    if (isUniqueViolation(error)) return false;
    throw error;
  }
}

export async function changeAuthority(
  db: DbOrTx,
  namespaceId: string,
  { id, change }: { id: string; change: AuthorityChange },
): Promise<void> {
  await db.authority.updateMany({ where: { namespaceId, ...MANAGED, id }, data: change });
}

/** Deletes one whose key nobody has proved to have. */
export async function deleteUnproved(db: DbOrTx, namespaceId: string, id: string): Promise<void> {
  await db.authority.deleteMany({ where: { namespaceId, ...MANAGED, id, provedAt: null, sealedKey: null } });
}

function withoutKey<R extends { sealedKey: Uint8Array | null }>({ sealedKey, ...row }: R) {
  return { ...row, hasKey: sealedKey !== null };
}

function matching(q: string): Prisma.AuthorityWhereInput {
  if (q === "") return {};
  const contains = { contains: escapeLike(q), mode: "insensitive" } as const;
  return { OR: [{ name: contains }, { subjectDn: contains }] };
}

function afterCursor(cursor: string): Prisma.AuthorityWhereInput {
  const [at, key] = decodeCursor(cursor, 2);
  const createdAt = new Date(cursorPart(at, Instant));
  const id = cursorPart(key, Uuid);
  return { OR: [{ createdAt: { lt: createdAt } }, { createdAt, id: { lt: id } }] };
}
