import type { DbOrTx } from "#lib/db/client.ts";
import type { HeaderModeRow } from "./state.ts";

export async function findHeaderMode(db: DbOrTx, namespaceId: string): Promise<HeaderModeRow | null> {
  const row = await db.headerMode.findUnique({
    where: { namespaceId },
    select: { state: true, detail: true, since: true, checkedAt: true },
  });
  return row === null ? null : { ...row, state: toState(row.state) };
}

export async function storeHeaderMode(db: DbOrTx, namespaceId: string, row: HeaderModeRow): Promise<void> {
  await db.headerMode.upsert({
    where: { namespaceId },
    create: { ...row, namespaceId },
    update: row,
    select: { namespaceId: true },
  });
}

/** What is not known to be on is off. */
function toState(text: string): HeaderModeRow["state"] {
  return text === "on" || text === "failed" ? text : "off";
}
