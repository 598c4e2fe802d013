import { HydrationBoundary } from "@tanstack/react-query";
import type { Metadata } from "next";
import { createLoader, type SearchParams } from "nuqs/server";
import { AllowlistPage } from "#components/trust/allowlist-page.tsx";
import { allowlistParams, toListQuery } from "#lib/client/trust-params.ts";
import { prefetchAllowlist } from "#lib/data/trust.ts";

export const metadata: Metadata = { title: "Allowlist" };

const loadParams = createLoader(allowlistParams);

export default async function Page({ searchParams }: { searchParams: Promise<SearchParams> }) {
  const query = toListQuery(await loadParams(searchParams));
  return (
    <HydrationBoundary state={await prefetchAllowlist(query)}>
      <AllowlistPage />
    </HydrationBoundary>
  );
}
