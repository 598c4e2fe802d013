import type { DbOrTx } from "#lib/db/client.ts";

export async function insertLink(
  db: DbOrTx,
  link: { id: string; tokenHash: Uint8Array<ArrayBuffer>; createdAt: Date },
): Promise<void> {
  await db.setupLink.create({ data: link, select: { id: true } });
}

export function findUnusedLink(db: DbOrTx, tokenHash: Uint8Array<ArrayBuffer>): Promise<{ createdAt: Date } | null> {
  return db.setupLink.findUnique({ where: { tokenHash, usedAt: null }, select: { createdAt: true } });
}

export async function useLink(db: DbOrTx, tokenHash: Uint8Array<ArrayBuffer>, now: Date): Promise<void> {
  await db.setupLink.update({ where: { tokenHash }, data: { usedAt: now }, select: { id: true } });
}

export async function dropUnusedLinks(db: DbOrTx): Promise<void> {
  await db.setupLink.deleteMany({ where: { usedAt: null } });
}
