import type { DbOrTx } from "#lib/db/client.ts";

const COLUMNS = {
  id: true,
  name: true,
  certificate: true,
  sealedKey: true,
  certificateDays: true,
  subjectPattern: true,
  keyTypes: true,
  maxValidityDays: true,
  newcomersPerHour: true,
  sourceNetworks: true,
} as const;

export type IssuerRow = {
  id: string;
  name: string;
  certificate: Uint8Array;
  sealedKey: Uint8Array;
  certificateDays: number;
  subjectPattern: string | null;
  keyTypes: string[];
  maxValidityDays: number | null;
  newcomersPerHour: number | null;
  sourceNetworks: string[];
};

/**
 * An open authority that this install issues with and whose certificates name a device the way we write it: this one, or the one that was
 * opened or chosen last. One that finds the id elsewhere would not know its own certificate again.
 */
export async function findIssuer(
  db: DbOrTx,
  namespaceId: string,
  wanted: { id?: string; now: Date },
): Promise<IssuerRow | null> {
  const row = await db.authority.findFirst({
    where: {
      namespaceId,
      kind: "fleet",
      sealedKey: { not: null },
      state: "open",
      deviceIdField: "cn",
      deviceIdTemplate: "{id}",
      provedAt: { not: null },
      notAfter: { gt: wanted.now },
      ...(wanted.id === undefined ? {} : { id: wanted.id }),
    },
    orderBy: [{ stateChangedAt: { sort: "desc", nulls: "last" } }, { createdAt: "desc" }, { id: "desc" }],
    select: COLUMNS,
  });
  return row === null || row.sealedKey === null ? null : { ...row, sealedKey: row.sealedKey };
}

/** Whose certificates devices are to know: what this install issues with, unless it was revoked. The newest fifty. */
export async function listPublished(
  db: DbOrTx,
  namespaceId: string,
  now: Date,
): Promise<{ id: string; name: string; certificate: Uint8Array; chain: Uint8Array[] }[]> {
  return db.authority.findMany({
    where: {
      namespaceId,
      kind: "fleet",
      sealedKey: { not: null },
      state: { in: ["open", "closed"] },
      provedAt: { not: null },
      notAfter: { gt: now },
    },
    orderBy: [{ createdAt: "desc" }, { id: "desc" }],
    select: { id: true, name: true, certificate: true, chain: true },
    take: 50,
  });
}
