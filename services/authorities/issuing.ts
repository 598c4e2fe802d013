import type { Ctx } from "#lib/ctx.ts";
import { type CertificateFacts, parseCertificate } from "#lib/pki/certificates.ts";
import { type Issuer, toIssuer } from "./authorities.ts";
import { findIssuer, listPublished } from "./store-issuing.ts";

/**
 * Opens the authority that is to sign for a device: the named one, or the newest open one.
 *
 * @returns null when the named one, or any, can't sign: closed, revoked, expired, without key or with another rule for the device's id
 * @throws AppError `keys.unsealable`
 */
export async function openIssuer(ctx: Ctx, authorityId?: string): Promise<Issuer | null> {
  const wanted = { now: ctx.clock(), ...(authorityId === undefined ? {} : { id: authorityId }) };
  const row = await findIssuer(ctx.db, ctx.namespaceId, wanted);
  return row === null ? null : toIssuer(ctx, row);
}

/** Authorities that sign for devices here, with what stands above them, the newest first. */
export async function listPublishedAuthorities(
  ctx: Ctx,
): Promise<{ readonly id: string; readonly name: string; readonly certificates: readonly CertificateFacts[] }[]> {
  const rows = await listPublished(ctx.db, ctx.namespaceId, ctx.clock());
  return rows.map(({ id, name, certificate, chain }) => ({
    id,
    name,
    certificates: [certificate, ...chain].map((der) => parseCertificate(der)),
  }));
}
