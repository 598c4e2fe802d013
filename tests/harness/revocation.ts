import type { Ctx } from "#lib/ctx.ts";
import type { CertificateFacts } from "#lib/pki/certificates.ts";
import { issueDeviceCertificate } from "#lib/pki/issue.ts";
import { generateCertificateKey } from "#lib/pki/keys.ts";
import { openFleetCa } from "#services/authorities/service.ts";

export type KnownLeaf = {
  readonly facts: CertificateFacts;
  readonly pem: string;
  readonly privateKeyPem: string;
  readonly authorityId: string;
};

/** A device's certificate of the install's own authority, on record in the state that is said. */
export async function addLeaf(
  ctx: Ctx,
  row: { state?: string; graceUntil?: Date; notAfter?: Date; canary?: boolean } = {},
): Promise<KnownLeaf> {
  const ca = await openFleetCa(ctx);
  const key = generateCertificateKey();
  const deviceUuid = crypto.randomUUID();
  const issued = await issueDeviceCertificate({ ca, deviceUuid, publicKey: key.publicKey, now: ctx.clock() });
  const { certificate } = issued;
  await ctx.db.deviceCertificate.create({
    data: {
      namespaceId: ctx.namespaceId,
      fingerprint: certificate.fingerprint,
      tbsSha256: certificate.tbsSha256,
      deviceUuid,
      authorityId: ca.authorityId,
      subjectDn: certificate.subjectDn,
      issuerDn: certificate.issuerDn,
      serialHex: certificate.serialHex,
      certificate: Uint8Array.from(certificate.der),
      notBefore: certificate.notBefore,
      notAfter: certificate.notAfter,
      state: "allowed",
      issuedHere: true,
      ...row,
    },
  });
  const { privateKeyPem } = key;
  return { facts: certificate, pem: issued.certificatePem, privateKeyPem, authorityId: ca.authorityId };
}

/** What a decision leaves in a certificate's row. */
export async function setState(
  ctx: Ctx,
  leaf: KnownLeaf,
  change: { state: string; revocationReason?: string; graceUntil?: Date | null },
): Promise<void> {
  const at = ctx.clock();
  await ctx.db.deviceCertificate.update({
    where: { namespaceId_fingerprint: { namespaceId: ctx.namespaceId, fingerprint: leaf.facts.fingerprint } },
    data: { ...change, decidedAt: at, revokedAt: change.state === "revoked" ? at : null },
  });
}
