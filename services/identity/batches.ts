import { type Actor, requirePermission } from "#lib/authz/actor.ts";
import {
  type ApproveMany,
  BATCH_MAX,
  type BatchReply,
  type CertificateMatches,
  type MatchCertificates,
  type RejectMany,
  type RevokeMany,
  type Selection,
} from "#lib/contracts/console/certificate-batches.ts";
import type { Ctx } from "#lib/ctx.ts";
import { AppError, isAppError } from "#lib/errors/app-error.ts";
import { parseAllowlistValue } from "#lib/pki/allowlist-value.ts";
import { approveCertificate } from "./approve.ts";
import type { IdentityCtx } from "./ctx.ts";
import { rejectCertificate } from "./decisions.ts";
import { REVOCABLE, revokeCertificate } from "./revoke.ts";
import * as store from "./store.ts";
import { listStates } from "./store-matches.ts";

/**
 * Lets several waiting certificates in, as {@link approveCertificate} does each; one that can't be keeps none of the others out.
 *
 * @throws AppError `auth.forbidden` | `certificate.count_differs` | `request.invalid` (a cursor that is not ours)
 */
export async function approveCertificates(ctx: IdentityCtx, actor: Actor, input: ApproveMany): Promise<BatchReply> {
  requirePermission(actor, "certificate.decide");
  const { selection, ...decision } = input;
  return decideEach(ctx, { selection, states: ["pending"] }, (fingerprint) =>
    approveCertificate(ctx, actor, { ...decision, fingerprint }),
  );
}

/** Refuses several waiting certificates. @throws AppError as {@link approveCertificates} */
export async function rejectCertificates(ctx: Ctx, actor: Actor, input: RejectMany): Promise<BatchReply> {
  requirePermission(actor, "certificate.decide");
  const { selection, ...decision } = input;
  return decideEach(ctx, { selection, states: ["pending"] }, (fingerprint) =>
    rejectCertificate(ctx, actor, { ...decision, fingerprint }),
  );
}

/**
 * Revokes several certificates, or all of an authority. What was revoked stays so when a later one fails or the caller goes away: asking
 * again goes on with the rest.
 *
 * @throws AppError as {@link approveCertificates}
 */
export async function revokeCertificates(ctx: Ctx, actor: Actor, input: RevokeMany): Promise<BatchReply> {
  requirePermission(actor, "certificate.decide");
  const { selection, ...decision } = input;
  return decideEach(ctx, { selection, states: REVOCABLE }, (fingerprint) =>
    revokeCertificate(ctx, actor, { ...decision, fingerprint }),
  );
}

/** Compares a list of fingerprints with what is on record. @throws AppError `auth.forbidden` */
export async function matchCertificates(
  ctx: Ctx,
  actor: Actor,
  { fingerprints }: MatchCertificates,
): Promise<CertificateMatches> {
  requirePermission(actor, "certificate.read");
  const parsed = fingerprints.map((text) => parseAllowlistValue("fingerprint", text));
  const given = [...new Set(parsed.filter((value) => value !== null))];
  const states = await listStates(ctx.db, ctx.namespaceId, given);
  return {
    waiting: given.filter((fingerprint) => states.get(fingerprint) === "pending"),
    decided: given.filter((fingerprint) => (states.get(fingerprint) ?? "pending") !== "pending"),
    unknown: given.filter((fingerprint) => !states.has(fingerprint)),
    invalid: parsed.filter((value) => value === null).length,
  };
}

type Chosen = { selection: Selection; states: readonly store.StoredState[] };

async function decideEach(
  ctx: Ctx,
  chosen: Chosen,
  decide: (fingerprint: string) => Promise<unknown>,
): Promise<BatchReply> {
  const { fingerprints, nextCursor } = await choose(ctx, chosen);
  const reply: BatchReply = { done: 0, failed: [], nextCursor };
  for (const fingerprint of fingerprints) {
    try {
      await decide(fingerprint);
      reply.done += 1;
    } catch (error) {
      if (!isAppError(error)) throw error;
      reply.failed.push({ fingerprint, code: error.code, text: error.message });
    }
  }
  return reply;
}

/** The newest first, so that what comes while batches are decided about is in none of them. */
async function choose(
  ctx: Ctx,
  { selection, states }: Chosen,
): Promise<{ fingerprints: readonly string[]; nextCursor: string | null }> {
  if ("fingerprints" in selection) return { fingerprints: [...new Set(selection.fingerprints)], nextCursor: null };
  const { matching, expected, cursor } = selection;
  const page = { limit: BATCH_MAX, sort: "-createdAt" as const, ...(cursor === undefined ? {} : { cursor }) };
  const found = await store.listCertificates(ctx.db, ctx.namespaceId, {
    ...matching,
    ...page,
    states,
    now: ctx.clock(),
  });
  if (cursor === undefined && found.total !== expected) {
    throw new AppError(
      "certificate.count_differs",
      `${found.total} certificates match now, not ${expected}. Look at them again.`,
      { context: { found: found.total, expected } },
    );
  }
  return { fingerprints: found.rows.map(({ fingerprint }) => fingerprint), nextCursor: found.nextCursor };
}
