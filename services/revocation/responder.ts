import { randomUUID } from "node:crypto";
import type { Ctx } from "#lib/ctx.ts";
import { lockInTransaction } from "#lib/db/client.ts";
import { AppError } from "#lib/errors/app-error.ts";
import { parseCertificate } from "#lib/pki/certificates.ts";
import { openIssuingCa } from "#lib/pki/issue.ts";
import { generateCertificateKey } from "#lib/pki/keys.ts";
import { issueOcspResponderCertificate, type OcspResponder } from "#lib/pki/ocsp.ts";
import type { RevokingAuthority } from "#services/authorities/service.ts";
import * as store from "./store.ts";

const DAY_MS = 86_400_000;
const VALID_MS = 30 * DAY_MS;
/** Whoever checks an answer may have a clock that is late. */
const BACKDATED_MS = 3_600_000;

/** Sealed with the row's id, so that a key copied to another row does not open. */
const purposeOf = (responderId: string) => `ocsp-responder:${responderId}`;

/**
 * Who answers for an authority: a key of its own with a certificate of thirty days, replaced at half of its life. The authority's
 * key, which is worth so much more, signs nothing that strangers ask for.
 *
 * @throws AppError `keys.unsealable` | `internal.unavailable` (the authority has expired)
 */
export async function openResponder(ctx: Ctx, authority: RevokingAuthority): Promise<OcspResponder> {
  const found = await store.findResponder(ctx.db, authority.id);
  if (found !== null && isYoung(ctx, found)) return open(ctx, found);
  const row = await ctx.db.$transaction(async (tx) => {
    await lockInTransaction(tx, `ocsp-responder:${authority.id}`);
    const newest = await store.findResponder(tx, authority.id);
    if (newest !== null && isYoung(ctx, newest)) return newest;
    const made = await make(ctx, authority);
    await store.insertResponder(tx, made);
    return made;
  });
  return open(ctx, row);
}

async function make(ctx: Ctx, authority: RevokingAuthority) {
  const now = ctx.clock();
  const ca = authority.open();
  if (ca.certificate.notAfter <= now) {
    throw new AppError("internal.unavailable", "The authority has expired, so that nobody can answer for it.");
  }
  const key = generateCertificateKey();
  const { certificate } = await issueOcspResponderCertificate({
    ca,
    publicKey: key.publicKey,
    notBefore: new Date(Math.max(now.getTime() - BACKDATED_MS, ca.certificate.notBefore.getTime())),
    notAfter: new Date(Math.min(now.getTime() + VALID_MS, ca.certificate.notAfter.getTime())),
  });
  const id = randomUUID();
  return {
    id,
    authorityId: authority.id,
    certificate: certificate.der,
    sealedKey: ctx.keys.seal(Buffer.from(key.privateKeyPem), purposeOf(id)),
    notBefore: certificate.notBefore,
    notAfter: certificate.notAfter,
    createdAt: now,
  };
}

function open(ctx: Ctx, row: store.ResponderRow): OcspResponder {
  const privateKeyPem = ctx.keys.open(row.sealedKey, purposeOf(row.id)).toString("utf8");
  return openIssuingCa(parseCertificate(row.certificate), privateKeyPem);
}

function isYoung(ctx: Ctx, row: store.ResponderRow): boolean {
  const half = row.notBefore.getTime() + (row.notAfter.getTime() - row.notBefore.getTime()) / 2;
  const now = ctx.clock().getTime();
  // One that ends with its authority can't be replaced by a longer one.
  return now < half || (row.notAfter.getTime() - row.notBefore.getTime() < VALID_MS && now < row.notAfter.getTime());
}
