import { HydrationBoundary } from "@tanstack/react-query";
import type { Metadata } from "next";
import { createLoader, type SearchParams } from "nuqs/server";
import { ExpiringPage } from "#components/trust/expiring-page.tsx";
import { expiringParams, toExpiringQuery } from "#lib/client/posture-params.ts";
import { prefetchExpiring } from "#lib/data/posture.ts";

export const metadata: Metadata = { title: "Expiring certificates" };

const loadParams = createLoader(expiringParams);

export default async function Page({ searchParams }: { searchParams: Promise<SearchParams> }) {
  const query = toExpiringQuery(await loadParams(searchParams));
  return (
    <HydrationBoundary state={await prefetchExpiring(query)}>
      <ExpiringPage />
    </HydrationBoundary>
  );
}
