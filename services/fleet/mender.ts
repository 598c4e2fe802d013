import type { Tx } from "#lib/db/client.ts";
import { publishEvent } from "#lib/db/events.ts";
import { storableText } from "#lib/domain/storable-text.ts";
import * as store from "./store-mender.ts";

/** Shows a page of the Mender server's list in the fleet: one announcement, a fixed number of statements. */
export async function showMenderDevices(
  tx: Tx,
  namespaceId: string,
  page: { rows: readonly store.MenderRow[]; crawl: number; now: Date },
): Promise<void> {
  const rows = page.rows.map((row) => ({
    ...row,
    name: storableText(row.name, 200),
    menderId: storableText(row.menderId, 128),
  }));
  const changed = await store.upsertMenderRows(tx, namespaceId, { ...page, rows });
  if (changed.length > 0) await publishEvent(tx, namespaceId, { topic: "device", subjectId: "" });
}

/** Takes devices that Mender no longer has from the fleet; those of ours lose the mark only. */
export async function forgetMenderDevices(tx: Tx, namespaceId: string, uuids: readonly string[]): Promise<void> {
  if (uuids.length === 0) return;
  await store.removeMender(tx, namespaceId, uuids);
  await publishEvent(tx, namespaceId, { topic: "device", subjectId: "" });
}
