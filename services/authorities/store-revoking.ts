import type { DbOrTx } from "#lib/db/client.ts";

const COLUMNS = {
  id: true,
  name: true,
  certificate: true,
  sealedKey: true,
  state: true,
  revocationReason: true,
  stateChangedAt: true,
  notAfter: true,
} as const;

export type RevokingRow = {
  id: string;
  name: string;
  certificate: Uint8Array;
  sealedKey: Uint8Array | null;
  state: string;
  revocationReason: string | null;
  stateChangedAt: Date | null;
  notAfter: Date;
};

export async function findRevoking(db: DbOrTx, namespaceId: string, id: string): Promise<RevokingRow | null> {
  return db.authority.findFirst({ where: { namespaceId, id, kind: "fleet" }, select: COLUMNS });
}

/** Those that were revoked, whoever has their keys. */
export async function listRevoked(db: DbOrTx, namespaceId: string): Promise<{ id: string; reason: string | null }[]> {
  const rows = await db.authority.findMany({
    where: { namespaceId, kind: "fleet", state: "revoked" },
    select: { id: true, revocationReason: true },
    take: 1_000,
  });
  return rows.map(({ id, revocationReason }) => ({ id, reason: revocationReason }));
}

/** Those that can sign what they revoked, in whatever state. The newest thousand. */
export async function listRevoking(db: DbOrTx, namespaceId: string): Promise<RevokingRow[]> {
  return db.authority.findMany({
    where: { namespaceId, kind: "fleet", sealedKey: { not: null } },
    orderBy: [{ createdAt: "desc" }, { id: "desc" }],
    select: COLUMNS,
    take: 1_000,
  });
}
