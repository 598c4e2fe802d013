import type { DbOrTx } from "#lib/db/client.ts";

/** As the server says it, e.g. "18.1". */
export async function readServerVersion(db: DbOrTx): Promise<string> {
  const [row] = await db.$queryRaw<{ server_version: string }[]>`SHOW server_version`;
  return row?.server_version ?? "";
}
