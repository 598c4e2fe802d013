import { HydrationBoundary } from "@tanstack/react-query";
import type { Metadata } from "next";
import { notFound } from "next/navigation";
import { createLoader, type SearchParams } from "nuqs/server";
import { CampaignPage } from "#components/trust/campaign-page.tsx";
import { campaignParams } from "#lib/client/posture-params.ts";
import { toListQuery } from "#lib/client/trust-params.ts";
import { findCampaign, prefetchCampaign } from "#lib/data/posture.ts";

type Props = { params: Promise<{ id: string }>; searchParams: Promise<SearchParams> };

export const metadata: Metadata = { title: "Renewal campaign" };

const loadParams = createLoader(campaignParams);

export default async function Page({ params, searchParams }: Props) {
  const campaign = await findCampaign((await params).id);
  if (campaign === null) notFound();
  const query = toListQuery(await loadParams(searchParams));
  return (
    <HydrationBoundary state={await prefetchCampaign(campaign, query)}>
      <CampaignPage id={campaign.id} />
    </HydrationBoundary>
  );
}
