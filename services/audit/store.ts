import { z } from "zod";
import type { Actor, MachineActor } from "#lib/authz/actor.ts";
import { AuditEntry, type AuditOutcome, type ListAudit } from "#lib/contracts/console/audit.ts";
import { cursorPart, decodeCursor, encodeCursor, type Page } from "#lib/contracts/console/common.ts";
import type { Ctx } from "#lib/ctx.ts";
import { type DbOrTx, lockInTransaction, type Tx } from "#lib/db/client.ts";
import { publishEvent } from "#lib/db/events.ts";
import { Prisma } from "#lib/db/generated/client.ts";
import { escapeLike } from "#lib/db/like.ts";
import { storableText } from "#lib/domain/storable-text.ts";
import { CHAIN_START, type ChainedEntry, entryHash } from "./chain.ts";
import type { AuditFacts, AuditRecord } from "./service.ts";

const Sequence = z
  .string()
  .regex(/^\d{1,18}$/)
  .transform((digits) => BigInt(digits));
const CHAIN_BATCH = 1_000;
const ABANDONED_AFTER_MS = 10 * 60_000;
const ABANDONED_UPLOAD_AFTER_MS = 2 * 60 * 60_000;

export async function append(
  tx: Tx,
  input: { ctx: Ctx; actor: Actor | MachineActor; entry: AuditRecord; outcome: AuditOutcome; settles: bigint | null },
): Promise<bigint> {
  const { ctx, actor, entry } = input;
  await lockInTransaction(tx, `audit:${ctx.namespaceId}`);
  const last = await tx.auditEntry.findFirst({
    where: { namespaceId: ctx.namespaceId },
    orderBy: { sequence: "desc" },
    select: { sequence: true, hash: true },
  });
  const previousHash = Uint8Array.from(last?.hash ?? CHAIN_START);
  const row: ChainedEntry = {
    namespaceId: ctx.namespaceId,
    sequence: (last?.sequence ?? 0n) + 1n,
    at: ctx.clock(),
    actorKind: actor.kind,
    actorId: actor.kind === "system" ? null : actor.id,
    actorName: actor.name,
    action: entry.action,
    outcome: input.outcome,
    settles: input.settles,
    targetKind: entry.target.kind,
    targetId: entry.target.id,
    targetName: entry.target.name ?? null,
    address: actor.kind === "system" ? null : actor.address,
    requestId: ctx.requestId,
    before: entry.before ?? null,
    after: entry.after ?? null,
  };
  await tx.auditEntry.create({
    data: {
      ...row,
      before: toJson(entry.before),
      after: toJson(entry.after),
      previousHash,
      hash: entryHash(previousHash, row),
    },
    select: { id: true },
  });
  await publishEvent(tx, ctx.namespaceId, { topic: "audit", subjectId: "" });
  return row.sequence;
}

export async function listEntries(db: DbOrTx, namespaceId: string, query: ListAudit): Promise<Page<AuditEntry>> {
  const after = query.cursor === undefined ? undefined : cursorPart(decodeCursor(query.cursor, 1)[0], Sequence);
  const filter: Prisma.AuditEntryWhereInput = {
    namespaceId,
    ...(query.action === undefined ? {} : { action: query.action }),
    ...(query.targetKind === undefined ? {} : { targetKind: query.targetKind }),
    ...(query.targetId === undefined ? {} : { targetId: storableText(query.targetId) }),
    ...(query.q === undefined
      ? {}
      : {
          OR: (["actorName", "targetName", "targetId", "action"] as const).map((field) => ({
            [field]: { contains: escapeLike(query.q ?? ""), mode: "insensitive" },
          })),
        }),
  };
  const rows = await db.auditEntry.findMany({
    where: { ...filter, ...(after === undefined ? {} : { sequence: { lt: after } }) },
    orderBy: { sequence: "desc" },
    take: query.limit + 1,
  });
  const page = rows.slice(0, query.limit);
  const last = page.at(-1);
  return {
    data: page.map(toDto),
    nextCursor: rows.length > query.limit && last !== undefined ? encodeCursor([last.sequence.toString()]) : null,
    total: await db.auditEntry.count({ where: filter }),
    totalIsExact: true,
  };
}

/** The namespaces that have entries: each has a chain of its own. */
export async function listChains(db: DbOrTx): Promise<string[]> {
  const rows = await db.auditEntry.findMany({
    distinct: ["namespaceId"],
    select: { namespaceId: true },
    orderBy: { namespaceId: "asc" },
  });
  return rows.map((row) => row.namespaceId);
}

export async function readChain(db: DbOrTx, namespaceId: string, from: bigint) {
  return db.auditEntry.findMany({
    where: { namespaceId, sequence: { gte: from } },
    orderBy: { sequence: "asc" },
    take: CHAIN_BATCH,
  });
}

export type OpenEntry = {
  namespaceId: string;
  sequence: bigint;
  action: string;
  targetKind: string;
  targetId: string;
  targetName: string | null;
};

/** *Requested* entries that nothing completed. Updates complete their own, however long they take. */
export async function findAbandoned(db: DbOrTx, now: Date, take: number): Promise<OpenEntry[]> {
  const ordinary = new Date(now.getTime() - ABANDONED_AFTER_MS);
  const upload = new Date(now.getTime() - ABANDONED_UPLOAD_AFTER_MS);
  return db.$queryRaw<OpenEntry[]>`
    SELECT e."namespaceId", e.sequence, e.action, e."targetKind", e."targetId", e."targetName" FROM audit_entry e
    WHERE e.outcome = 'requested' AND e.at < CASE WHEN e.action = 'image.upload' THEN ${upload}::timestamptz ELSE ${ordinary}::timestamptz END
      AND e.action NOT IN ('update.launch', 'update.cancel')
      AND NOT EXISTS (SELECT 1 FROM audit_entry s WHERE s."namespaceId" = e."namespaceId" AND s.settles = e.sequence)
    ORDER BY e.at LIMIT ${take}`;
}

/** Events older than what a lost page may replay. @returns how many went */
export async function deleteEventsBefore(db: DbOrTx, before: Date): Promise<number> {
  const { count } = await db.consoleEvent.deleteMany({ where: { at: { lt: before } } });
  return count;
}

function toDto(row: Prisma.AuditEntryGetPayload<object>): AuditEntry {
  return AuditEntry.parse({
    sequence: row.sequence.toString(),
    at: row.at.toISOString(),
    actor: { kind: row.actorKind, id: row.actorId, name: row.actorName },
    action: row.action,
    outcome: row.outcome,
    settles: row.settles?.toString() ?? null,
    target: { kind: row.targetKind, id: row.targetId, name: row.targetName },
    address: row.address,
    requestId: row.requestId,
    before: row.before,
    after: row.after,
  });
}

function toJson(facts: AuditFacts | undefined): Prisma.InputJsonValue | typeof Prisma.DbNull {
  if (facts === undefined) return Prisma.DbNull;
  const members = Object.entries(facts).map(([key, value]) => [key, Array.isArray(value) ? [...value] : value]);
  return Object.fromEntries(members) as Prisma.InputJsonObject; // facts are JSON scalars and arrays of strings by their type
}
