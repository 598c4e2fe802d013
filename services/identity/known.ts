import type { Ctx } from "#lib/ctx.ts";
import * as store from "./store.ts";

/** For the decision port: the DER of a certificate that is on record, whatever was decided about it; null for any other fingerprint. */
export async function findKnownCertificate(ctx: Ctx, fingerprint: string): Promise<Uint8Array | null> {
  return (await store.findCertificate(ctx.db, ctx.namespaceId, fingerprint))?.certificate ?? null;
}
