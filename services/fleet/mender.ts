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

/** Shows at once that the Mender server has let a device of ours in, before its list is read again. */
export async function showMenderAccepted(
  tx: Tx,
  namespaceId: string,
  device: { uuid: string; menderId: string },
): Promise<void> {
  const row = { uuid: device.uuid, menderId: storableText(device.menderId, 128) };
  if (await store.markAccepted(tx, namespaceId, row)) {
    await publishEvent(tx, namespaceId, { topic: "device", subjectId: device.uuid });
  }
}

/** Takes devices that Mender no longer has from the fleet; those of ours lose the mark only. */
export async function forgetMenderDevices(tx: Tx, namespaceId: string, uuids: readonly string[]): Promise<void> {
  if (uuids.length === 0) return;
  await store.removeMender(tx, namespaceId, uuids);
  await publishEvent(tx, namespaceId, { topic: "device", subjectId: "" });
}
