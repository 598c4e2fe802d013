import { randomUUID } from "node:crypto";
import type { Ctx } from "#lib/ctx.ts";
import { ADMISSION_CHANNEL, notify } from "#lib/db/events.ts";
import type { CertificateFacts } from "#lib/pki/certificates.ts";

/** Makes an outside CA known to the install, as an open one that asks a person. @returns its id */
export async function addAuthority(
  ctx: Pick<Ctx, "db" | "namespaceId">,
  certificate: CertificateFacts,
  policy: "ask" | "allowlist" | "allow_all" = "ask",
): Promise<string> {
  const id = randomUUID();
  await ctx.db.authority.create({
    data: {
      id,
      namespaceId: ctx.namespaceId,
      name: "Outside CA",
      fingerprint: certificate.fingerprint,
      subjectDn: certificate.subjectDn,
      certificate: Uint8Array.from(certificate.der),
      notBefore: certificate.notBefore,
      notAfter: certificate.notAfter,
      state: "open",
      policy,
    },
  });
  await notify(ctx.db, ADMISSION_CHANNEL, "*");
  return id;
}
