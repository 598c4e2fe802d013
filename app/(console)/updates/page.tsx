import { HydrationBoundary } from "@tanstack/react-query";
import type { Metadata } from "next";
import { createLoader, type SearchParams } from "nuqs/server";
import { UpdatesPage } from "#components/updates/updates-page.tsx";
import { updateListParams } from "#lib/client/update-params.ts";
import { prefetchUpdates } from "#lib/data/updates.ts";

export const metadata: Metadata = { title: "Updates" };

const loadParams = createLoader(updateListParams);

export default async function Page({ searchParams }: { searchParams: Promise<SearchParams> }) {
  return (
    <HydrationBoundary state={await prefetchUpdates(await loadParams(searchParams))}>
      <UpdatesPage />
    </HydrationBoundary>
  );
}
