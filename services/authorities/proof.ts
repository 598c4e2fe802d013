import { randomBytes, timingSafeEqual } from "node:crypto";
import { type Actor, requirePermission } from "#lib/authz/actor.ts";
import type { Authority, ProofOrder } from "#lib/contracts/console/authorities.ts";
import type { Ctx } from "#lib/ctx.ts";
import { lockInTransaction, type Tx } from "#lib/db/client.ts";
import { publishEvent } from "#lib/db/events.ts";
import { AppError } from "#lib/errors/app-error.ts";
import { type CertificateFacts, parseCertificate } from "#lib/pki/certificates.ts";
import { isSignedBy } from "#lib/pki/issuer.ts";
import { record } from "#services/audit/service.ts";
import { announceChange } from "./changes.ts";
import { type CountCertificates, readAuthorityDto, requireAuthority, stateOf } from "./read.ts";
import { type AuthorityRow, changeAuthority, deleteUnproved } from "./store-authority.ts";

const PROOF_HOURS = 24;

/**
 * Gives out a one-time code for an authority that was uploaded without its key. Only who has the key can sign a certificate for it,
 * so nobody makes somebody else's authority admit devices here. An earlier code stops counting.
 *
 * @returns the code, this once, and what to run where the key is
 * @throws AppError `auth.forbidden` | `authority.not_found` | `authority.wrong_state`
 */
export async function orderAuthorityProof(ctx: Ctx, actor: Actor, id: string): Promise<ProofOrder> {
  requirePermission(actor, "authority.manage");
  const code = `gatehouse-proof-${randomBytes(16).toString("hex")}`;
  const proofUntil = new Date(ctx.clock().getTime() + PROOF_HOURS * 3_600_000);
  await ctx.db.$transaction(async (tx) => {
    const { name } = await lockUnproved(tx, ctx, id);
    await changeAuthority(tx, ctx.namespaceId, { id, change: { proofCode: code, proofUntil } });
    await record(tx, ctx, actor, {
      action: "authority.order_proof",
      target: { kind: "authority", id, name },
      after: { until: proofUntil.toISOString() },
    });
  });
  return { code, until: proofUntil.toISOString(), commands: commandsFor(code) };
}

/**
 * Takes a certificate for the code that the authority signed as proof that its key is at hand. From then on the authority counts.
 *
 * @throws AppError `auth.forbidden` | `authority.not_found` | `authority.wrong_state` | `authority.proof_failed` | `pki.malformed`
 */
export async function proveAuthority(
  ctx: Ctx,
  actor: Actor,
  { id, certificatePem, count }: { id: string; certificatePem: string; count: CountCertificates },
): Promise<Authority> {
  requirePermission(actor, "authority.manage");
  const proof = parseCertificate(certificatePem);
  await ctx.db.$transaction(async (tx) => {
    const row = await lockUnproved(tx, ctx, id);
    assertProof(row, proof, ctx.clock());
    await changeAuthority(tx, ctx.namespaceId, {
      id,
      change: { provedAt: ctx.clock(), proofCode: null, proofUntil: null },
    });
    await announceChange(tx, ctx, { fingerprint: null, authorityId: id, verb: "proved" });
    await publishEvent(tx, ctx.namespaceId, { topic: "certificate", subjectId: "" });
    await record(tx, ctx, actor, {
      action: "authority.prove",
      target: { kind: "authority", id, name: row.name },
      after: { proof: proof.fingerprint },
    });
  });
  return readAuthorityDto(ctx, id, count);
}

/**
 * Deletes an authority whose key nobody has proved to have: an upload by mistake. It never counted, so nothing depends on it; one that did
 * count is closed or revoked instead.
 *
 * @throws AppError `auth.forbidden` | `authority.not_found` | `authority.wrong_state` (it is proved, or revoked: the doors must go on
 *   refusing what its key signs)
 */
export async function deleteAuthority(ctx: Ctx, actor: Actor, id: string): Promise<void> {
  requirePermission(actor, "authority.manage");
  await ctx.db.$transaction(async (tx) => {
    const { name, fingerprint, policy } = await lockUnproved(tx, ctx, id);
    await deleteUnproved(tx, ctx.namespaceId, id);
    await announceChange(tx, ctx, { fingerprint: null, authorityId: id, verb: "deleted" });
    await publishEvent(tx, ctx.namespaceId, { topic: "certificate", subjectId: "" });
    await record(tx, ctx, actor, {
      action: "authority.delete",
      target: { kind: "authority", id, name },
      before: { fingerprint, policy, state: "unproved" },
    });
  });
}

async function lockUnproved(tx: Tx, ctx: Ctx, id: string): Promise<AuthorityRow> {
  await lockInTransaction(tx, `authorities:${ctx.namespaceId}`);
  const row = await requireAuthority(tx, ctx, id);
  if (stateOf(row) === "unproved") return row;
  const why = row.provedAt === null ? "It is revoked." : "Possession of its key is proved already.";
  throw new AppError("authority.wrong_state", why);
}

function assertProof(row: AuthorityRow, proof: CertificateFacts, now: Date): void {
  if (row.proofCode === null || row.proofUntil === null) {
    throw new AppError("authority.proof_failed", "No code was asked for. Get one first.");
  }
  if (row.proofUntil <= now) {
    throw new AppError("authority.proof_failed", "The code has expired. Get a new one.");
  }
  if (!isEqual(proof.subjectCn ?? "", row.proofCode)) {
    throw new AppError(
      "authority.proof_failed",
      "The certificate's common name is not the code that was given out last.",
    );
  }
  if (!isSignedBy(proof, parseCertificate(row.certificate))) {
    throw new AppError("authority.proof_failed", "The certificate is not signed with this authority's key.");
  }
}

function isEqual(one: string, other: string): boolean {
  const [a, b] = [Buffer.from(one), Buffer.from(other)];
  return a.length === b.length && timingSafeEqual(a, b);
}

/** The key of the certificate is thrown away: only the signature on it is wanted. */
function commandsFor(code: string): string[] {
  const serial = code.slice(-16);
  return [
    `openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout proof.key -out proof.csr -subj "/CN=${code}"`,
    `openssl x509 -req -in proof.csr -CA ca.pem -CAkey ca.key -set_serial 0x${serial} -days 1 -sha256 -out proof.pem`,
    "rm proof.key proof.csr",
  ];
}
