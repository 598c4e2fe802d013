import { randomUUID } from "node:crypto";
import { SYSTEM } from "#lib/authz/actor.ts";
import type { Ctx } from "#lib/ctx.ts";
import { lockInTransaction } from "#lib/db/client.ts";
import { AppError } from "#lib/errors/app-error.ts";
import type { AdmissionPolicy, KnownAuthority } from "#lib/pki/admission.ts";
import { parseCertificate } from "#lib/pki/certificates.ts";
import { createFleetCa, type IssuingCa, openIssuingCa } from "#lib/pki/issue.ts";
import { record } from "#services/audit/service.ts";
import { ensureDoorCertificate } from "./door-certificate.ts";
import * as store from "./store-authorities.ts";

/** Sealed with the row's id, so that a key copied to another row does not open. */
const purposeOf = (authorityId: string) => `authority:${authorityId}`;

/**
 * Makes what the device door needs and does not have: the fleet CA, the server CA and the door's certificate. Call it at every
 * start and from time to time: it also renews the door's certificate.
 *
 * Any number of processes may call it at once; one makes, the others wait and find.
 */
export async function ensureAuthorities(ctx: Ctx): Promise<void> {
  await ensureFleetCa(ctx);
  await ensureDoorCertificate(ctx);
}

/** The fleet CA this install issues with, ready to sign. Made when there is none. @throws AppError `keys.unsealable` */
export async function openFleetCa(ctx: Ctx): Promise<IssuingCa & { readonly authorityId: string }> {
  await ensureFleetCa(ctx);
  const row = await store.findIssuing(ctx.db, ctx.namespaceId);
  if (row === null) throw new AppError("internal.unavailable", "This install has no open authority to issue with.");
  const privateKeyPem = ctx.keys.open(row.sealedKey, purposeOf(row.id)).toString("utf8");
  return { ...openIssuingCa(parseCertificate(row.certificate), privateKeyPem), authorityId: row.id };
}

/** All authorities whose certificates the door judges, as the admission decision wants them. */
export async function listKnownAuthorities(ctx: Pick<Ctx, "db" | "namespaceId">): Promise<KnownAuthority[]> {
  const rows = await store.listAuthorities(ctx.db, ctx.namespaceId);
  return rows.map((row) => ({
    id: row.id,
    certificate: parseCertificate(row.certificate),
    state: stateOf(row.state),
    policy: policyOf(row.policy),
  }));
}

async function ensureFleetCa(ctx: Ctx): Promise<void> {
  if (await store.hasIssuing(ctx.db, ctx.namespaceId)) return;
  await ctx.db.$transaction(async (tx) => {
    await lockInTransaction(tx, `authorities:${ctx.namespaceId}`);
    if (await store.hasIssuing(tx, ctx.namespaceId)) return;
    const id = randomUUID();
    const name = "Gatehouse fleet CA";
    const made = await createFleetCa({ commonName: `${name} ${id.slice(0, 8)}`, now: ctx.clock() });
    await store.insertAuthority(tx, ctx.namespaceId, {
      id,
      name,
      certificate: made.certificate,
      sealedKey: ctx.keys.seal(Buffer.from(made.privateKeyPem), purposeOf(id)),
      createdAt: ctx.clock(),
    });
    await record(tx, ctx, SYSTEM, {
      action: "authority.create",
      target: { kind: "authority", id, name },
      after: { fingerprint: made.certificate.fingerprint, notAfter: made.certificate.notAfter.toISOString() },
    });
  });
}

/** A state this version does not know admits nobody. */
function stateOf(state: string): KnownAuthority["state"] {
  return state === "open" || state === "closed" ? state : "revoked";
}

/** A policy this version does not know asks a person. */
function policyOf(policy: string): AdmissionPolicy {
  return policy === "allowlist" || policy === "allow_all" ? policy : "ask";
}
