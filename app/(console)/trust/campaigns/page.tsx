import { HydrationBoundary } from "@tanstack/react-query";
import type { Metadata } from "next";
import { createLoader, type SearchParams } from "nuqs/server";
import { CampaignsPage } from "#components/trust/campaigns-page.tsx";
import { findingParams } from "#lib/client/posture-params.ts";
import { toListQuery } from "#lib/client/trust-params.ts";
import { prefetchCampaigns } from "#lib/data/posture.ts";

export const metadata: Metadata = { title: "Renewal campaigns" };

const loadParams = createLoader(findingParams);

export default async function Page({ searchParams }: { searchParams: Promise<SearchParams> }) {
  const query = toListQuery(await loadParams(searchParams));
  return (
    <HydrationBoundary state={await prefetchCampaigns(query)}>
      <CampaignsPage />
    </HydrationBoundary>
  );
}
