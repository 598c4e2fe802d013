import { HydrationBoundary } from "@tanstack/react-query";
import type { Metadata } from "next";
import { createLoader, type SearchParams } from "nuqs/server";
import { ProvisioningPage } from "#components/trust/provisioning-page.tsx";
import { queueParams, toListQuery } from "#lib/client/trust-params.ts";
import { prefetchProvisioningCredentials } from "#lib/data/trust.ts";

export const metadata: Metadata = { title: "Provisioning credentials" };

const loadParams = createLoader(queueParams);

export default async function Page({ searchParams }: { searchParams: Promise<SearchParams> }) {
  const query = toListQuery(await loadParams(searchParams));
  return (
    <HydrationBoundary state={await prefetchProvisioningCredentials(query)}>
      <ProvisioningPage />
    </HydrationBoundary>
  );
}
