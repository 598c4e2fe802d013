import { randomUUID } from "node:crypto";
import { ENROLMENT_TOKEN_PREFIX, newSecretText } from "#lib/auth/secret-text.ts";
import { type Actor, requirePermission } from "#lib/authz/actor.ts";
import type { ListQuery, Page } from "#lib/contracts/console/common.ts";
import {
  type CreateEnrolmentToken,
  type EnrolmentHandout,
  EnrolmentPolicy,
  type EnrolmentToken,
  type EstAddress,
} from "#lib/contracts/console/enrolment.ts";
import type { Ctx } from "#lib/ctx.ts";
import { publishEvent } from "#lib/db/events.ts";
import { AppError } from "#lib/errors/app-error.ts";
import { record } from "#services/audit/service.ts";
import { openIssuer } from "#services/authorities/service.ts";
import { assertGroup, type IdentityCtx } from "#services/identity/service.ts";
import { handoutOf, readEstAddress } from "./handout.ts";
import { takesIssuedSubjects } from "./newcomers.ts";
import * as store from "./store.ts";

const DAY_MS = 86_400_000;

/**
 * Makes a secret with which a bounded number of devices ask for their first certificate.
 *
 * @returns the secret too, alone and as a command: only its hash is kept
 * @throws AppError `auth.forbidden` | `request.invalid` (no static group, or no authority that issues, of this id; or one whose rules no
 *   certificate that is issued here could meet) |
 *   `keys.unsealable` | `backend.*` (the registry, asked about the group)
 */
export async function createEnrolmentToken(
  ctx: IdentityCtx,
  actor: Actor,
  input: CreateEnrolmentToken,
): Promise<{ token: EnrolmentToken; handout: EnrolmentHandout }> {
  requirePermission(actor, "enrolment.manage");
  await assertGroup(ctx, input.groupId);
  await assertAuthority(ctx, input.authorityId);
  const id = randomUUID();
  const now = ctx.clock();
  const validFrom = input.validFrom === undefined ? now : new Date(input.validFrom);
  const secret = newSecretText(ENROLMENT_TOKEN_PREFIX);
  const handout = handoutOf(await readEstAddress(ctx), secret.text);
  const row = await ctx.db.$transaction(async (tx) => {
    const made = await store.insertToken(tx, ctx.namespaceId, {
      id,
      description: input.description,
      secretHash: Buffer.from(secret.hash).toString("hex"),
      usesAllowed: input.uses,
      validFrom,
      validUntil: new Date(validFrom.getTime() + input.expiresInDays * DAY_MS),
      policy: input.policy,
      authorityId: input.authorityId ?? null,
      groupId: input.groupId ?? null,
      hardwareId: input.hardwareId ?? null,
      certificateDays: input.certificateDays ?? null,
      createdAt: now,
      createdBy: actor.name,
    });
    await publishEvent(tx, ctx.namespaceId, { topic: "certificate", subjectId: id });
    await record(tx, ctx, actor, {
      action: "enrolment_token.create",
      target: { kind: "enrolment_token", id, name: input.description },
      after: { uses: input.uses, policy: input.policy, validUntil: made.validUntil.toISOString() },
    });
    return made;
  });
  return { token: toDto(row, now), handout };
}

/** @throws AppError `auth.forbidden` | `request.invalid` (a cursor that is not ours) */
export async function listEnrolmentTokens(ctx: Ctx, actor: Actor, query: ListQuery): Promise<Page<EnrolmentToken>> {
  requirePermission(actor, "certificate.read");
  const { rows, nextCursor, total } = await store.listTokens(ctx.db, ctx.namespaceId, query);
  const now = ctx.clock();
  return { data: rows.map((row) => toDto(row, now)), nextCursor, total, totalIsExact: true };
}

/**
 * Lets no further device enrol with it, from the next request on. Devices that did keep their certificates. Repeating it is fine.
 *
 * @throws AppError `auth.forbidden` | `enrolment_token.not_found`
 */
export async function revokeEnrolmentToken(ctx: Ctx, actor: Actor, id: string): Promise<EnrolmentToken> {
  requirePermission(actor, "enrolment.manage");
  const row = await ctx.db.$transaction(async (tx) => {
    const changed = await store.revokeToken(tx, ctx.namespaceId, { id, at: ctx.clock(), by: actor.name });
    const found = await store.findToken(tx, ctx.namespaceId, { id });
    if (found === null) {
      throw new AppError("enrolment_token.not_found", "No enrolment token with this id is known here.");
    }
    if (!changed) return found;
    await publishEvent(tx, ctx.namespaceId, { topic: "certificate", subjectId: id });
    await record(tx, ctx, actor, {
      action: "enrolment_token.revoke",
      target: { kind: "enrolment_token", id, name: found.description },
      after: { usesLeft: found.usesLeft },
    });
    return found;
  });
  return toDto(row, ctx.clock());
}

/** @throws AppError `auth.forbidden` */
export async function getEstAddress(ctx: Ctx, actor: Actor): Promise<EstAddress> {
  requirePermission(actor, "certificate.read");
  return readEstAddress(ctx);
}

async function assertAuthority(ctx: Ctx, authorityId: string | undefined): Promise<void> {
  const issuer = await openIssuer(ctx, authorityId);
  if (authorityId !== undefined && issuer === null) {
    throw new AppError("request.invalid", "authorityId is not the id of an open authority that issues here.");
  }
  if (issuer === null || takesIssuedSubjects(issuer)) return;
  throw new AppError(
    "request.invalid",
    `${issuer.name} takes only newcomers whose subject is like ${issuer.newcomers.subjectPattern}. What is issued here has a UUID alone as its common name (CN=…): let the pattern take that, or choose another authority.`,
  );
}

function toDto(row: store.TokenRow, now: Date): EnrolmentToken {
  return {
    ...row,
    state: stateOf(row, now),
    policy: policyOf(row),
    validFrom: row.validFrom.toISOString(),
    validUntil: row.validUntil.toISOString(),
    createdAt: row.createdAt.toISOString(),
    lastUsedAt: row.lastUsedAt?.toISOString() ?? null,
    revokedAt: row.revokedAt?.toISOString() ?? null,
  };
}

/** What a token is good for now. */
export function stateOf(row: store.TokenRow, now: Date): EnrolmentToken["state"] {
  if (row.revokedAt !== null) return "revoked";
  if (row.validUntil <= now) return "expired";
  if (now < row.validFrom) return "not_yet_valid";
  return row.usesLeft > 0 ? "active" : "exhausted";
}

/** A policy this version does not know asks a person. */
export function policyOf({ policy }: Pick<store.TokenRow, "policy">): EnrolmentPolicy {
  return EnrolmentPolicy.catch("pending").parse(policy);
}
