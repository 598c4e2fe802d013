import type { DehydratedState } from "@tanstack/react-query";
import { cache } from "react";
import { keys } from "#lib/client/keys.ts";
import { ListAllowlist } from "#lib/contracts/console/allowlist.ts";
import { type CertificateDetail, ListCertificates } from "#lib/contracts/console/certificates.ts";
import { Fingerprint, ListQuery } from "#lib/contracts/console/common.ts";
import { ListRefusals } from "#lib/contracts/console/refusals.ts";
import { isAppError } from "#lib/errors/app-error.ts";
import { getEstAddress, listEnrolmentTokens } from "#services/enrolment/service.ts";
import {
  getCertificate,
  listAllowlist,
  listCertificates,
  listProvisioningCredentials,
  listRefusals,
} from "#services/identity/service.ts";
import { present } from "./params.ts";
import { prefetch } from "./prefetch.ts";
import { requirePageSession } from "./session.ts";

type Query = Readonly<Record<string, string | number>>;

export function prefetchCertificates(query: Query): Promise<DehydratedState> {
  return prefetch({
    key: keys.certificates.list(query),
    read: ({ ctx, actor }) => listCertificates(ctx, actor, ListCertificates.parse(present(query))),
  });
}

export function prefetchAllowlist(query: Query): Promise<DehydratedState> {
  return prefetch({
    key: keys.certificates.allowlist(query),
    read: ({ ctx, actor }) => listAllowlist(ctx, actor, ListAllowlist.parse(present(query))),
  });
}

export function prefetchRefusals(query: Query): Promise<DehydratedState> {
  return prefetch({
    key: keys.refusals.list(query),
    read: ({ ctx, actor }) => listRefusals(ctx, actor, ListRefusals.parse(present(query))),
  });
}

/** Everything about how devices come to their certificates by themselves. */
export function prefetchEnrolment(query: Query, tokens: Query): Promise<DehydratedState> {
  return prefetch(
    {
      key: keys.certificates.provisioning(query),
      read: ({ ctx, actor }) => listProvisioningCredentials(ctx, actor, ListQuery.parse(present(query))),
    },
    {
      key: keys.certificates.tokens(tokens),
      read: ({ ctx, actor }) => listEnrolmentTokens(ctx, actor, ListQuery.parse(present(tokens))),
    },
    { key: keys.certificates.est, read: ({ ctx, actor }) => getEstAddress(ctx, actor) },
  );
}

/** @returns null when there is no such certificate, or the text is no fingerprint */
export const findCertificate = cache(async (fingerprint: string): Promise<CertificateDetail | null> => {
  const { ctx, actor } = await requirePageSession();
  if (!Fingerprint.safeParse(fingerprint).success) return null;
  try {
    return await getCertificate(ctx, actor, fingerprint);
  } catch (error) {
    if (isAppError(error, "certificate.not_found")) return null;
    throw error;
  }
});

export function prefetchCertificate(certificate: CertificateDetail): Promise<DehydratedState> {
  return prefetch({ key: keys.certificates.one(certificate.fingerprint), read: async () => certificate });
}
