import { HydrationBoundary } from "@tanstack/react-query";
import type { Metadata } from "next";
import { createLoader, type SearchParams } from "nuqs/server";
import { ServerCaPage } from "#components/trust/server-ca-page.tsx";
import { serverCaParams, toListQuery } from "#lib/client/trust-params.ts";
import { prefetchServerCa } from "#lib/data/authorities.ts";

export const metadata: Metadata = { title: "Server CA" };

const loadParams = createLoader(serverCaParams);

export default async function Page({ searchParams }: { searchParams: Promise<SearchParams> }) {
  const query = toListQuery(await loadParams(searchParams));
  return (
    <HydrationBoundary state={await prefetchServerCa(query)}>
      <ServerCaPage />
    </HydrationBoundary>
  );
}
