import { type Actor, requirePermission } from "#lib/authz/actor.ts";
import type { AuditAction } from "#lib/contracts/console/audit.ts";
import type { Authority, RevokeAuthority } from "#lib/contracts/console/authorities.ts";
import type { Ctx } from "#lib/ctx.ts";
import { lockInTransaction, type Tx } from "#lib/db/client.ts";
import { publishEvent } from "#lib/db/events.ts";
import { AppError } from "#lib/errors/app-error.ts";
import { parseCertificate } from "#lib/pki/certificates.ts";
import { type AuditFacts, record } from "#services/audit/service.ts";
import { announceChange } from "./changes.ts";
import { type CountCertificates, readAuthorityDto, requireAuthority, stateOf } from "./read.ts";
import { listByKey, sumOf } from "./same-key.ts";
import { type AuthorityChange, type AuthorityRow, changeAuthority } from "./store-authority.ts";

type OfAuthority = { readonly id: string; readonly count: CountCertificates };

/**
 * From now on the authority brings no newcomers and issues nothing; the devices that are known keep coming in.
 *
 * @throws AppError `auth.forbidden` | `authority.not_found` | `authority.wrong_state`
 */
export function closeAuthority(ctx: Ctx, actor: Actor, of: OfAuthority): Promise<Authority> {
  return change(ctx, actor, { of, from: ["open"], action: "authority.close", verb: "closed", to: { state: "closed" } });
}

/** @throws AppError `auth.forbidden` | `authority.not_found` | `authority.wrong_state` */
export function reopenAuthority(ctx: Ctx, actor: Actor, of: OfAuthority): Promise<Authority> {
  return change(ctx, actor, {
    of,
    from: ["closed"],
    action: "authority.reopen",
    verb: "reopened",
    to: { state: "open" },
  });
}

/**
 * New devices' certificates come from this authority: of the open ones with a key, the one that was opened or chosen last issues.
 *
 * @throws AppError `auth.forbidden` | `authority.not_found` | `authority.wrong_state` (not open, without a key, or expired)
 */
export function issueWithAuthority(ctx: Ctx, actor: Actor, of: OfAuthority): Promise<Authority> {
  return change(ctx, actor, {
    of,
    from: ["open"],
    action: "authority.issue_with",
    verb: "chosen to issue",
    to: {},
    async check(_tx, row) {
      if (!row.hasKey) {
        throw new AppError("authority.wrong_state", "Its private key is not here, so nothing can be issued with it.");
      }
      if (parseCertificate(row.certificate).notAfter <= ctx.clock()) {
        throw new AppError("authority.wrong_state", "It has expired, so nothing can be issued with it.");
      }
    },
  });
}

/**
 * Cuts off every device whose certificate the authority signed, at once and for good: live connections end within a second, and no
 * certificate of it comes in again, under whatever name its key may return.
 *
 * @throws AppError `auth.forbidden` | `authority.not_found` | `authority.wrong_state` (it is revoked) | `authority.count_changed` (it
 *   touches another number of certificates than the person saw)
 */
export function revokeAuthority(ctx: Ctx, actor: Actor, input: OfAuthority & RevokeAuthority): Promise<Authority> {
  const { id, count, reason, note, allowedCertificates } = input;
  return change(ctx, actor, {
    of: { id, count },
    from: ["unproved", "open", "closed"],
    action: "authority.revoke",
    verb: "revoked",
    to: { state: "revoked", revocationReason: reason, note },
    after: { reason, note, allowedCertificates },
    async check(tx) {
      const ofKey = (await listByKey(tx, ctx.namespaceId)).get(id) ?? [];
      const counts = await count(
        tx,
        ctx,
        ofKey.map((holder) => holder.id),
      );
      const { allowed } = sumOf([...counts.values()]);
      if (allowed === allowedCertificates) return;
      throw new AppError(
        "authority.count_changed",
        `It cuts off ${allowed} certificates now, not ${allowedCertificates}. Look at them again, then decide.`,
      );
    },
  });
}

type Change = {
  readonly of: OfAuthority;
  readonly from: readonly Authority["state"][];
  readonly action: AuditAction;
  readonly verb: string;
  readonly to: AuthorityChange;
  readonly after?: AuditFacts;
  readonly check?: (tx: Tx, row: AuthorityRow) => Promise<void>;
};

async function change(
  ctx: Ctx,
  actor: Actor,
  { of, from, action, verb, to, after, check }: Change,
): Promise<Authority> {
  requirePermission(actor, "authority.manage");
  const { id, count } = of;
  await ctx.db.$transaction(async (tx) => {
    await lockInTransaction(tx, `authorities:${ctx.namespaceId}`);
    const row = await requireAuthority(tx, ctx, id);
    const state = stateOf(row);
    if (!from.includes(state)) {
      throw new AppError("authority.wrong_state", `This authority is ${state}, so it can't be ${verb}.`);
    }
    await check?.(tx, row);
    const decided = { stateChangedAt: ctx.clock(), stateChangedBy: actor.name };
    await changeAuthority(tx, ctx.namespaceId, { id, change: { ...to, ...decided } });
    await announceChange(tx, ctx, { fingerprint: null, authorityId: id, verb });
    await publishEvent(tx, ctx.namespaceId, { topic: "certificate", subjectId: "" });
    await record(tx, ctx, actor, {
      action,
      target: { kind: "authority", id, name: row.name },
      before: { state },
      ...(after === undefined ? {} : { after }),
    });
  });
  return readAuthorityDto(ctx, id, count);
}
