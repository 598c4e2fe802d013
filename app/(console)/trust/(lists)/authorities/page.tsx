import { HydrationBoundary } from "@tanstack/react-query";
import type { Metadata } from "next";
import { createLoader, type SearchParams } from "nuqs/server";
import { AuthoritiesPage } from "#components/trust/authorities-page.tsx";
import { queueParams, toListQuery } from "#lib/client/trust-params.ts";
import { prefetchAuthorities } from "#lib/data/authorities.ts";

export const metadata: Metadata = { title: "Authorities" };

const loadParams = createLoader(queueParams);

export default async function Page({ searchParams }: { searchParams: Promise<SearchParams> }) {
  const query = toListQuery(await loadParams(searchParams));
  return (
    <HydrationBoundary state={await prefetchAuthorities(query)}>
      <AuthoritiesPage />
    </HydrationBoundary>
  );
}
