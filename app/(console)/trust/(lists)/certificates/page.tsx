import { HydrationBoundary } from "@tanstack/react-query";
import type { Metadata } from "next";
import { createLoader, type SearchParams } from "nuqs/server";
import { CertificatesPage } from "#components/trust/certificates-page.tsx";
import { certificateParams, toListQuery } from "#lib/client/trust-params.ts";
import { prefetchCertificates } from "#lib/data/trust.ts";

export const metadata: Metadata = { title: "Certificates" };

const loadParams = createLoader(certificateParams);

export default async function Page({ searchParams }: { searchParams: Promise<SearchParams> }) {
  const query = toListQuery(await loadParams(searchParams));
  return (
    <HydrationBoundary state={await prefetchCertificates(query)}>
      <CertificatesPage />
    </HydrationBoundary>
  );
}
