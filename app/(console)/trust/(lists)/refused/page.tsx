import { HydrationBoundary } from "@tanstack/react-query";
import type { Metadata } from "next";
import { createLoader, type SearchParams } from "nuqs/server";
import { RefusedPage } from "#components/trust/refused-page.tsx";
import { refusalParams, toListQuery } from "#lib/client/trust-params.ts";
import { prefetchRefusals } from "#lib/data/trust.ts";

export const metadata: Metadata = { title: "Refused at the door" };

const loadParams = createLoader(refusalParams);

export default async function Page({ searchParams }: { searchParams: Promise<SearchParams> }) {
  const query = toListQuery(await loadParams(searchParams));
  return (
    <HydrationBoundary state={await prefetchRefusals(query)}>
      <RefusedPage />
    </HydrationBoundary>
  );
}
