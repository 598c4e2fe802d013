import { randomUUID } from "node:crypto";
import type { DbOrTx, Tx } from "#lib/db/client.ts";

type Ecu = { readonly deviceUuid: string; readonly ecuSerial: string };

/** @returns false when there is one already */
export async function insertAutoUpdate(
  db: DbOrTx,
  of: Ecu & { namespaceId: string; targetName: string; at: Date },
): Promise<boolean> {
  const { at, ...definition } = of;
  const { count } = await db.directorAutoUpdate.createMany({
    data: { id: randomUUID(), ...definition, createdAt: at },
    skipDuplicates: true,
  });
  return count > 0;
}

/** @returns false when there is none */
export async function deleteAutoUpdate(
  db: DbOrTx,
  of: Ecu & { namespaceId: string; targetName: string },
): Promise<boolean> {
  const { count } = await db.directorAutoUpdate.deleteMany({ where: of });
  return count > 0;
}

export async function listTargetNames(db: DbOrTx, of: Ecu & { namespaceId: string }): Promise<string[]> {
  const rows = await db.directorAutoUpdate.findMany({
    where: of,
    orderBy: { targetName: "asc" },
    select: { targetName: true },
  });
  return rows.map(({ targetName }) => targetName);
}

export type AutoUpdate = Ecu & { readonly id: string };

/** Who waits for this name: all definitions of the next devices, in the order of their ids. */
export async function listWaiting(
  tx: Tx,
  of: { namespaceId: string; targetName: string; after: string | null; devices: number },
): Promise<AutoUpdate[]> {
  const after = of.after ?? "00000000-0000-0000-0000-000000000000";
  return tx.$queryRaw<AutoUpdate[]>`
    SELECT id, "deviceUuid", "ecuSerial" FROM director_auto_update
    WHERE "namespaceId" = ${of.namespaceId} AND "targetName" = ${of.targetName} AND "deviceUuid" IN (
      SELECT DISTINCT "deviceUuid" FROM director_auto_update
      WHERE "namespaceId" = ${of.namespaceId} AND "targetName" = ${of.targetName} AND "deviceUuid" > ${after}::uuid
      ORDER BY "deviceUuid" LIMIT ${of.devices})
    ORDER BY "deviceUuid", "ecuSerial"`;
}

/** Forgets new images whose name nobody waits for; most are such. Those that somebody is at stay. */
export async function dropUnawaited(db: DbOrTx): Promise<void> {
  await db.$executeRaw`
    DELETE FROM image_added WHERE id IN (
      SELECT a.id FROM image_added AS a
      WHERE NOT EXISTS (
        SELECT 1 FROM director_auto_update AS d WHERE d."namespaceId" = a."namespaceId" AND d."targetName" = a.name)
      ORDER BY a.id LIMIT 10000 FOR UPDATE OF a SKIP LOCKED)`;
}
