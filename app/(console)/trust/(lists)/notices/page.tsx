import { HydrationBoundary } from "@tanstack/react-query";
import type { Metadata } from "next";
import { createLoader, type SearchParams } from "nuqs/server";
import { NoticesPage } from "#components/trust/notices-page.tsx";
import { noticeParams } from "#lib/client/posture-params.ts";
import { toListQuery } from "#lib/client/trust-params.ts";
import { prefetchNotices } from "#lib/data/posture.ts";

export const metadata: Metadata = { title: "Notices" };

const loadParams = createLoader(noticeParams);

export default async function Page({ searchParams }: { searchParams: Promise<SearchParams> }) {
  const query = toListQuery(await loadParams(searchParams));
  return (
    <HydrationBoundary state={await prefetchNotices(query)}>
      <NoticesPage />
    </HydrationBoundary>
  );
}
