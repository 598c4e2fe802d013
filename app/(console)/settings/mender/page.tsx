import { HydrationBoundary } from "@tanstack/react-query";
import type { Metadata } from "next";
import { createLoader, type SearchParams } from "nuqs/server";
import { MenderLogPage } from "#components/mender/mender-log-page.tsx";
import { menderLogParams } from "#lib/client/mender-params.ts";
import { prefetchMenderLog } from "#lib/data/mender.ts";

export const metadata: Metadata = { title: "Mender log" };

const loadParams = createLoader(menderLogParams);

export default async function Page({ searchParams }: { searchParams: Promise<SearchParams> }) {
  return (
    <HydrationBoundary state={await prefetchMenderLog(await loadParams(searchParams))}>
      <MenderLogPage />
    </HydrationBoundary>
  );
}
