import { randomBytes, randomUUID } from "node:crypto";
import type { Connected } from "#gateway/live-connections.ts";
import type { Ctx } from "#lib/ctx.ts";
import type { CertificateFacts } from "#lib/pki/certificates.ts";
import { addAuthority } from "#tests/pki/authority.ts";
import { createSoftwareCa } from "#tests/pki/software-ca.ts";

/** Connections of as many allowed devices of one authority as are wanted, without sockets: what is recorded of each is that it was cut. */
export type LiveCrowd = {
  readonly authorityId: string;
  readonly leaves: readonly CertificateFacts[];
  readonly connected: Connected[];
  readonly cut: Connected[];
  connect(leaf: CertificateFacts, address?: string): Connected;
};

const ROWS_AT_ONCE = 1_000;

/** The certificates are one that was really issued, under as many digests: a signature takes as long to check as any. */
export async function gatherCrowd(ctx: Pick<Ctx, "db" | "namespaceId">, size: number): Promise<LiveCrowd> {
  const ca = await createSoftwareCa({ commonName: "Crowd CA" });
  const authorityId = await addAuthority(ctx, ca.certificate);
  const { certificate } = await ca.issue();
  const digest = () => randomBytes(32).toString("hex");
  const leaves = Array.from({ length: size }, () => ({ ...certificate, fingerprint: digest(), tbsSha256: digest() }));
  for (let from = 0; from < size; from += ROWS_AT_ONCE) {
    await ctx.db.deviceCertificate.createMany({
      data: leaves.slice(from, from + ROWS_AT_ONCE).map(({ fingerprint, tbsSha256, der }) => ({
        namespaceId: ctx.namespaceId,
        fingerprint,
        tbsSha256,
        authorityId,
        deviceUuid: randomUUID(),
        certificate: Uint8Array.from(der),
        state: "allowed",
      })),
    });
  }
  const connected: Connected[] = [];
  const cut: Connected[] = [];
  const connect = (leaf: CertificateFacts, address = "192.0.2.1") => {
    const one: Connected = { leaf, address, cut: () => void cut.push(one) };
    connected.push(one);
    return one;
  };
  for (const leaf of leaves) connect(leaf);
  return { authorityId, leaves, connected, cut, connect };
}
