import type { Config } from "#lib/config/load.ts";
import type { PublishedAt } from "#lib/pki/issue.ts";

/** Where an authority publishes what it revoked: the addresses that stand in everything it signs. */
export function publishedAt(config: Pick<Config, "pkiUrl">, authorityId: string): PublishedAt {
  return {
    crlUrl: `${config.pkiUrl}/${authorityId}.crl`,
    certificateUrl: `${config.pkiUrl}/${authorityId}.crt`,
    ocspUrl: `${config.pkiUrl}/ocsp`,
  };
}
