import { randomBytes } from "node:crypto";
import type { Db } from "#lib/db/client.ts";

const INSTALL_ID = "install_id";

/** Eight hex digits that tell this install from others on the same host name. Made once; race safe. */
export async function ensureInstallId(db: Db): Promise<string> {
  await db.installFact.createMany({
    data: [{ name: INSTALL_ID, value: randomBytes(4).toString("hex") }],
    skipDuplicates: true,
  });
  const fact = await db.installFact.findUniqueOrThrow({ where: { name: INSTALL_ID }, select: { value: true } });
  return fact.value;
}
