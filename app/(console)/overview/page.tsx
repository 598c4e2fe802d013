import { HydrationBoundary } from "@tanstack/react-query";
import type { Metadata } from "next";
import { OverviewPage } from "#components/overview/overview-page.tsx";
import { prefetchOverview } from "#lib/data/overview.ts";
import { readPreferences } from "#lib/data/preferences.ts";

export const metadata: Metadata = { title: "Overview" };

export default async function Page() {
  const [state, { firstSteps }] = await Promise.all([prefetchOverview(), readPreferences()]);
  return (
    <HydrationBoundary state={state}>
      <OverviewPage firstSteps={firstSteps} />
    </HydrationBoundary>
  );
}
