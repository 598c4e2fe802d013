import type { Ctx } from "#lib/ctx.ts";
import { type CertificateFacts, parseCertificate } from "#lib/pki/certificates.ts";
import { listPublishedAuthorities, loadDoorRootPem, noteServerCaGiven } from "#services/authorities/service.ts";
import { certificatesIn } from "./handout.ts";

/** The certificates that devices are to know, as `cacerts` gives them. */
export type Published = {
  /** Of every authority that signs for devices, and of the server; each once. */
  readonly all: readonly CertificateFacts[];
  /** By what an address may call an authority: its id or its name. */
  readonly labels: ReadonlyMap<string, readonly CertificateFacts[]>;
};

/**
 * What devices are to trust and to build paths with. During a rollover that is the old and the new.
 *
 * @see RFC 7030 section 4.1.3
 */
export async function readPublished(ctx: Ctx): Promise<Published> {
  const [authorities, rootPem] = await Promise.all([listPublishedAuthorities(ctx), loadDoorRootPem(ctx)]);
  const server = certificatesIn(rootPem).map((pem) => parseCertificate(pem));
  const labels = new Map<string, readonly CertificateFacts[]>();
  // The newest comes first, and keeps a name that an older one has too.
  for (const { id, name, certificates } of authorities) {
    const own = once([...certificates, ...server]);
    labels.set(id, own);
    if (!labels.has(name)) labels.set(name, own);
  }
  return { all: once([...authorities.flatMap(({ certificates }) => certificates), ...server]), labels };
}

/** The same for a device, of which it is remembered that it was given the server CA that is in it. */
export async function readPublishedFor(ctx: Ctx, deviceUuid: string): Promise<Published> {
  // Noted first: what is read afterwards is as new or newer.
  await ctx.db.$transaction((tx) => noteServerCaGiven(tx, ctx, deviceUuid));
  return readPublished(ctx);
}

function once(certificates: readonly CertificateFacts[]): CertificateFacts[] {
  return [...new Map(certificates.map((certificate) => [certificate.fingerprint, certificate])).values()];
}
