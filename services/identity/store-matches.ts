import type { DbOrTx } from "#lib/db/client.ts";

/** The states of those of these fingerprints that are on record. */
export async function listStates(
  db: DbOrTx,
  namespaceId: string,
  fingerprints: readonly string[],
): Promise<ReadonlyMap<string, string>> {
  const rows = await db.$queryRaw<{ fingerprint: string; state: string }[]>`
    SELECT fingerprint, state FROM device_certificate
    WHERE "namespaceId" = ${namespaceId} AND fingerprint = ANY(${[...fingerprints]}::text[])`;
  return new Map(rows.map(({ fingerprint, state }) => [fingerprint, state]));
}
