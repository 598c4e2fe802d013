import type { NetworkInfo } from "#lib/contracts/ota/device-registry.ts";
import type { DbOrTx, Tx } from "#lib/db/client.ts";
import { storableText } from "#lib/domain/storable-text.ts";

export async function upsertSystemInfo(tx: Tx, deviceUuid: string, info: { body: Buffer; at: Date }): Promise<void> {
  const data = { body: Uint8Array.from(info.body), updatedAt: info.at };
  await tx.registrySystemInfo.upsert({ where: { deviceUuid }, create: { deviceUuid, ...data }, update: data });
}

export async function findSystemInfo(db: DbOrTx, deviceUuid: string): Promise<Buffer | null> {
  const row = await db.registrySystemInfo.findUnique({ where: { deviceUuid }, select: { body: true } });
  return row === null ? null : Buffer.from(row.body);
}

export async function upsertNetwork(tx: Tx, deviceUuid: string, network: NetworkInfo & { at: Date }): Promise<void> {
  const data = {
    localIpv4: storableText(network.local_ipv4),
    mac: storableText(network.mac),
    hostname: storableText(network.hostname),
    updatedAt: network.at,
  };
  await tx.registryNetworkInfo.upsert({ where: { deviceUuid }, create: { deviceUuid, ...data }, update: data });
}

/** Of each device that told it. */
export async function readNetworks(db: DbOrTx, deviceUuids: readonly string[]): Promise<Map<string, NetworkInfo>> {
  const rows = await db.registryNetworkInfo.findMany({ where: { deviceUuid: { in: [...deviceUuids] } } });
  return new Map(
    rows.map(({ deviceUuid, localIpv4, mac, hostname }) => [deviceUuid, { local_ipv4: localIpv4, mac, hostname }]),
  );
}

/** Those of the devices that are of this namespace. */
export async function keepKnown(db: DbOrTx, namespaceId: string, uuids: readonly string[]): Promise<Set<string>> {
  const rows = await db.registryDevice.findMany({
    where: { namespaceId, uuid: { in: [...uuids] } },
    select: { uuid: true },
  });
  return new Set(rows.map(({ uuid }) => uuid));
}
