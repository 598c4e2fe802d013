import { HydrationBoundary } from "@tanstack/react-query";
import type { Metadata } from "next";
import { createLoader, type SearchParams } from "nuqs/server";
import { WaitingPage } from "#components/trust/waiting-page.tsx";
import { queueParams, toWaitingQuery } from "#lib/client/trust-params.ts";
import { prefetchCertificates } from "#lib/data/trust.ts";

export const metadata: Metadata = { title: "Trust" };

const loadParams = createLoader(queueParams);

export default async function Page({ searchParams }: { searchParams: Promise<SearchParams> }) {
  const query = toWaitingQuery(await loadParams(searchParams));
  return (
    <HydrationBoundary state={await prefetchCertificates(query)}>
      <WaitingPage />
    </HydrationBoundary>
  );
}
