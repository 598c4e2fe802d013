import type { GroupType } from "#lib/contracts/ota/device-groups.ts";
import { type DbOrTx, lockInTransaction, shareLocksInTransaction, type Tx } from "#lib/db/client.ts";
import { Prisma } from "#lib/db/generated/client.ts";
import { escapeLike } from "#lib/db/like.ts";
import { type GroupExpression, parseStoredExpression } from "#lib/domain/group-expression.ts";
import { conditionOf } from "./store-expression.ts";

export type GroupRow = {
  id: string;
  namespaceId: string;
  name: string;
  type: GroupType;
  expression: string | null;
  createdAt: Date;
};
export type SmartGroup = { id: string; expression: string };
type Slice = { offset: number; limit: number };

/** Groups, tags and who is in a smart group change by one transaction at a time. */
export async function lockGroups(tx: Tx, namespaceId: string): Promise<void> {
  await lockInTransaction(tx, groupsLock(namespaceId));
}

/** Keeps the groups as they are while devices come and go. */
export async function shareGroups(tx: Tx, namespaceId: string): Promise<void> {
  await shareLocksInTransaction(tx, [groupsLock(namespaceId)]);
}

function groupsLock(namespaceId: string): string {
  return `registry-groups:${namespaceId}`;
}

export async function findGroup(db: DbOrTx, id: string): Promise<GroupRow | null> {
  const row = await db.registryGroup.findUnique({ where: { id } });
  return row === null ? null : toRow(row);
}

export async function listGroups(
  db: DbOrTx,
  of: { namespaceId: string; sortBy: "name" | "createdAt"; nameContains: string | undefined },
  slice: Slice,
): Promise<{ rows: GroupRow[]; total: number }> {
  const where: Prisma.RegistryGroupWhereInput = {
    namespaceId: of.namespaceId,
    ...(of.nameContains === undefined
      ? {}
      : { name: { contains: escapeLike(of.nameContains), mode: "insensitive" as const } }),
  };
  const [rows, total] = await Promise.all([
    db.registryGroup.findMany({
      where,
      orderBy: of.sortBy === "name" ? [{ name: "asc" }] : [{ createdAt: "desc" }, { id: "desc" }],
      skip: slice.offset,
      take: slice.limit,
    }),
    db.registryGroup.count({ where }),
  ]);
  return { rows: rows.map(toRow), total };
}

function toRow(row: Prisma.RegistryGroupGetPayload<object>): GroupRow {
  return { ...row, type: row.type === "dynamic" ? "dynamic" : "static" };
}

/** @throws Prisma's unique violation when the name is taken */
export async function insertGroup(tx: Tx, row: GroupRow): Promise<void> {
  await tx.registryGroup.create({ data: row });
}

/** @throws Prisma's unique violation when the name is taken */
export async function renameGroup(tx: Tx, of: { namespaceId: string; id: string }, name: string): Promise<void> {
  await tx.registryGroup.updateMany({ where: of, data: { name } });
}

export async function deleteGroup(tx: Tx, of: { namespaceId: string; id: string }): Promise<void> {
  await tx.registryGroupMember.deleteMany({ where: { groupId: of.id } });
  await tx.registryGroup.deleteMany({ where: of });
}

/** As many as MAX_SMART_GROUPS at most: that is refused when they are made. */
export async function listSmartGroups(db: DbOrTx, namespaceId: string): Promise<SmartGroup[]> {
  const rows = await db.registryGroup.findMany({
    where: { namespaceId, type: "dynamic" },
    orderBy: { id: "asc" },
    select: { id: true, expression: true },
  });
  return rows.flatMap(({ id, expression }) => (expression === null ? [] : [{ id, expression }]));
}

export async function updateExpressions(tx: Tx, namespaceId: string, groups: readonly SmartGroup[]): Promise<void> {
  if (groups.length === 0) return;
  await tx.$executeRaw`
    UPDATE registry_group AS g SET expression = e.expression
    FROM jsonb_to_recordset(${JSON.stringify(groups)}::jsonb) AS e(id uuid, expression text)
    WHERE g.id = e.id AND g."namespaceId" = ${namespaceId}`;
}

/**
 * Computes anew who is in these smart groups: two statements, however many groups and devices there are.
 *
 * @param of.deviceUuids only these devices; null for the whole namespace
 */
export async function recomputeMembers(
  tx: Tx,
  namespaceId: string,
  of: { groups: readonly SmartGroup[]; deviceUuids: readonly string[] | null },
): Promise<void> {
  if (of.groups.length === 0) return;
  const ids = of.groups.map(({ id }) => id);
  const only = (column: Prisma.Sql) =>
    of.deviceUuids === null ? Prisma.empty : Prisma.sql`AND ${column} = ANY(${[...of.deviceUuids]}::uuid[])`;
  const tests = of.groups.map(
    ({ id, expression }) => Prisma.sql`(${id}::uuid, ${conditionOf(parseStoredExpression(expression))})`,
  );
  await tx.$executeRaw`
    DELETE FROM registry_group_member WHERE "groupId" = ANY(${ids}::uuid[]) ${only(Prisma.sql`"deviceUuid"`)}`;
  await tx.$executeRaw`
    INSERT INTO registry_group_member ("groupId", "deviceUuid")
    SELECT test.id, d.uuid FROM registry_device AS d CROSS JOIN LATERAL (VALUES ${Prisma.join(tests)}) AS test(id, holds)
    WHERE d."namespaceId" = ${namespaceId} AND test.holds ${only(Prisma.sql`d.uuid`)}`;
}

export async function countMatching(db: DbOrTx, namespaceId: string, expression: GroupExpression): Promise<number> {
  const [counted] = await db.$queryRaw<{ total: number }[]>`
    SELECT count(*)::int AS total FROM registry_device AS d
    WHERE d."namespaceId" = ${namespaceId} AND ${conditionOf(expression)}`;
  return counted?.total ?? 0;
}
