import type { DbOrTx, Tx } from "#lib/db/client.ts";
import type { TagTable } from "./tag-table.ts";

export type TagPair = readonly [tagId: string, value: string];

export async function listTagIds(db: DbOrTx, namespaceId: string): Promise<string[]> {
  const rows = await db.$queryRaw<{ tagId: string }[]>`
    SELECT DISTINCT "tagId" FROM registry_tag WHERE "namespaceId" = ${namespaceId} ORDER BY "tagId"`;
  return rows.map(({ tagId }) => tagId);
}

export async function listTagsOf(db: DbOrTx, deviceUuids: readonly string[]): Promise<Map<string, TagPair[]>> {
  const rows = await db.registryTag.findMany({
    where: { deviceUuid: { in: [...deviceUuids] } },
    orderBy: [{ deviceUuid: "asc" }, { tagId: "asc" }],
    select: { deviceUuid: true, tagId: true, value: true },
  });
  const found = new Map<string, TagPair[]>();
  for (const { deviceUuid, tagId, value } of rows) {
    const pairs = found.get(deviceUuid) ?? [];
    pairs.push([tagId, value]);
    found.set(deviceUuid, pairs);
  }
  return found;
}

/**
 * Gives each device of the table its row's tags in place of all that it had; an empty cell is no tag.
 *
 * @returns the devices that are known
 */
export async function replaceTags(tx: Tx, namespaceId: string, table: TagTable): Promise<string[]> {
  const rows = new Map(table.rows.map(({ oemId, values }) => [oemId, values]));
  const devices = await tx.$queryRaw<{ uuid: string; deviceId: string }[]>`
    SELECT uuid, "deviceId" FROM registry_device
    WHERE "namespaceId" = ${namespaceId} AND "deviceId" = ANY(${[...rows.keys()]}::text[]) ORDER BY uuid FOR KEY SHARE`;
  const uuids = devices.map(({ uuid }) => uuid);
  const tags = devices.flatMap(({ uuid, deviceId }) =>
    (rows.get(deviceId) ?? []).flatMap((value, index) =>
      value === "" ? [] : [[uuid, table.tagIds[index] ?? "", value]],
    ),
  );
  const column = (index: number) => tags.map((tag) => tag[index] ?? "");
  await tx.$executeRaw`DELETE FROM registry_tag WHERE "deviceUuid" = ANY(${uuids}::uuid[]) AND "namespaceId" = ${namespaceId}`;
  await tx.$executeRaw`
    INSERT INTO registry_tag ("deviceUuid", "namespaceId", "tagId", value)
    SELECT tag.uuid, ${namespaceId}, tag.id, tag.value
    FROM unnest(${column(0)}::uuid[], ${column(1)}::text[], ${column(2)}::text[]) AS tag(uuid, id, value)`;
  return uuids;
}

/** @returns whether the device has the tag */
export async function updateTag(
  tx: Tx,
  of: { namespaceId: string; deviceUuid: string; tagId: string },
  value: string,
): Promise<boolean> {
  const { count } = await tx.registryTag.updateMany({ where: of, data: { value } });
  return count > 0;
}

/** @throws Prisma's unique violation when a device has both */
export async function renameTag(tx: Tx, namespaceId: string, tag: { from: string; to: string }): Promise<void> {
  await tx.registryTag.updateMany({ where: { namespaceId, tagId: tag.from }, data: { tagId: tag.to } });
}

export async function deleteTag(tx: Tx, namespaceId: string, tagId: string): Promise<void> {
  await tx.registryTag.deleteMany({ where: { namespaceId, tagId } });
}
