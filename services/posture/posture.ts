import { type Actor, requirePermission } from "#lib/authz/actor.ts";
import type { Page } from "#lib/contracts/console/common.ts";
import {
  type ListPostureFindings,
  POSTURE_CODES,
  type Posture,
  type PostureCheck,
  type PostureCode,
  type PostureFinding,
} from "#lib/contracts/console/posture.ts";
import type { Ctx } from "#lib/ctx.ts";
import { listAuthorityNames } from "#services/authorities/service.ts";
import { CHECKS } from "./checks.ts";
import { countFindings, listFindings } from "./store-checks.ts";

/** Every check over all certificates, with what helps. @throws AppError `auth.forbidden` */
export async function getPosture(ctx: Ctx, actor: Actor): Promise<Posture> {
  requirePermission(actor, "certificate.read");
  return { at: ctx.clock().toISOString(), checks: await runChecks(ctx) };
}

export async function runChecks(ctx: Ctx): Promise<PostureCheck[]> {
  const at = { namespaceId: ctx.namespaceId, now: ctx.clock() };
  return Promise.all(
    POSTURE_CODES.map(async (code) => ({ code, ...CHECKS[code], ...(await countFindings(ctx.db, code, at)) })),
  );
}

/** What a check found. @throws AppError `auth.forbidden` | `request.invalid` (a cursor that is not ours) */
export async function listPostureFindings(
  ctx: Ctx,
  actor: Actor,
  input: { code: PostureCode; query: ListPostureFindings },
): Promise<Page<PostureFinding>> {
  requirePermission(actor, "certificate.read");
  const at = { namespaceId: ctx.namespaceId, now: ctx.clock() };
  const [{ rows, nextCursor }, { count }, signers] = await Promise.all([
    listFindings(ctx.db, input.code, { ...at, query: input.query }),
    countFindings(ctx.db, input.code, at),
    listAuthorityNames(ctx),
  ]);
  const data = rows.map(({ key, authorityId, ...row }) => {
    const authority = signers.find(({ id }) => id === authorityId);
    return {
      ...row,
      id: key,
      authority: authority === undefined ? null : { id: authority.id, name: authority.name },
      lastSeenAt: row.lastSeenAt?.toISOString() ?? null,
    };
  });
  return { data, nextCursor, total: count, totalIsExact: true };
}
