import type { Ctx } from "#lib/ctx.ts";
import { type CertificateFacts, parseCertificate } from "#lib/pki/certificates.ts";
import { type OpenedCa, openStored } from "./authorities.ts";
import { findIssuer, listPublished } from "./store-issuing.ts";

/** An authority that can sign a device's certificate now, with its rules for that. */
export type Issuer = OpenedCa & {
  readonly name: string;
  /** The life of what it signs, unless a shorter one is asked for. */
  readonly certificateDays: number;
  /** None: every strong one. */
  readonly keyTypes: readonly string[];
};

/**
 * Opens the authority that is to sign for a device: the named one, or the newest open one.
 *
 * @returns null when the named one, or any, can't sign: closed, revoked, expired, without key or with another rule for the device's id
 * @throws AppError `keys.unsealable`
 */
export async function openIssuer(ctx: Ctx, authorityId?: string): Promise<Issuer | null> {
  const wanted = { now: ctx.clock(), ...(authorityId === undefined ? {} : { id: authorityId }) };
  const row = await findIssuer(ctx.db, ctx.namespaceId, wanted);
  if (row === null) return null;
  const { name, keyTypes, maxValidityDays } = row;
  const certificateDays = Math.min(row.certificateDays, maxValidityDays ?? row.certificateDays);
  return { ...openStored(ctx, row), name, keyTypes, certificateDays };
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
