import { isToolScope, type ToolScope } from "#lib/authz/tool-scopes.ts";
import {
  cursorPart,
  decodeCursor,
  encodeCursor,
  Instant,
  type ListQuery,
  type Page,
  Uuid,
} from "#lib/contracts/console/common.ts";
import type { MachineClient } from "#lib/contracts/console/machine-clients.ts";
import type { DbOrTx } from "#lib/db/client.ts";
import type { Prisma } from "#lib/db/generated/client.ts";
import { escapeLike } from "#lib/db/like.ts";

const SHOWN = {
  id: true,
  name: true,
  clientId: true,
  scopes: true,
  certificateFingerprint: true,
  sourceNetworks: true,
  createdAt: true,
  createdBy: true,
  expiresAt: true,
  lastUsedAt: true,
  revokedAt: true,
} satisfies Prisma.MachineClientSelect;

/** What the tools door asks about: the row as it is, also when it no longer counts. */
export type MachineClientRow = {
  readonly id: string;
  readonly namespaceId: string;
  readonly clientId: string;
  readonly name: string;
  readonly scopes: readonly ToolScope[];
  /** SHA-256. */
  readonly secretHash: Uint8Array;
  readonly certificateFingerprint: string | null;
  /** Where it may come from; none: from anywhere. */
  readonly sourceNetworks: readonly string[];
  readonly expiresAt: Date | null;
  readonly revokedAt: Date | null;
};

export async function insertMachineClient(
  db: DbOrTx,
  namespaceId: string,
  client: {
    id: string;
    name: string;
    clientId: string;
    secretHash: Uint8Array<ArrayBuffer>;
    scopes: ToolScope[];
    certificateFingerprint: string | null;
    sourceNetworks: string[];
    createdAt: Date;
    createdBy: string;
    expiresAt: Date | null;
  },
): Promise<void> {
  await db.machineClient.create({ data: { ...client, namespaceId }, select: { id: true } });
}

export async function findMachineClient(db: DbOrTx, namespaceId: string, id: string): Promise<MachineClient | null> {
  const row = await db.machineClient.findFirst({ where: { namespaceId, id }, select: SHOWN });
  return row === null ? null : toDto(row);
}

/** In any namespace: who asks has proved to hold the certificate, or is about to prove the secret. */
export async function findCredential(
  db: DbOrTx,
  by: { clientId: string } | { certificateFingerprint: string },
): Promise<MachineClientRow | null> {
  const row = await db.machineClient.findUnique({
    where: by,
    select: {
      id: true,
      namespaceId: true,
      clientId: true,
      name: true,
      scopes: true,
      secretHash: true,
      certificateFingerprint: true,
      sourceNetworks: true,
      expiresAt: true,
      revokedAt: true,
    },
  });
  return row === null ? null : { ...row, scopes: row.scopes.filter(isToolScope) };
}

export async function touchMachineClients(db: DbOrTx, ids: readonly string[], now: Date): Promise<void> {
  await db.machineClient.updateMany({
    where: { id: { in: [...ids] }, OR: [{ lastUsedAt: null }, { lastUsedAt: { lt: now } }] },
    data: { lastUsedAt: now },
  });
}

/** @returns whether it still counted */
export async function revokeMachineClient(db: DbOrTx, namespaceId: string, id: string, now: Date): Promise<boolean> {
  const { count } = await db.machineClient.updateMany({
    where: { namespaceId, id, revokedAt: null },
    data: { revokedAt: now },
  });
  return count > 0;
}

/** Newest first. */
export async function listMachineClients(
  db: DbOrTx,
  namespaceId: string,
  query: ListQuery,
): Promise<Page<MachineClient>> {
  const matching: Prisma.MachineClientWhereInput = {
    namespaceId,
    ...(query.q === undefined ? {} : { name: { contains: escapeLike(query.q), mode: "insensitive" } }),
  };
  const rows = await db.machineClient.findMany({
    where: { AND: [matching, query.cursor === undefined ? {} : after(query.cursor)] },
    orderBy: [{ createdAt: "desc" }, { id: "desc" }],
    take: query.limit + 1,
    select: SHOWN,
  });
  const page = rows.slice(0, query.limit);
  const last = page.at(-1);
  return {
    data: page.map(toDto),
    nextCursor:
      rows.length > query.limit && last !== undefined ? encodeCursor([last.createdAt.toISOString(), last.id]) : null,
    total: await db.machineClient.count({ where: matching }),
    totalIsExact: true,
  };
}

function after(cursor: string): Prisma.MachineClientWhereInput {
  const [at, lastId] = decodeCursor(cursor, 2);
  const createdAt = cursorPart(at, Instant);
  const id = cursorPart(lastId, Uuid);
  return { OR: [{ createdAt: { lt: createdAt } }, { createdAt, id: { lt: id } }] };
}

function toDto(row: Prisma.MachineClientGetPayload<{ select: typeof SHOWN }>): MachineClient {
  return {
    ...row,
    scopes: row.scopes.filter(isToolScope),
    createdAt: row.createdAt.toISOString(),
    expiresAt: row.expiresAt?.toISOString() ?? null,
    lastUsedAt: row.lastUsedAt?.toISOString() ?? null,
    revokedAt: row.revokedAt?.toISOString() ?? null,
  };
}
