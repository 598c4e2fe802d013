import { X509Certificate } from "node:crypto";
import type { CertificateCounts } from "#lib/contracts/console/authorities.ts";
import type { DbOrTx } from "#lib/db/client.ts";
import { listNotRevoked } from "./store-authority.ts";

export type KeyHolder = { readonly id: string; readonly name: string };

/**
 * The authorities that are not revoked, by id, each with all that stand for its key, itself among them: an authority that was renewed with its
 * key is stored twice. What the key signed all of them signed, so whoever revokes one cuts off the devices of all.
 */
export async function listByKey(db: DbOrTx, namespaceId: string): Promise<ReadonlyMap<string, readonly KeyHolder[]>> {
  const holders = (await listNotRevoked(db, namespaceId)).map(({ id, name, certificate }) => ({
    id,
    name,
    key: new X509Certificate(certificate).publicKey.export({ type: "spki", format: "der" }).toString("base64"),
  }));
  const byKey = Map.groupBy(holders, ({ key }) => key);
  return new Map(holders.map(({ id, key }) => [id, (byKey.get(key) ?? []).map(({ id, name }) => ({ id, name }))]));
}

export function sumOf(counts: readonly (CertificateCounts | undefined)[]): CertificateCounts {
  const sum = { allowed: 0, waiting: 0, seenLately: 0 };
  for (const one of counts) {
    sum.allowed += one?.allowed ?? 0;
    sum.waiting += one?.waiting ?? 0;
    sum.seenLately += one?.seenLately ?? 0;
  }
  return sum;
}
