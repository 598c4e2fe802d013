import { type Actor, requirePermission } from "#lib/authz/actor.ts";
import type { NewcomerRules, RulesPreview } from "#lib/contracts/console/authorities.ts";
import type { Ctx } from "#lib/ctx.ts";
import type { CountCertificates } from "#services/authorities/service.ts";
import { countByAuthority, countUnfit } from "./store-authority-counts.ts";

const LATELY_MS = 15 * 60_000;

/** How many certificates authorities touch: those that a revocation of the authority would cut off, and those that wait. */
export const countCertificates: CountCertificates = async (db, ctx, authorityIds) => {
  const now = ctx.clock();
  const since = new Date(now.getTime() - LATELY_MS);
  const rows = await countByAuthority(db, ctx.namespaceId, { authorityIds, now, since });
  return new Map(rows.map(({ authorityId, ...counts }) => [authorityId, counts]));
};

/**
 * What rules for newcomers would say of certificates that are known already; nothing happens to these.
 *
 * @throws AppError `auth.forbidden`
 */
export async function previewAuthorityRules(
  ctx: Ctx,
  actor: Actor,
  { id, rules }: { id: string; rules: NewcomerRules },
): Promise<RulesPreview> {
  requirePermission(actor, "authority.read");
  return countUnfit(ctx.db, ctx.namespaceId, { authorityId: id, rules });
}
