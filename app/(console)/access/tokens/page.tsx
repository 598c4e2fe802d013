import { HydrationBoundary } from "@tanstack/react-query";
import type { Metadata } from "next";
import { createLoader, type SearchParams } from "nuqs/server";
import { TokensPage } from "#components/access/tokens-page.tsx";
import { accessParams } from "#lib/client/access-params.ts";
import { prefetchTokens } from "#lib/data/access.ts";

export const metadata: Metadata = { title: "Tokens" };

const loadParams = createLoader(accessParams);

export default async function Page({ searchParams }: { searchParams: Promise<SearchParams> }) {
  return (
    <HydrationBoundary state={await prefetchTokens(await loadParams(searchParams))}>
      <TokensPage />
    </HydrationBoundary>
  );
}
