import { HydrationBoundary } from "@tanstack/react-query";
import type { Metadata } from "next";
import { OverviewPage } from "#components/overview/overview-page.tsx";
import { prefetchOverview } from "#lib/data/overview.ts";

export const metadata: Metadata = { title: "Overview" };

export default async function Page() {
  return (
    <HydrationBoundary state={await prefetchOverview()}>
      <OverviewPage />
    </HydrationBoundary>
  );
}
