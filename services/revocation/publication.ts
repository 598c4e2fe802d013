import { type Actor, requirePermission } from "#lib/authz/actor.ts";
import type { Publication } from "#lib/contracts/console/revocation.ts";
import type { Ctx } from "#lib/ctx.ts";
import { readCrl } from "#lib/pki/crl.ts";
import { getRevokingAuthority } from "#services/authorities/service.ts";
import { crlUrlOf } from "./crl.ts";
import * as store from "./store.ts";

/** What an authority publishes, for people. @throws AppError `auth.forbidden` | `authority.not_found` */
export async function getPublication(ctx: Ctx, actor: Actor, authorityId: string): Promise<Publication> {
  requirePermission(actor, "authority.read");
  const { hasKey } = await getRevokingAuthority(ctx, authorityId);
  const [full, delta, responder] = await Promise.all([
    store.findCrl(ctx.db, authorityId, "full"),
    store.findCrl(ctx.db, authorityId, "delta"),
    store.findResponder(ctx.db, authorityId),
  ]);
  return {
    publishesHere: hasKey,
    certificateUrl: `${ctx.config.pkiUrl}/${authorityId}.crt`,
    crlUrl: hasKey ? crlUrlOf(ctx, authorityId) : null,
    deltaUrl: hasKey && delta !== null ? crlUrlOf(ctx, authorityId, "delta") : null,
    ocspUrl: hasKey ? `${ctx.config.pkiUrl}/ocsp` : null,
    crl:
      full === null
        ? null
        : {
            number: full.number.toString(),
            entries: readCrl(Buffer.from(full.der)).entries.size,
            sizeBytes: full.der.length,
            thisUpdate: full.thisUpdate.toISOString(),
            nextUpdate: full.nextUpdate.toISOString(),
          },
    responderUntil: responder?.notAfter.toISOString() ?? null,
  };
}
