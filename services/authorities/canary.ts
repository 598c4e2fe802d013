import { randomUUID } from "node:crypto";
import type { Ctx } from "#lib/ctx.ts";
import { lockInTransaction } from "#lib/db/client.ts";
import { createFleetCa } from "#lib/pki/issue.ts";
import { type OpenedCa, openRow } from "./authorities.ts";
import { announceChange } from "./changes.ts";
import { purposeOf } from "./sealing.ts";
import * as store from "./store.ts";

/** How every canary authority's name begins: a hint by which a door knows its certificates, never a proof. */
export const CANARY_CA_NAME = "Gatehouse canary CA";

/**
 * The authority whose certificates measure how soon a revocation is in force. Doors judge by it as by any other, and let what it signs
 * do nothing. Made when there is none; in no list and no audit log, for nobody decided anything.
 *
 * @throws AppError `keys.unsealable`
 */
export async function openCanaryCa(ctx: Ctx): Promise<OpenedCa> {
  const found = await store.findOpenWithKey(ctx.db, ctx.namespaceId, "canary");
  if (found !== null) return openRow(ctx, found);
  const row = await ctx.db.$transaction(async (tx) => {
    await lockInTransaction(tx, `authorities:${ctx.namespaceId}`);
    const meanwhile = await store.findOpenWithKey(tx, ctx.namespaceId, "canary");
    if (meanwhile !== null) return meanwhile;
    const id = randomUUID();
    const made = await createFleetCa({ commonName: `${CANARY_CA_NAME} ${id.slice(0, 8)}`, now: ctx.clock() });
    const sealedKey = ctx.keys.seal(Buffer.from(made.privateKeyPem), purposeOf(id));
    const { certificate } = made;
    const createdAt = ctx.clock();
    await store.insertAuthority(tx, ctx.namespaceId, {
      id,
      kind: "canary",
      name: CANARY_CA_NAME,
      certificate,
      sealedKey,
      createdAt,
    });
    await announceChange(tx, ctx, { fingerprint: null, authorityId: id, verb: "canary" });
    return { id, certificate: certificate.der, sealedKey };
  });
  return openRow(ctx, row);
}
